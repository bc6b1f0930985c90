# Needs: openbao
export BAO_ADDR="$ADDR" BAO_TOKEN="$LOGIN"
bao auth enable -path=robots approle
bao write auth/robots/role/shop token_policies=default
bao auth enable userpass
bao write auth/userpass/users/jo password=right

# Log in with these options; the text has to hold these words.
login() {
  fails ansible-playbook play.yml -e url="$URL" -e "{connection: {$1}}" > shown
  tr -s '[:space:]' ' ' < shown | grep -qi "$2"
}
role=$(bao read -field=role_id auth/robots/role/shop/role-id)
login "url: '$ADDR', auth_method: approle, mount_point: robots, role_id: '$role', secret_id: none" 'invalid role or secret ID'
login "url: '$ADDR', auth_method: userpass, username: jo, password: wrong" 'invalid username or password'
login "url: '$ADDR', auth_method: userpass, mount_point: nowhere, username: jo, password: right" 'permission denied'
login "url: 'http://vault.invalid:8200', token: x" 'name could not be resolved'
[ "$(mints)" = 0 ]
