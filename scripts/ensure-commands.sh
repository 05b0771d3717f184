#!/usr/bin/env bash
# Make commands available, or say the one command that does: scripts/ensure-commands.sh COMMAND=PACKAGE…    (a PACKAGE may be several words)
#
# Root on Debian or Ubuntu: the missing packages are installed. Everybody else: they are named, exit 3.
set -euo pipefail

missing=()
for pair in "$@"; do
  command -v "${pair%%=*}" >/dev/null && continue
  read -ra words <<<"${pair#*=}"
  missing+=("${words[@]}")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "tools: installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  exit 0
fi
printf 'tools: not here: %s. Run this, and repeat:\n' "${missing[*]}" >&2
if command -v apt-get >/dev/null; then echo "    sudo apt-get install -y ${missing[*]}" >&2
elif command -v brew >/dev/null; then echo "    brew install ${missing[*]}" >&2
else echo "    (your package manager) install ${missing[*]}" >&2; fi
exit 3
