#!/usr/bin/env bash
# Run the tests of the engine against Podman: first the system's service (as root), then an ordinary user's own.
#
#   scripts/test-podman.sh PYTHON [root|rootless|both] [ARGUMENTS OF PYTEST]      (default: both, tests/engine/test_sandbox.py test_images.py)
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PYTHON=$1; MODE=${2:-both}; shift; [ "$#" -eq 0 ] || shift
TESTS=("$@"); [ "$#" -gt 0 ] || TESTS=(tests/engine/test_sandbox.py tests/engine/test_bombs.py tests/engine/test_images.py tests/engine/test_fetching.py)
case "$PYTHON" in /*) ;; *) PYTHON=$PWD/$PYTHON ;; esac
export MEDPERF_GIT_TEST_REGISTRY_PORT=${MEDPERF_GIT_TEST_REGISTRY_PORT:-5055}  # which Podman may ask without TLS
value() { sed -n "s/^$1=//p" <<<"$2"; }

as_root() {
  local said; said=$("$HERE/scripts/ensure-podman.sh" root)
  cd "$HERE" && MEDPERF_GIT_TEST_ENGINE=podman CONTAINER_HOST=$(value CONTAINER_HOST "$said") \
    "$PYTHON" -m pytest -q -p no:cacheprovider "${TESTS[@]}"
}

rootless() {
  local said user address uid home scratch; said=$("$HERE/scripts/ensure-podman.sh" rootless)
  address=$(value CONTAINER_HOST "$said"); user=$(value PODMAN_USER "$said")
  local run=(env MEDPERF_GIT_TEST_ENGINE=podman CONTAINER_HOST="$address" PYTHONDONTWRITEBYTECODE=1)
  local pytest=("$PYTHON" -m pytest -q -p no:cacheprovider)
  cd "$HERE"
  if [ "$(id -un)" = "$user" ]; then "${run[@]}" "${pytest[@]}" "${TESTS[@]}"; return; fi
  uid=$(id -u "$user"); home=$(getent passwd "$user" | cut -d: -f6)
  scratch=$(mktemp -d); chown "$user:" "$scratch"
  local who=(setpriv --reuid="$uid" --regid="$(id -g "$user")" --init-groups)
  # Where the interpreter lies in a folder of root alone, the tests may read it, and are the ordinary user's else.
  "${who[@]}" env "$PYTHON" -c 'import pytest' 2>/dev/null || who+=(--inh-caps=+dac_read_search --ambient-caps=+dac_read_search)
  local status=0
  "${who[@]}" "${run[@]}" HOME="$home" XDG_RUNTIME_DIR="/run/user/$uid" TMPDIR="$scratch" \
    "${pytest[@]}" --basetemp="$scratch/t" "${TESTS[@]}" || status=$?
  rm -rf "$scratch"
  return "$status"
}

[ "$MODE" = rootless ] || as_root
[ "$MODE" = root ] || rootless
