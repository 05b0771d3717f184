#!/usr/bin/env bash
# Build the images of pilots, medperf-git-pilots/<pilot>-<container>:1. The second time only the engine's cache is asked.
#
#   examples/kit/build.sh PILOT…               needs a container engine and a Python 3 with pip (PYTHON=… to choose)
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
BASE=${BASE:-medperf-git/base:latest}
PREFIX=medperf-git-pilots
PYTHON=${PYTHON:-$ROOT/.venv/bin/python}
[ -x "$PYTHON" ] || PYTHON=python3
. "$HERE/images.sh"
STAGE=${MEDPERF_GIT_CACHE:-$ROOT/.cache}/pilots/$MACHINE

begin=$SECONDS
echo "building the images of $PREFIX:"
timed base "$ROOT/scripts/base-image.sh" "$BASE"
timed wheels fetch_wheels "$HERE/runtime/requirements.lock" "$STAGE"
cp "$HERE/runtime/Dockerfile" "$STAGE/Dockerfile"
build runtime "$STAGE" "$STAGE/Dockerfile" "$BASE"
for pilot in "$@"; do
  for dockerfile in "$ROOT/examples/$pilot"/{preparator,metrics,models/*}/Dockerfile; do
    folder=$(dirname "$dockerfile")
    build "$pilot-$(basename "$folder")" "$ROOT/examples/$pilot" "$dockerfile" "$PREFIX/runtime:1"
  done
done
printf '  %-32s %3d s\n' "all" $((SECONDS - begin))
