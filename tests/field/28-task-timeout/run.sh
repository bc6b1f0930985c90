printf pw > pw
expected=0
for place in vault_file:1 command:1 vault_files:2; do
  play() { ansible-playbook play.yml -e url="$URL" -e place="${place%:*}" --vault-password-file pw "$@"; }
  latency 6
  ANSIBLE_TASK_TIMEOUT=4 fails play > shown 2>&1
  grep -qiE 'timed out|expected time' shown # 2.21, 2.18
  minted=$(mints)
  latency 0
  play > again
  [ "$(mints)" = $((expected += ${place#*:})) ] # none is lost
  [ "$minted" != $expected ] || grep -q 'ok=1 .*changed=0' again # on a busy machine it ended before the mint
done
