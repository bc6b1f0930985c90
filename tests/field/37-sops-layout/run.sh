# Needs: sops
mkdir gitops
printf 'stores: {yaml: {indent: 2}}\ncreation_rules: [{age: %s}]\n' "$AGE_RECIPIENT" > gitops/.sops.yaml
export SOPS_AGE_KEY_FILE="$AGE_KEY_FILE"
printf 'db:\n  user: u\n  pass: p\n  nested:\n    a: 1\n' > gitops/app.yaml
(cd gitops && sops encrypt -i app.yaml)
cp gitops/app.yaml before
(cd ansible && ansible-playbook play.yml -e url="$URL")
diff before gitops/app.yaml > changes || true
[ "$(grep -c '^[<>]' changes)" = 5 ] # the token, and two lines of lastmodified and mac each
cp gitops/app.yaml before
(cd ansible && ansible-playbook play.yml -e url="$URL" -e echovalue_token_regenerate=always)
diff before gitops/app.yaml > changes || true
[ "$(grep -c '^[<>]' changes)" = 6 ]
