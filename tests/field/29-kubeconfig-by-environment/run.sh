# Needs: kubernetes
export KUBECONFIG="$ONE"
mint() { ansible-playbook play.yml -e url="$URL" -e name="$1" -e named="$2" "${@:3}"; }

mint shop "$TWO"

# Several files, as kubectl takes them.
mint several "$HOME/none:$TWO"

# What the option names wins, also as several files.
mint option "$ONE" -e "{connection: {kubeconfig: '$HOME/none:$TWO'}}"

# An empty one is none.
mkdir "$HOME/.kube"
cp "$TWO" "$HOME/.kube/config"
mint default ''

ansible-playbook count.yml -e one="$ONE" -e two="$TWO"
