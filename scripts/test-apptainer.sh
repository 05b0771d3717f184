#!/usr/bin/env bash
# Run the tests of the engine against Apptainer, which is had by scripts/ensure-apptainer.sh: scripts/test-apptainer.sh PYTHON [ARGUMENTS OF PYTEST]
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PYTHON=$1; shift
case "$PYTHON" in /*) ;; *) PYTHON=$PWD/$PYTHON ;; esac
cd "$HERE"
TESTS=("$@"); [ "$#" -gt 0 ] || TESTS=(tests/engine/test_apptainer.py tests/engine/test_sandbox.py tests/engine/test_bombs.py)
FOLDER=$(scripts/ensure-apptainer.sh | tail -n 1)
CACHE=$(mktemp -d)
trap 'rm -rf "$CACHE"' EXIT
MEDPERF_GIT_TEST_ENGINE=apptainer APPTAINER_CACHEDIR=$CACHE APPTAINER_CACHEDIR_OF_THE_IMAGES=$CACHE PATH="$FOLDER:$PATH" \
  "$PYTHON" -m pytest -q -p no:cacheprovider "${TESTS[@]}"
