# Needs: sops
printf 'creation_rules: [{age: %s}]\n' "$AGE_RECIPIENT" > .sops.yaml
cp "$AGE_KEY_FILE" age.key
export ECHOVALUE_BASE_URL="$URL"
SOPS_AGE_KEY_FILE=./age.key ansible-playbook playbooks/play.yml
SOPS_AGE_KEY_FILE=./age.key ansible-playbook playbooks/play.yml > shown
grep -q 'changed=0' shown
ansible-playbook playbooks/play.yml -e sops_age_keyfile=./age.key > shown
grep -q 'changed=0' shown
[ "$(mints)" = 1 ]
