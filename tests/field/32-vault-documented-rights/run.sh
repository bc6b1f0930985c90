# Needs: openbao
export BAO_ADDR="$ADDR" BAO_TOKEN="$LOGIN"
bao policy write documented - <<'POLICY'
path "secret/data/apps/shop" { capabilities = ["read", "create", "update"] }
path "sys/internal/ui/mounts/*" { capabilities = ["read"] }
POLICY
login=$(bao token create -no-default-policy -policy=documented -field=token)
ansible-playbook play.yml -e url="$URL" -e vault="$ADDR" -e login="$login"
ansible-playbook play.yml -e url="$URL" -e vault="$ADDR" -e login="$login" > shown
grep -q 'changed=0' shown
[ "$(mints)" = 1 ]
