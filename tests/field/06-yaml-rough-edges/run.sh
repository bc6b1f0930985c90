printf pw > pw
for name in block-last indented placeholder; do
  cp $name.yml $name.before
  ansible-playbook play.yml -e url="$URL" -e file=$name.yml --vault-id dev@pw
  grep -q '^ *echovalue_token: !vault |$' $name.yml
done
[ "$(mints)" = 3 ]

# No line is lost but the placeholder, and the block still ends without a line end.
fails grep '^<' <(diff block-last.before block-last.yml)
fails grep '^<' <(diff indented.before indented.yml)
[ "$(diff placeholder.before placeholder.yml | grep '^<')" = '< echovalue_token:' ]
tail -c 8 block-last.yml | cmp - <(printf -- '-----END')
