printf pw > pw
for other in "" http://127.0.0.1:9; do
  rm -f t v.yml
  ECHOVALUE_BASE_URL="$other" ansible-playbook play.yml -e url="$URL" --vault-id dev@pw
  test -f t
  grep -q '!vault' v.yml
done
[ "$(mints)" = 4 ]
