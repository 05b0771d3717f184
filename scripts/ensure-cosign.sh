#!/usr/bin/env bash
# Make cosign available for the test that has others verify our signatures, without touching the system; exit 3 where it cannot be had.
#
# Taken as it is where it is installed. Debian: the package of trixie, which runs on bookworm too, from the mirror that this
# machine's apt uses, by apt's own checks, unpacked into .cache/cosign. Elsewhere: the one command is named.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
CACHE=.cache/cosign
SUITE=trixie
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
say() { echo "cosign: $*" >&2; }
give_up() { say "not here: $1"; exit 3; }

command -v cosign >/dev/null && exit 0
"$CACHE/cosign" version >/dev/null 2>&1 && exit 0
if ! command -v apt-get >/dev/null || ! (. /etc/os-release && [ "${ID:-}" = debian ]); then
  command -v brew >/dev/null && give_up "run \`brew install cosign\`, and repeat."
  give_up "install cosign 2 with your package manager, and repeat."
fi

mirror() {  # the first address that this machine's apt takes Debian itself from, not its security updates
  cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list /etc/apt/sources.list 2>/dev/null |
    awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /^(https?|mirror.*):/) print $i } $1 == "URIs:" { print $2 }' |
    grep -E '/debian/?$' | head -n 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/root" "$CACHE"
source=$(mirror || true)
[ -n "$source" ] || give_up "the sources of apt name no mirror of Debian."
[ -f "$KEYRING" ] || give_up "there is no $KEYRING; install debian-archive-keyring, and repeat."
echo "deb [signed-by=$KEYRING] $source $SUITE main" >"$work/sources.list"
cat >"$work/apt.conf" <<CONF
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "-";
Dir::State::Lists "$work/lists";
Dir::State::Status "/dev/null";
Dir::Cache "$work/cache";
Acquire::Languages "none";
APT::Sandbox::User "";
CONF
say "downloading the package of $SUITE"
export APT_CONFIG="$work/apt.conf"
apt-get update -qq >&2 || give_up "$SUITE cannot be read from this machine's mirror."
(cd "$work" && apt-get download -qq cosign >&2) || give_up "$SUITE has no cosign for this machine."
dpkg-deb -x "$work"/cosign_*.deb "$work/root"
fresh=$(mktemp "$CACHE/new.XXXXXX")
install -m 755 "$work/root/usr/bin/cosign" "$fresh"
mv "$fresh" "$CACHE/cosign"
"$CACHE/cosign" version >/dev/null 2>&1 || give_up "the package of $SUITE does not run here."
