#!/usr/bin/env bash
# Make the base image of the demo and the tests: Python 3.11 with a shell and a few tools.
#
#   scripts/base-image.sh [TAG]      default: medperf-git/base:latest; nothing to do when TAG is there (docker rmi TAG to redo)
#
# Where Docker Hub answers it is python:3.11-slim itself. Elsewhere it is put together from Debian packages (root and
# mmdebstrap), which are only unpacked: the hook below writes what their maintainer scripts would have written.
set -euo pipefail

TAG=${1:-medperf-git/base:latest}
UPSTREAM=python:3.11-slim
PACKAGES=python3-minimal,libpython3-stdlib,busybox,dash,base-files,base-passwd,libc-bin,ca-certificates,libstdc++6,libgomp1
TOOLS="ls cat mkdir mkfifo rm cp mv ln id env head tail sleep touch chmod test true false sort wc tr grep sed dd yes du df stat ps uname"

say() { printf 'base image: %s\n' "$*"; }
give_up() { { printf 'base image: '; printf '%s\n' "$@"; } >&2; exit 3; }
is_here() { docker image inspect "$1" >/dev/null 2>&1; }
hub_answers() { timeout 10 docker manifest inspect "$UPSTREAM" >/dev/null 2>&1; }

from_docker_hub() {
  is_here "$UPSTREAM" || docker pull --quiet "$UPSTREAM" >/dev/null
  docker tag "$UPSTREAM" "$TAG"
}

need_mmdebstrap() {
  [ "$(id -u)" = 0 ] || give_up "Docker Hub does not answer, and only root can make an image from Debian packages. Run:" "    sudo $0 $TAG"
  command -v mmdebstrap >/dev/null && return
  command -v apt-get >/dev/null || give_up "Docker Hub does not answer, and there is no apt-get to make an image from Debian packages."
  say "installing mmdebstrap"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap debian-archive-keyring >/dev/null
}

write_hook() {
  cat >"$1" <<HOOK
#!/bin/sh
set -e; cd "\$1"
mkdir -p -m 1777 tmp var/tmp
mkdir -p root proc sys dev run home mnt etc/ssl/certs usr/local/bin usr/local/lib/python3.11/dist-packages
{ printf 'root:x:0:0:root:/root:/bin/sh\n'; grep -v ^root: usr/share/base-passwd/passwd.master; } > etc/passwd
cp usr/share/base-passwd/group.master etc/group
ln -sf python3.11 usr/bin/python3
[ -e bin/sh ] || ln -s dash bin/sh
for tool in $TOOLS; do [ -e bin/\$tool ] || [ -e usr/bin/\$tool ] || ln -s busybox bin/\$tool; done
find usr/share/ca-certificates -name '*.crt' -exec cat {} + > etc/ssl/certs/ca-certificates.crt
rm -rf usr/share/doc usr/share/man usr/share/locale var/cache/apt var/lib/apt/lists/* var/lib/dpkg/info
HOOK
  chmod +x "$1"
}

bootstrap() {  # TAR HOOK: from the sources of this machine where it is Debian 12, else from mmdebstrap's own default
  local options=(--quiet --variant=extract --mode=root --include="$PACKAGES" --extract-hook="$2"
    --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"')
  local sources=/etc/apt/sources.list.d/debian.sources
  [ -f "$sources" ] || sources=/etc/apt/sources.list
  if (. /etc/os-release && [ "${VERSION_CODENAME:-}" = bookworm ]) && [ -f "$sources" ]; then
    mmdebstrap "${options[@]}" bookworm "$1" - <"$sources"
  else
    mmdebstrap "${options[@]}" bookworm "$1"
  fi
}

from_debian_packages() {
  need_mmdebstrap
  WORK=$(mktemp -d)
  trap 'rm -rf "$WORK"' EXIT
  write_hook "$WORK/hook"
  bootstrap "$WORK/root.tar" "$WORK/hook"
  docker import --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV LANG=C.UTF-8' --change 'CMD ["python3"]' "$WORK/root.tar" "$TAG" >/dev/null
}

if is_here "$TAG"; then say "$TAG is there"; exit 0; fi
docker version >/dev/null 2>&1 || give_up "no container engine answers. Run scripts/ensure-engine.sh first."
if is_here "$UPSTREAM" || hub_answers; then
  say "making $TAG from $UPSTREAM"
  from_docker_hub
else
  say "Docker Hub does not answer: making $TAG from Debian packages"
  from_debian_packages
fi
say "$TAG is $(docker run --rm --network none "$TAG" python3 --version)"
