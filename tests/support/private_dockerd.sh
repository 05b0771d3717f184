#!/usr/bin/env bash
# A throw-away dockerd for tests that stop it: own network name space, own data and containerd.
#
#   private_dockerd.sh DIR      then DOCKER_HOST=unix://DIR/d.sock; stop it: kill $(cat DIR/pid)
#
# Never start a second dockerd with --bridge=none in the host's network name space: it deletes the first one's docker0.
set -euo pipefail
DIR=$(realpath -m "$1")
mkdir -p "$DIR"
NAME=mg$(printf '%s' "$DIR" | cksum | cut -d' ' -f1)
setsid unshare -n -- sh -c "ip link set lo up 2>/dev/null; exec dockerd --host unix://$DIR/d.sock --data-root $DIR/data \
  --exec-root $DIR/exec --pidfile $DIR/pid --bridge=none --iptables=false --ip-masq=false \
  --containerd-namespace $NAME --containerd-plugins-namespace $NAME-plugins" </dev/null >"$DIR/log" 2>&1 &
for _ in $(seq 150); do
  DOCKER_HOST=unix://$DIR/d.sock docker version >/dev/null 2>&1 && exit 0
  sleep 0.1
done
tail -n 3 "$DIR/log" >&2
exit 1
