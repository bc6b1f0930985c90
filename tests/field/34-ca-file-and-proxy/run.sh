SECONDS=0
echo '<html></html>' > page.pem
play() { ansible-playbook play.yml -e "{reason: $1, words: '$2'}" "${@:3}"; }

play invalid_input 'holds no certificate' -e ca="$PWD/page.pem"
REQUESTS_CA_BUNDLE="$PWD/page.pem" play invalid_input 'holds no certificate'

python proxy.py > port &
trap 'kill %1' EXIT
until [ -s port ]; do sleep 0.1; done
HTTPS_PROXY="http://127.0.0.1:$(cat port)" play network 'HTTP 407'

for proxy in http:// 'http://a b:1' ftp://127.0.0.1:1; do
  HTTPS_PROXY="$proxy" play invalid_input 'proxy'
done
[ "$SECONDS" -lt 60 ]
[ ! -e app.token ]
