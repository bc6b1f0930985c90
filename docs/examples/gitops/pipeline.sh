#!/bin/sh
# What both pipelines run, on a fresh clone of the default branch: provision, commit what is new, deploy.
set -eu
branch=$(git symbolic-ref --short HEAD)
token=inventory/group_vars/app/vault.yml

git push --quiet --dry-run origin "HEAD:$branch" # nothing is minted where the result could not be pushed
for attempt in 1 2 3; do
  ansible-playbook provision.yml
  git add "$token"
  if git diff --cached --quiet; then
    break # nothing to commit
  fi
  git commit --quiet --message 'Provision the EchoValue token'
  if git push --quiet origin "HEAD:$branch"; then
    break
  fi
  if [ "$attempt" = 3 ]; then
    echo 'The token could not be pushed, and goes with this clone: it holds free credits alone. Run again.' >&2
    exit 1
  fi
  # Another run pushed meanwhile: begin again with what they have, which may be a token.
  git fetch --quiet origin "$branch"
  git reset --quiet --hard FETCH_HEAD
done
ansible-playbook deploy.yml
