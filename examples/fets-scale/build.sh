#!/usr/bin/env bash
# Build the three images of this example; only `play.py --engine docker` needs them. Seconds; no network.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BASE=${BASE:-medperf-git/base:latest}
"$HERE/../../scripts/base-image.sh" "$BASE" >/dev/null
for name in preparator model metrics; do
  docker build -q --network none --build-arg "BASE=$BASE" -t "medperf-git-fets/$name:1" "$HERE/$name" >/dev/null
  echo "built medperf-git-fets/$name:1"
done
