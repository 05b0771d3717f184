#!/usr/bin/env bash
# Make Podman's Docker-compatible service answer, as root or as an ordinary user, with the base image of the tests in it.
#
#   scripts/ensure-podman.sh root        the system's service:  unix:///run/podman/podman.sock
#   scripts/ensure-podman.sh rootless    a user's own service:  unix:///run/user/UID/podman/podman.sock; root asks for
#                                        it on behalf of the user medperf-git-podman, who is made when missing
#
# The last line printed is CONTAINER_HOST=ADDRESS (and for rootless before it PODMAN_USER=NAME). Twice does nothing twice.
# To stop a service that was started by hand: kill -- -PID, the number in the file podman.pid beside the socket.
set -euo pipefail

MODE=${1:-root}
BASE=medperf-git/base:latest
SERVICE_USER=medperf-git-podman
say() { printf 'podman: %s\n' "$*"; }
give_up() { { printf 'podman: '; printf '%s\n' "$@"; } >&2; exit 3; }

install_packages() {
  local missing=()
  command -v podman >/dev/null || missing+=(podman)
  command -v newuidmap >/dev/null || missing+=(uidmap)
  command -v slirp4netns >/dev/null || missing+=(slirp4netns)
  command -v fuse-overlayfs >/dev/null || missing+=(fuse-overlayfs)
  command -v runc >/dev/null || command -v crun >/dev/null || missing+=(runc)
  [ "${#missing[@]}" -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    give_up "not here: ${missing[*]}. Install them with your package manager (sudo apt-get install -y ${missing[*]}), then repeat."
  fi
  say "installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

configuration() {  # FILE: what a machine without the right to raise limits needs; on others it changes nothing that counts
  mkdir -p "$(dirname "$1")"
  local runtime=runc
  command -v runc >/dev/null || runtime=crun
  printf '[containers]\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\n[engine]\nruntime = "%s"\n' "$runtime" >"$1"
  [ -d /run/systemd/system ] || printf 'cgroup_manager = "cgroupfs"\nevents_logger = "file"\n' >>"$1"
}

# The tests' own image registry speaks without TLS, which Podman allows by its configuration only.
TEST_REGISTRY=127.0.0.1:${MEDPERF_GIT_TEST_REGISTRY_PORT:-5055}
registries() {  # FILE
  printf 'unqualified-search-registries = ["docker.io"]\n[[registry]]\nlocation = "%s"\ninsecure = true\n' "$TEST_REGISTRY" >"$1"
}

as_user() {  # COMMAND…: with the user's own runtime folder, as a login would have set it
  local uid home
  uid=$(id -u "$SERVICE_USER"); home=$(getent passwd "$SERVICE_USER" | cut -d: -f6)
  (cd / && exec setpriv --reuid="$uid" --regid="$(id -g "$SERVICE_USER")" --init-groups --reset-env \
    env HOME="$home" USER="$SERVICE_USER" XDG_RUNTIME_DIR="/run/user/$uid" CONTAINERS_CONF="$home/.config/containers/containers.conf" \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@")
}

make_user() {
  id -u "$SERVICE_USER" >/dev/null 2>&1 || useradd --create-home --shell /bin/sh "$SERVICE_USER"
  grep -q "^$SERVICE_USER:" /etc/subuid 2>/dev/null || usermod --add-subuids 300000-365535 --add-subgids 300000-365535 "$SERVICE_USER"
  local uid home
  uid=$(id -u "$SERVICE_USER"); home=$(getent passwd "$SERVICE_USER" | cut -d: -f6)
  install -d -m 0700 -o "$uid" -g "$(id -g "$SERVICE_USER")" "/run/user/$uid"
  configuration "$home/.config/containers/containers.conf"
  registries "$home/.config/containers/registries.conf"
  # Without a word about it Podman 4 copies every layer of every image (vfs) for a user who never started it before.
  [ -e "$home/.config/containers/storage.conf" ] || printf '[storage]\ndriver = "overlay"\n' >"$home/.config/containers/storage.conf"
  chown -R "$SERVICE_USER:" "$home/.config"
}

answers() { curl -fsS --max-time 5 --unix-socket "$1" http://podman/_ping >/dev/null 2>&1; }

await() {  # SOCKET LOG
  for _ in $(seq 100); do
    if answers "$1"; then return 0; fi
    sleep 0.1
  done
  tail -n 5 "$2" >&2 || true
  give_up "its service does not answer at $1; the whole log is $2"
}

base_image() {  # podman COMMAND…: the base image, from Docker when Docker has it
  "$@" image exists "$BASE" && return 0
  docker image inspect "$BASE" >/dev/null 2>&1 || give_up "there is no $BASE to take over. Run scripts/base-image.sh first."
  docker save "$BASE" | "$@" load -q >/dev/null
}

root() {
  [ "$(id -u)" = 0 ] || give_up "only root can start the system's service. Run: sudo $0 root"
  local socket=/run/podman/podman.sock log=/var/log/medperf-git-podman.log conf=/run/podman/medperf-git.conf
  mkdir -p /run/podman
  configuration "$conf"
  registries /run/podman/medperf-git-registries.conf
  if ! answers "$socket"; then
    # From a folder of its own: its monitor writes a file `oom` where it was started.
    (
      cd /run/podman
      export CONTAINERS_CONF=$conf CONTAINERS_REGISTRIES_CONF=/run/podman/medperf-git-registries.conf
      setsid nohup podman system service --time=0 "unix://$socket" </dev/null >>"$log" 2>&1 &
      echo $! >podman.pid  # the service alone goes on: a shell that waited for it would keep the caller's pipe open
    )
    await "$socket" "$log"
    say "its service was started by hand; its log is $log"
  fi
  base_image env CONTAINERS_CONF="$conf" podman
  echo "CONTAINER_HOST=unix://$socket"
}

rootless_by_root() {
  make_user
  local folder socket log
  folder=/run/user/$(id -u "$SERVICE_USER")/podman; socket=$folder/podman.sock; log=$folder/service.log
  as_user mkdir -p "$folder"
  if ! answers "$socket"; then
    as_user sh -c "setsid nohup podman system service --time=0 unix://$socket </dev/null >>$log 2>&1 & echo \$! >$folder/podman.pid"
    await "$socket" "$log"
    say "the service of $SERVICE_USER was started by hand; its log is $log"
  fi
  base_image as_user podman
  echo "PODMAN_USER=$SERVICE_USER"
  echo "CONTAINER_HOST=unix://$socket"
}

rootless_by_user() {
  local folder=${XDG_RUNTIME_DIR:?a login sets it}/podman
  local socket=$folder/podman.sock log=$folder/service.log
  mkdir -p "$folder"
  if ! answers "$socket"; then
    (setsid nohup podman system service --time=0 "unix://$socket" </dev/null >>"$log" 2>&1 & echo $! >"$folder/podman.pid")
    await "$socket" "$log"
  fi
  base_image podman
  echo "PODMAN_USER=$(id -un)"
  echo "CONTAINER_HOST=unix://$socket"
}

install_packages
case "$MODE" in
  root) root ;;
  rootless) if [ "$(id -u)" = 0 ]; then rootless_by_root; else rootless_by_user; fi ;;
  *) give_up "say root or rootless, not $MODE" ;;
esac
