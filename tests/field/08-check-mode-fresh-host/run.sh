for play in readme roles; do
  ansible-playbook $play.yml --check --diff -e url="$URL" > shown 2>&1
  tr '\n' ' ' < shown | grep -q 'In check mode that is no *failure'
  grep -q 'failed=0' shown
done
[ "$(mints)" = 0 ]
[ ! -e t ] && [ ! -e r ]
for play in readme roles; do
  ansible-playbook $play.yml -e url="$URL"
  ansible-playbook $play.yml --check -e url="$URL" > shown
  grep -q 'changed=0' shown
done
[ "$(mints)" = 2 ]
