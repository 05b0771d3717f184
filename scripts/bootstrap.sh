#!/usr/bin/env bash
# Make a virtual environment with exactly what requirements.lock says, and this project in it: scripts/bootstrap.sh [FOLDER]
#
# Done again only when requirements.lock, pyproject.toml or the Python changed. PYTHON=… chooses the interpreter.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
VENV=${1:-.venv}

good_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
makes_environments() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

choose_python() {
  local candidate fallback=
  for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3 python; do
    good_enough "$candidate" || continue
    makes_environments "$candidate" && { echo "$candidate"; return; }
    fallback=${fallback:-$candidate}
  done
  echo "${fallback:-none}"
}

install_python() {
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "environment: installing python3 and python3-venv" >&2
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-venv >/dev/null
    return
  fi
  echo "environment: no Python of 3.11 or newer with venv here. Run this, and repeat:" >&2
  if command -v apt-get >/dev/null; then echo "    sudo apt-get install -y python3 python3-venv" >&2
  elif command -v brew >/dev/null; then echo "    brew install python@3.13" >&2
  else echo "    (your package manager) install python3 python3-venv" >&2; fi
  exit 3
}

python=$(choose_python)
if [ "$python" = none ] || ! makes_environments "$python"; then
  install_python
  python=$(choose_python)
  if [ "$python" = none ] || ! makes_environments "$python"; then
    echo "environment: this system's Python is older than 3.11; install a newer one and repeat with PYTHON=…" >&2
    exit 3
  fi
fi

stamp="$VENV/.made-from"
now=$({ "$python" -VV; cat requirements.lock pyproject.toml; } | "$python" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())')
[ "$(cat "$stamp" 2>/dev/null || true)" = "$now" ] && exit 0

echo "environment: making $VENV with $("$python" -V); this takes half a minute"
"$python" -m venv "$VENV"
bin=$VENV/bin
[ -d "$bin" ] || bin=$VENV/Scripts
# The lock is complete, so nothing is resolved here: with a newer release about, pip's resolver stumbles over extras and hashes.
"$bin/python" -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
# The build backend comes from the lock as well: nothing is fetched without a hash.
"$bin/python" -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
"$bin/python" -m pip check --disable-pip-version-check >/dev/null || { "$bin/python" -m pip check >&2; exit 3; }
echo "$now" >"$stamp"
