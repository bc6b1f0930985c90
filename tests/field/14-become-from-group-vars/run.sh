# Needs: sops
printf 'creation_rules: [{age: %s}]\n' "$AGE_RECIPIENT" > .sops.yaml
export SOPS_AGE_KEY_FILE="$AGE_KEY_FILE"
ansible-playbook -i inv play.yml -e url="$URL"
[ "$(stat -c %u app.yaml)" = "$(id -u)" ]
[ "$(mints)" = 1 ]
