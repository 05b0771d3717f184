#!/usr/bin/env bash
# Build every image of this example, and print what each took. The second time only the engine's cache is asked.
#
#   examples/breast-cancer/build.sh            needs a container engine and a Python 3 with pip (PYTHON=… to choose)
#
# A build here gets no network: the wheels come from the host, checked against runtime/requirements.lock.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
BASE=${BASE:-medperf-git/base:latest}
PREFIX=medperf-git-demo
PYTHON=${PYTHON:-$ROOT/.venv/bin/python}
[ -x "$PYTHON" ] || PYTHON=python3

case $(docker version --format '{{.Server.Arch}}') in
  amd64) MACHINE=x86_64 ;;
  arm64) MACHINE=aarch64 ;;
  *) echo "build: this processor has no wheels of scikit-learn" >&2; exit 3 ;;
esac
STAGE=${MEDPERF_GIT_CACHE:-$ROOT/.cache}/breast-cancer/$MACHINE

fetch_wheels() {  # into $STAGE/site, once for each content of the lock
  local lock=$HERE/runtime/requirements.lock platforms=() tag
  cmp -s "$lock" "$STAGE/site.lock" && return
  for tag in manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014; do platforms+=(--platform "${tag}_$MACHINE"); done
  rm -rf "$STAGE"
  mkdir -p "$STAGE"
  "$PYTHON" -m pip install -qq --disable-pip-version-check --no-compile --no-deps --require-hashes --only-binary=:all: \
    --implementation cp --python-version 3.11 "${platforms[@]}" --target "$STAGE/site" -r "$lock"
  # Their own tests are a third of the size, and nobody runs them here.
  find "$STAGE/site" -depth -type d -name tests -exec rm -rf {} +
  rm -rf "$STAGE/site/bin"
  chmod -R a+rX "$STAGE/site"
  cp "$HERE/runtime/Dockerfile" "$STAGE/Dockerfile"
  cp "$lock" "$STAGE/site.lock"
}

timed() {  # LABEL COMMAND…
  local label=$1 from=$SECONDS log
  shift
  log=$(mktemp)
  if ! "$@" >"$log" 2>&1; then cat "$log" >&2; rm -f "$log"; echo "build: $label failed" >&2; exit 4; fi
  rm -f "$log"
  printf '  %-24s %3d s\n' "$label" $((SECONDS - from))
}

build() {  # NAME CONTEXT DOCKERFILE BASE
  timed "$1" docker build --network none --build-arg "BASE=$4" -t "$PREFIX/$1:1" -f "$3" "$2"
}

begin=$SECONDS
echo "building the images of $PREFIX:"
timed base "$ROOT/scripts/base-image.sh" "$BASE"
timed wheels fetch_wheels
build preparator "$HERE/preparator" "$HERE/preparator/Dockerfile" "$BASE"
build hostile "$HERE/hostile" "$HERE/hostile/Dockerfile" "$BASE"
cp "$HERE/runtime/Dockerfile" "$STAGE/Dockerfile"
build runtime "$STAGE" "$STAGE/Dockerfile" "$BASE"
build metrics "$HERE/metrics" "$HERE/metrics/Dockerfile" "$PREFIX/runtime:1"
for model in logreg forest knn; do build "$model" "$HERE/models" "$HERE/models/$model/Dockerfile" "$PREFIX/runtime:1"; done
build concavity-baseline "$HERE/models" "$HERE/models/concavity-baseline/Dockerfile" "$BASE"
printf '  %-24s %3d s\n' "all" $((SECONDS - begin))
