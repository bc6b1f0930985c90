# Needs: sops
printf 'creation_rules: [{age: %s}]\n' "$AGE_RECIPIENT" > .sops.yaml
export SOPS_AGE_KEY_FILE="$AGE_KEY_FILE"
echo 'ECHOVALUE_TOKEN="0123456789abcdef0123456789abcdef"' > .env
sops encrypt -i .env
cp .env before
fails ansible-playbook play.yml -e url="$URL" > shown
tr -s '[:space:]' ' ' < shown | grep -q 'quotes'
fails grep -q 'if_invalid' shown
cmp .env before

rm .env
mkdir -p elsewhere/certs
cp "$(python -m certifi)" elsewhere/certs/ca.pem
cd elsewhere
ansible-playbook ../play.yml -e url="$URL" -e ca=certs/ca.pem
[ "$(mints)" = 1 ]
