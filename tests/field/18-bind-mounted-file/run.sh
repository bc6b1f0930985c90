ansible-playbook play.yml -e url="$URL" -e reg=never
cp t host-side
unshare --mount bash -eux <<'IN'
mount --bind host-side t
ansible-playbook play.yml -e url="$URL" -e reg=always > shown && exit 1
grep -q 'mount point' shown
grep -q 'No token was minted' shown
ansible-playbook play.yml -e url="$URL" -e reg=never > shown
grep -q 'changed=0' shown
ansible-playbook play.yml -e url="$URL" -e reg=if_invalid > shown
grep -q 'changed=0' shown
IN
[ "$(find . -name 't?*' -o -name '.t*' | wc -l)" = 0 ]
[ "$(mints)" = 1 ]
