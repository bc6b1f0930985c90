# Needs: sops
printf 'creation_rules: [{age: %s}]\n' "$AGE_RECIPIENT" > .sops.yaml
ansible-playbook play.yml -e url="$URL" -e key="$AGE_KEY_FILE"
ansible-playbook play.yml -e url="$URL" -e key="$AGE_KEY_FILE" > shown
grep -q 'changed=0' shown
ansible-playbook play.yml -e url="$URL" -e key=/none -e sops_age_keyfile="$AGE_KEY_FILE" > shown
grep -q 'changed=0' shown
[ "$(mints)" = 1 ]
