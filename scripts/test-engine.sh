#!/usr/bin/env bash
# The tests with an engine or a browser, in two lanes side by side: Pagure and the pages mostly wait for others.
#
#   scripts/test-engine.sh PYTHON
#
# The second lane speaks when the first has ended. Fails when one of them fails.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
lane() { "$PYTHON" -m pytest -q -m "engine or browser" --durations=15 --durations-min=5 "$@"; }
PYTHON=$1
said=$(mktemp)
trap 'kill "$pages" 2>/dev/null || true; rm -f "$said"' EXIT

lane tests/pagure tests/browser >"$said" 2>&1 &
pages=$!
code=0
lane tests --ignore=tests/pagure --ignore=tests/browser || code=$?
wait "$pages" || code=$?
cat "$said"
exit "$code"
