#!/bin/sh
# Run one of Pagure's own two SSH helpers, with the surroundings that sshd takes away.
export PAGURE_CONFIG=/etc/pagure/pagure.cfg PYTHONWARNINGS=ignore HOME=/srv/pagure REQUESTS_CA_BUNDLE=/srv/host.pem
helper=$1
shift
exec python3 -W ignore "/usr/share/pagure/$helper" "$@"
