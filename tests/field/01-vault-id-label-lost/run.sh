printf pw > pw
ansible-vault encrypt --vault-id prod@pw vault.yml
ansible-playbook play.yml -e url="$URL" --vault-password-file pw

# The label stays, so that who goes by it alone can still decrypt.
# shellcheck disable=SC2016
[ "$(head -1 vault.yml)" = '$ANSIBLE_VAULT;1.2;AES256;prod' ]
ANSIBLE_VAULT_ID_MATCH=true ansible-playbook play.yml -e url="$URL" --vault-id prod@pw
ansible-vault view --vault-id prod@pw vault.yml | head -2 | cmp - <(printf -- '---\ndb: x\n')
[ "$(mints)" = 1 ]
