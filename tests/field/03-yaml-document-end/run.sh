printf pw > pw
ansible-playbook play.yml -e url="$URL" -e file=vars.yml --vault-id dev@pw
head -3 vars.yml | cmp - <(printf -- '---\nregion: eu\nechovalue_token: !vault |\n')
[ "$(tail -1 vars.yml)" = ... ]

cp vars.yml before
ansible-playbook play.yml -e url="$URL" -e file=vars.yml --vault-id dev@pw
cmp before vars.yml
[ "$(mints)" = 1 ]
