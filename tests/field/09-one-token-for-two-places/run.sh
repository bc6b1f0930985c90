# Needs: openbao
for team in team-a team-b; do
  BAO_ADDR="$ADDR" BAO_TOKEN="$LOGIN" bao namespace create $team
  BAO_ADDR="$ADDR" BAO_TOKEN="$LOGIN" bao secrets enable -namespace=$team -path=secret kv-v2
done

# Two at once, while the service is slow; one home, one spool.
latency 2
for team in team-a team-b; do
  ansible-playbook bao.yml -e url="$URL" -e addr="$ADDR" -e login="$LOGIN" -e ns=$team &
done
wait %1
wait %2
[ "$(mints)" = 2 ]
kept() { BAO_ADDR="$ADDR" BAO_TOKEN="$LOGIN" bao kv get -namespace=$1 -mount=secret -field=token app | sha256sum; }
fails cmp <(kept team-a) <(kept team-b)
[ "$(find "$HOME/.echovalue/spool" -type f | wc -l)" = 0 ]
