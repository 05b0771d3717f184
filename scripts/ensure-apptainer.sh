#!/usr/bin/env bash
# Have an apptainer command, and print the folder that holds it as the last line. Twice does nothing twice.
#
#   scripts/ensure-apptainer.sh [FOLDER]      default: .cache/apptainer
#
# The system's own where there is one, or a package for it. Else (Debian 12, root) that of a newer Debian, unpacked into a
# root of its own below FOLDER, with a small command beside it that enters there; the machine itself stays as it is.
set -euo pipefail

FOLDER=$(realpath -m "${1:-.cache/apptainer}")
SUITE=sid
PACKAGES=apptainer,mount
say() { printf 'apptainer: %s\n' "$*"; }
give_up() { { printf 'apptainer: '; printf '%s\n' "$@"; } >&2; exit 3; }
finish() { say "$("$1/apptainer" --version)"; echo "$1"; exit 0; }

if command -v apptainer >/dev/null; then finish "$(dirname "$(command -v apptainer)")"; fi
[ -x "$FOLDER/bin/apptainer" ] && finish "$FOLDER/bin"
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
  give_up "not here. Install it by your system's package manager (it is in EPEL, in Fedora, and on apptainer.org for others)."
export DEBIAN_FRONTEND=noninteractive
if apt-cache policy apptainer 2>/dev/null | grep -q 'Candidate: [0-9]'; then
  say "installing it"
  apt-get install -y -qq --no-install-recommends apptainer >/dev/null
  finish "$(dirname "$(command -v apptainer)")"
fi

[ -f /etc/debian_version ] || give_up "this system's packages have none; see apptainer.org"
command -v mmdebstrap >/dev/null || apt-get install -y -qq --no-install-recommends mmdebstrap debian-archive-keyring >/dev/null
say "unpacking that of Debian $SUITE below $FOLDER"
MIRROR=$(awk '/^URIs:/ {print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null || true)
ROOT=$FOLDER/root
rm -rf "$ROOT" && mkdir -p "$FOLDER/bin"
# A mirror that was frozen says so by an old date; what it holds is signed all the same.
mmdebstrap --quiet --variant=apt --mode=root --include="$PACKAGES" --aptopt='Acquire::Languages "none"' \
  --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Check-Valid-Until "false"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  "$SUITE" "$ROOT" "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${MIRROR:-http://deb.debian.org/debian} $SUITE main"
for file in hosts resolv.conf nsswitch.conf localtime; do cp -L "/etc/$file" "$ROOT/etc/$file" 2>/dev/null || touch "$ROOT/etc/$file"; done
# Without systemd it is Apptainer itself that makes its control groups.
[ -d /run/systemd/system ] || sed -i 's/^systemd cgroups = yes/systemd cgroups = no/' "$ROOT/etc/apptainer/apptainer.conf"

cat >"$FOLDER/bin/apptainer" <<WRAPPER
#!/bin/sh
# Made by scripts/ensure-apptainer.sh: Apptainer in a root of its own; /tmp, /home, /root and the folder of the project are the machine's.
exec unshare --mount --propagation private /bin/sh -c '
set -e
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
root=\$1; here=\$2; was=\$PWD; shift 2
mount --bind "\$root" "\$root"
for place in /proc /sys /dev /tmp /home /root "\$here"; do
  mkdir -p "\$root\$place"
  mount --rbind "\$place" "\$root\$place"
done
cd "\$root"
mkdir -p .before
pivot_root . .before
cd /
umount -l /.before
cd "\$was" 2>/dev/null || cd /
exec apptainer "\$@"' sh "$ROOT" "$(dirname "$FOLDER")" "\$@"
WRAPPER
chmod +x "$FOLDER/bin/apptainer"
finish "$FOLDER/bin"
