#!/usr/bin/env bash
# Draw docs/images/demo.svg from a recording of the demo: scripts/cast-demo.sh [RECORDING]; without one, the demo is played and recorded.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
PYTHON=${PYTHON:-.venv/bin/python}
recording=${1:-}
if [ -z "$recording" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  recording=$folder/demo.cast
  "$PYTHON" scripts/cast.py record --out "$recording" -- "$PYTHON" examples/breast-cancer/demo.py --out "$folder/out"
fi
out=$(sed -n 's|.*The leaderboard is here: \(.*\)/site/index.html.*|\1|p' "$recording" | tail -n 1)
"$PYTHON" scripts/cast.py draw "$recording" --out docs/images/demo.svg \
  --title "The demo of medperf-git in a terminal" \
  --description "A consortium makes a registry. A hospital runs four models on its own data, reviews the values and sends them signed. \
A reader who is no member verifies the whole history, shows and builds the leaderboard, and verifies one number with openssl alone." \
  --part "— 1. " "— 2. " --part "hospital-east \$ medperf-git run" "hospital-south \$ medperf-git run" \
  --part "— 8. " "Left out of the ranking" --part "reader \$ medperf-git leaderboard build" "What took how long" --hide "$out" .
