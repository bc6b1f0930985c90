printf pw > pw
before=0
for place in vault_file:1 command:1 vault_files:2; do
  play() { ansible-playbook play.yml -e url="$URL" -e place="${place%:*}" --vault-password-file pw "$@"; }
  latency 3
  ANSIBLE_TASK_TIMEOUT=2 fails play > shown 2>&1
  grep -qiE 'timed out|expected time' shown # 2.21, 2.18
  [ "$(mints)" = $((before += ${place#*:})) ]
  latency 0
  play > again
  grep -q 'ok=1 .*changed=0' again
  [ "$(mints)" = $before ]
done
