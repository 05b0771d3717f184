#!/usr/bin/env bash
# Make a container engine answer, or say the one command that makes one. Doing it twice does nothing twice.
#
#   an engine answers (Docker Desktop, DOCKER_HOST, a remote one)  ->  nothing to do
#   root, none answers                                             ->  install Debian's or Ubuntu's docker.io and start it
#   not root, none answers                                         ->  print the command for an administrator, exit 3
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LOG=/var/log/medperf-git-dockerd.log
WAIT_SECONDS=20

server_version() { timeout 10 docker version --format '{{.Server.Version}}' 2>/dev/null; }
say() { printf 'engine: %s\n' "$*"; }
give_up() { { printf 'engine: '; printf '%s\n' "$@"; } >&2; exit 3; }

finish_if_it_answers() {
  local version
  if version=$(server_version) && [ -n "$version" ]; then
    say "$version answers${DOCKER_HOST:+ at $DOCKER_HOST}$1"
    exit 0
  fi
}

explain_to_a_user() {
  if [ "$(uname -s)" != Linux ]; then
    give_up "none answers. Start Docker Desktop (or another engine that speaks the Docker API), then repeat."
  fi
  if [ -S /var/run/docker.sock ] && [ ! -w /var/run/docker.sock ]; then
    give_up "one is here, but this user may not talk to it. Run this, log out and in, and repeat:" \
            "    sudo usermod -aG docker $(id -un)"
  fi
  give_up "none answers, and only root can install one. Run this, and repeat:" \
          "    sudo $HERE/ensure-engine.sh && sudo usermod -aG docker $(id -un)" \
          "then log out and in, so that the new group counts."
}

install_packages() {
  if command -v dockerd >/dev/null && command -v docker >/dev/null; then return; fi
  command -v apt-get >/dev/null || give_up "no apt-get here: install a Docker engine with your package manager, then repeat."
  say "installing docker.io"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends docker.io iptables ca-certificates >/dev/null
  # From Debian 13 on the client is a package of its own.
  command -v docker >/dev/null || apt-get install -y -qq --no-install-recommends docker-cli >/dev/null
}

start_by_hand() {  # arguments for dockerd; returns 1 when it died or never answered
  (setsid nohup dockerd "$@" </dev/null >>"$LOG" 2>&1 & echo $! >/run/medperf-git-dockerd.pid) 9>&-
  local pid
  pid=$(cat /run/medperf-git-dockerd.pid)
  for _ in $(seq $((WAIT_SECONDS * 5))); do
    finish_if_it_answers ", started by hand${1:+ with $*}; its log is $LOG"
    kill -0 "$pid" 2>/dev/null || return 1
    sleep 0.2
  done
  kill "$pid" 2>/dev/null || true
  sleep 1
  return 1
}

start() {
  if [ -d /run/systemd/system ]; then
    systemctl enable --now docker >/dev/null 2>&1 || give_up "systemctl could not start docker; see: journalctl -u docker"
    for _ in $(seq $((WAIT_SECONDS * 5))); do finish_if_it_answers ", started by systemd"; sleep 0.2; done
    give_up "docker was started and does not answer; see: journalctl -u docker"
  fi
  for _ in 1 2 3 4 5; do finish_if_it_answers ""; sleep 0.2; done  # the package may have started it
  # A kernel or a name space without netfilter cannot make a bridge; containers that have no network do not need one.
  start_by_hand || start_by_hand --iptables=false || start_by_hand --iptables=false --bridge=none || true
  tail -n 5 "$LOG" >&2 || true
  give_up "dockerd does not stay up; the whole log is $LOG"
}

finish_if_it_answers ""
[ -z "${DOCKER_HOST:-}" ] || give_up "DOCKER_HOST is $DOCKER_HOST, and nothing answers there. Start that engine, or unset DOCKER_HOST."
[ "$(id -u)" = 0 ] || explain_to_a_user
[ "$(uname -s)" = Linux ] || explain_to_a_user
exec 9>/run/medperf-git-engine.lock
flock 9
finish_if_it_answers ""
install_packages
start
