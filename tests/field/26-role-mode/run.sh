umask 022
mkdir dir
ansible-playbook play.yml -e url="$URL" -e dir="$PWD/dir"
[ "$(stat -c %a dir/none)" = 600 ]
rm dir/none
[ "$(stat -c %a dir/* | sort -u)" = 640 ]
before=$(mints)
for check in true false; do
  ansible-playbook refused.yml -e url="$URL" -e path="$PWD/dir/new" -e "{check: $check}"
  ansible-playbook refused.yml -e url="$URL" -e path="$PWD/dir/role" -e "{check: $check}"
done
[ "$(mints)" = "$before" ]
[ "$(stat -c %a dir/role)" = 640 ]
[ ! -e dir/new ]
