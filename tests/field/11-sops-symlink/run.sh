# Needs: sops
printf 'creation_rules: [{age: %s}]\n' "$AGE_RECIPIENT" > .sops.yaml
export SOPS_AGE_KEY_FILE="$AGE_KEY_FILE"
mkdir -p shared clusters/prod
echo 'db: x' > shared/app.yaml
sops encrypt -i shared/app.yaml
ln -s ../../shared/app.yaml clusters/prod/app.yaml
ansible-playbook play.yml -e url="$URL"
ansible-playbook play.yml -e url="$URL" > shown
grep -q 'changed=0' shown
[ -L clusters/prod/app.yaml ]
sops decrypt shared/app.yaml | grep -q '^echovalue_token: '
[ "$(mints)" = 1 ]
