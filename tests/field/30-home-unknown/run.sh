homeless() { unshare --user --map-user=12345 env -u HOME ANSIBLE_LOCAL_TEMP="$PWD/tmp" "$@"; }
fails homeless ansible-playbook play.yml -e url="$URL" > shown 2>&1
grep -q 'home directory of this user is unknown' shown
grep -q 'as the spool' shown
homeless ansible-playbook paths.yml -e url="$URL" > /dev/null
[ "$(mints)" = 0 ]

{ set +x; } 2> /dev/null # what follows has the token in it
python -c 'import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1] + "/token", b"token=new").read().decode())' "$URL" > stored
set -x
homeless ansible-playbook play.yml -e url="$URL" -e stored=stored > shown
grep -q 'changed=0' shown
[ -z "$(find . -name '~*')" ]
[ ! -e spool ]
