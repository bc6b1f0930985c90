# SPDX-License-Identifier: BSD-2-Clause
# Functions for the scripts of the reports.

# Print how many tokens the service has minted.
mints() {
  python -c 'import json, sys, urllib.request
print(json.load(urllib.request.urlopen(sys.argv[1] + "/_emulator/stats"))["mints"])' "$URL"
}

# Run a command that has to fail.
fails() {
  if "$@"; then
    echo "It was to fail: $*"
    exit 1
  fi
}

# Let the service wait so many seconds before each answer.
latency() {
  python -c 'import json, sys, urllib.request
urllib.request.urlopen(urllib.request.Request(sys.argv[1] + "/_emulator/options", method="PUT",
    data=json.dumps({"latency": float(sys.argv[2])}).encode()))' "$URL" "$1"
}
