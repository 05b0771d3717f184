#!/usr/bin/env bash
# The tests with an engine or a browser, in three lanes side by side: Pagure and the pages, and whole stories told by their
# commands, mostly wait for others.
#
#   scripts/test-engine.sh PYTHON
#
# The other lanes speak when the first has ended. Fails when one of them fails.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
PYTHON=$1
LANE=("$PYTHON" -m pytest -q -m "engine or browser" --durations=15 --durations-min=5)
STORIES="tests/docs tests/story/test_pilots.py tests/story/test_four_clouds.py"
said=$(mktemp -d)
trap 'kill "$pages" "$stories" 2>/dev/null || true; rm -rf "$said"' EXIT

"${LANE[@]}" tests/pagure tests/browser >"$said/pages" 2>&1 &  # no function: its number must be that of the tests
pages=$!
"${LANE[@]}" $STORIES >"$said/stories" 2>&1 &
stories=$!
code=0
ignored=(--ignore=tests/pagure --ignore=tests/browser)
for path in $STORIES; do ignored+=("--ignore=$path"); done
"${LANE[@]}" tests "${ignored[@]}" || code=$?
wait "$stories" || code=$?
cat "$said/stories"
wait "$pages" || code=$?
cat "$said/pages"
exit "$code"
