"""Make the tables, and accounts with passwords, SSH keys and API keys as the tests ask. It runs inside the forge."""

import datetime
import json
import sys
from pathlib import Path

import bcrypt
from pagure.config import config
from pagure.lib import model, model_base, query

for name in ("repositories", "remotes", "attachments", "releases", "archive"):
    Path("/srv/pagure", name).mkdir(exist_ok=True)
model.create_tables(config["DB_URL"], acls=config["ACLS"], debug=False)
session = model_base.create_session(config["DB_URL"])
expires = datetime.datetime.utcnow() + datetime.timedelta(days=30)
for account in json.load(sys.stdin)["accounts"]:
    name, address = account["name"], f"{account['name']}@example.org"
    user = model.User(
        user=name,
        fullname=account["title"],
        password="$2$" + bcrypt.hashpw(account["password"].encode(), bcrypt.gensalt(4)).decode(),  # every push asks it
        default_email=address,
        token=None,
    )
    session.add(user)
    session.flush()
    session.add(model.UserEmail(user_id=user.id, email=address))
    # What a person may tick on the page "API keys" of their own account; the rest belongs to keys of one project.
    session.add(model.Token(id=account["token"], user_id=user.id, project_id=None, expiration=expires))
    session.flush()
    for acl in session.query(model.ACL).filter(model.ACL.name.in_(config["CROSS_PROJECT_ACLS"])):
        session.add(model.TokenAcl(token_id=account["token"], acl_id=acl.id))
    if account["ssh_key"]:
        query.add_sshkey_to_project_or_user(session, account["ssh_key"], pushaccess=True, creator=user, user=user)
    session.commit()
