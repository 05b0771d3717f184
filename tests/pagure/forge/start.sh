#!/bin/sh
# Run the forge: accounts, the queue, the workers, the SSH door, the web. /srv/place.json says where it is reached.
set -e
umask 022
chown root:root /srv/*.sh && chmod 755 /srv/ssh-door.sh
export PAGURE_CONFIG=/etc/pagure/pagure.cfg PYTHONWARNINGS=ignore HOME=/srv/pagure REQUESTS_CA_BUNDLE=/srv/host.pem
while [ ! -f /srv/ready ]; do sleep 0.05; done
mkdir -p /srv/pagure /run/sshd && chown git:git /srv/pagure && chown git /srv/host.key && cd /srv/pagure
as_git() { setpriv --reuid=git --regid=git --clear-groups "$@"; }
for pair in user.name=pagure user.email=pagure@example.org; do
  as_git git config --global "${pair%%=*}" "${pair#*=}"
done
as_git redis-server --port 6399 --bind 127.0.0.1 --save '' --daemonize yes >/dev/null
as_git python3 -W ignore /srv/accounts.py </srv/place.json
as_git celery -A pagure.lib.tasks worker --loglevel=ERROR -n worker -c 2 &
ssh-keygen -q -t ed25519 -N '' -f /srv/ssh_host_key
cat >/srv/sshd_config <<CONFIG
Port 2222
HostKey /srv/ssh_host_key
AuthorizedKeysCommand /srv/ssh-door.sh keyhelper.py "%u" "%h" "%t" "%f"
AuthorizedKeysCommandUser git
AuthorizedKeysFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PermitRootLogin no
CONFIG
/usr/sbin/sshd -f /srv/sshd_config -E /srv/sshd.log
exec setpriv --reuid=git --regid=git --clear-groups gunicorn -b "0.0.0.0:$(cat /srv/port)" -w 2 --threads 4 \
  --certfile /srv/host.pem --keyfile /srv/host.key 'pagure.flask_app:create_app()'
