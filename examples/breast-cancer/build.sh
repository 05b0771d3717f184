#!/usr/bin/env bash
# Build every image of this example, and print what each took. The second time only the engine's cache is asked.
#
#   examples/breast-cancer/build.sh            needs a container engine and a Python 3 with pip (PYTHON=… to choose)
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
BASE=${BASE:-medperf-git/base:latest}
PREFIX=medperf-git-demo
PYTHON=${PYTHON:-$ROOT/.venv/bin/python}
[ -x "$PYTHON" ] || PYTHON=python3

. "$ROOT/examples/kit/images.sh"
STAGE=${MEDPERF_GIT_CACHE:-$ROOT/.cache}/breast-cancer/$MACHINE

begin=$SECONDS
echo "building the images of $PREFIX:"
timed base "$ROOT/scripts/base-image.sh" "$BASE"
timed wheels fetch_wheels "$HERE/runtime/requirements.lock" "$STAGE"
build preparator "$HERE/preparator" "$HERE/preparator/Dockerfile" "$BASE"
build hostile "$HERE/hostile" "$HERE/hostile/Dockerfile" "$BASE"
cp "$HERE/runtime/Dockerfile" "$STAGE/Dockerfile"
build runtime "$STAGE" "$STAGE/Dockerfile" "$BASE"
build metrics "$HERE/metrics" "$HERE/metrics/Dockerfile" "$PREFIX/runtime:1"
for model in logreg forest knn; do build "$model" "$HERE/models" "$HERE/models/$model/Dockerfile" "$PREFIX/runtime:1"; done
build concavity-baseline "$HERE/models" "$HERE/models/concavity-baseline/Dockerfile" "$BASE"
printf '  %-24s %3d s\n' "all" $((SECONDS - begin))
