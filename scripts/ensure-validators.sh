#!/usr/bin/env bash
# Make the validators of export formats that cannot share our environment available to the tests; exit 3 where they cannot be had.
#
# They go, each file checked against requirements/validators.lock, into a folder that is printed, for PYTHONPATH.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
FOLDER=.cache/validators
LOCK=requirements/validators.lock
PYTHON=${PYTHON:-.venv/bin/python}

now=$({ "$PYTHON" -VV; cat "$LOCK"; } | "$PYTHON" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())')
echo "$FOLDER/$now"
[ -d "$FOLDER/$now" ] && exit 0

mkdir -p "$FOLDER"
fresh=$(mktemp -d "$FOLDER/new.XXXXXX")
trap 'rm -rf "$fresh"' EXIT
"$PYTHON" -m pip install -qq --disable-pip-version-check --no-deps --require-hashes --target "$fresh/lib" -r "$LOCK" >&2 ||
  { echo "validators: not here: the package index cannot be reached." >&2; exit 3; }
"$PYTHON" -c 'import os, sys; os.rename(*sys.argv[1:])' "$fresh/lib" "$FOLDER/$now" 2>/dev/null || [ -d "$FOLDER/$now" ]
