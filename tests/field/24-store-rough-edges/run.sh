# Needs: sops openbao
printf 'creation_rules: [{age: %s, encrypted_regex: "^(data|stringData|token)$"}]\n' "$AGE_RECIPIENT" > .sops.yaml
export SOPS_AGE_KEY_FILE="$AGE_KEY_FILE"

# A folder that all may write to is no spool, and stays as it is.
mkdir -m 1777 shared
fails ansible-playbook spool.yml -e url="$URL" -e addr="$ADDR" -e login="$LOGIN" > shown
grep -q 'others may write' shown
[ "$(stat -c %a shared)" = 1777 ]

# A manifest that Flux decrypts, of another owner.
sops encrypt -i flux.yaml
chmod 640 flux.yaml
chown 1:2 flux.yaml
ansible-playbook sops.yml -e url="$URL" -e file=flux.yaml -e key=stringData.token
sops decrypt --extract '["stringData"]["db"]' flux.yaml | grep -q x
[ "$(sops decrypt --extract '["stringData"]["token"]' flux.yaml | wc -c)" -gt 10 ]
[ "$(stat -c '%u %g %a' flux.yaml)" = '1 2 640' ]
fails ansible-playbook sops.yml -e url="$URL" -e file=flux.yaml -e key=stringData > shown
grep -q 'is not text' shown

# A folder that is a link out of the repository: the rules above the path that was given count, as by hand.
mkdir "$HOME/elsewhere"
ln -s "$HOME/elsewhere" linked
ansible-playbook sops.yml -e url="$URL" -e file=linked/new.yaml -e key=token
[ "$(sops decrypt --extract '["token"]' linked/new.yaml | wc -c)" -gt 10 ]
[ "$(mints)" = 2 ]
