# Needs: openbao
ansible-playbook -i h1,h2,h3 play.yml -e url="$URL" -e ansible_connection=local -e addr="$ADDR" -e login="$LOGIN"
for host in h1 h2 h3; do
  cmp out-h1 out-$host
  cmp out-h1 again-$host
done
[ -s out-h1 ]
[ "$(mints)" = 1 ]
