#!/usr/bin/env bash
# Write requirements.lock (everything, for Python 3.11 to 3.14 on any system), the examples' locks, that of the validators
# which need an environment of their own, and the judge's. Needs uv.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
UV=${UV:-uv}
options=(--quiet --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --python-version 3.11)

compile() {  # OUTPUT ARGUMENT…: the lock names no package index, so that a mirror gives the same file
  local out=$1
  shift
  { echo "# Made by \`make lock\`. Every file is checked against its hash."; "$UV" pip compile "${options[@]}" "$@"; } >"$out.new"
  if grep -nE 'https?://|--(extra-)?index-url|--find-links' "$out.new"; then echo "lock: $out names a host" >&2; exit 1; fi
  mv "$out.new" "$out"
}

compile requirements.lock --universal --all-extras pyproject.toml requirements/dev.in
compile requirements/validators.lock --universal requirements/validators.in
for runtime in examples/breast-cancer/runtime examples/kit/runtime; do
  compile "$runtime/requirements.lock" --python-platform x86_64-manylinux_2_28 "$runtime/requirements.in"
done

# What a registry's workflows install: wheels for Linux, by their hashes, in the versions that fit the oldest Python.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
versions=requirements.lock
for python in 3.11 3.12 3.13 3.14; do
  for platform in x86_64 aarch64; do
    "$UV" pip compile --quiet --format pylock.toml --no-header --no-annotate --only-binary :all: -c "$versions" \
      --python-version "$python" --python-platform "$platform-manylinux_2_28" pyproject.toml >"$folder/$python-$platform.toml"
  done
  python3 scripts/judge-lock.py "$folder"/*.toml >"$folder/judge.lock"
  versions=$folder/versions.txt
  sed -n 's/^\([a-z].*==[^ ]*\) .*/\1/p' "$folder/judge.lock" >"$versions"
done
mv "$folder/judge.lock" requirements/judge.lock
