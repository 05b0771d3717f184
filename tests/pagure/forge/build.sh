#!/usr/bin/env bash
# Make the image of a whole forge for the tests: Pagure of Debian 13, with its own SSH door.
#
#   tests/pagure/forge/build.sh TAG      nothing to do when TAG is there (docker rmi TAG to redo)
#
# Where Docker Hub answers it is made from debian:trixie-slim. Elsewhere from Debian packages by root with mmdebstrap, which
# come from where this machine's own come from, where that is Debian, else from mmdebstrap's default; about 70 seconds.
# The image is packages alone; the files beside this script are put into each container (tests/support/pagure_forge.py).
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
TAG=$1
UPSTREAM=debian:trixie-slim
SUITE=trixie
PACKAGES=pagure,python3-minimal,git,redis-server,gunicorn,openssh-server
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

give_up() { { printf 'pagure: '; printf '%s\n' "$@"; } >&2; exit 3; }

mirror() {  # the first address in the sources of a Debian machine
  (. /etc/os-release && [ "${ID:-}" = debian ]) || return 0
  cat /etc/apt/sources.list.d/debian.sources 2>/dev/null | awk '/^URIs:/ { print $2; exit }'
  awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) { print $i; exit } }' /etc/apt/sources.list 2>/dev/null || true
}

docker version >/dev/null 2>&1 || give_up "no container engine answers. Run scripts/ensure-engine.sh first."
docker image inspect "$TAG" >/dev/null 2>&1 && exit 0
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
# Debian's Pagure gives werkzeug the headers of a Git answer as bytes, which it no longer takes.
cat >"$WORK/hook" <<'HOOK'
#!/bin/sh
set -e; cd "$1"
sed -i 's/\] = header\[1\]$/] = header[1].decode()/' usr/lib/python3/dist-packages/pagure/ui/clone.py
echo 'git:*:1000:1000::/srv/pagure:/bin/sh' >> etc/passwd
echo 'git:x:1000:' >> etc/group
echo 'git:*:20000:0:99999:7:::' >> etc/shadow
rm -rf var/lib/apt/lists/* var/cache/apt/* etc/ssh/ssh_host_*
HOOK
chmod +x "$WORK/hook"

from_docker_hub() {
  cat >"$WORK/Dockerfile" <<RECIPE
FROM $UPSTREAM
COPY hook /hook
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ${PACKAGES//,/ } && sh /hook /
CMD ["sh", "/srv/start.sh"]
RECIPE
  docker build -q -t "$TAG" "$WORK" >/dev/null
}

from_debian_packages() {
  [ "$(id -u)" = 0 ] || give_up "Docker Hub does not answer, and only root can make an image from Debian packages. Run:" "    sudo $0 $TAG"
  "$ROOT/scripts/ensure-commands.sh" mmdebstrap="mmdebstrap debian-archive-keyring"
  OPTIONS=(--quiet --variant=apt --mode=root --include="$PACKAGES" --customize-hook="$WORK/hook"
    --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"'
    --aptopt='Acquire::Check-Valid-Until "false"' --dpkgopt='path-exclude=/usr/share/man/*'
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*')
  ADDRESS=$(mirror | head -n 1)
  if [ -n "$ADDRESS" ]; then
    [ -f "$KEYRING" ] || give_up "$KEYRING is not here. Run this, and repeat:" "    sudo apt-get install -y debian-archive-keyring"
    echo "deb [signed-by=$KEYRING] $ADDRESS $SUITE main" | mmdebstrap "${OPTIONS[@]}" "$SUITE" "$WORK/root.tar" -
  else
    mmdebstrap "${OPTIONS[@]}" "$SUITE" "$WORK/root.tar"
  fi
  docker import --change 'CMD ["sh", "/srv/start.sh"]' --change 'ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin' "$WORK/root.tar" "$TAG" >/dev/null
}

if timeout 10 docker manifest inspect "$UPSTREAM" >/dev/null 2>&1; then from_docker_hub; else from_debian_packages; fi
