"""Look at the settings of a forge that protect main: what is missing, and where a person sets it.

GitHub, GitLab, Forgejo and Pagure are asked through their documented REST interfaces, with the token that all commands
use there. A setting that no interface tells, or that this token may not see, is listed as unknown with the place to
look; it is never said to be fine.

examine_forge("https://github.com/ana/heart", Host.GITHUB, environ=os.environ)
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from medperf_git.errors import UsageProblem
from medperf_git.flows import house_forgejo, house_github, house_gitlab, house_pagure
from medperf_git.flows.house_examined import Examined
from medperf_git.flows.house_rest import Ask, rest
from medperf_git.flows.house_setting import Facts, Setting, Table
from medperf_git.forge.browser import web_page
from medperf_git.forge.credentials import KEPT, VARIABLE, find_token
from medperf_git.forge.host import Host, api_of
from medperf_git.registry.remotes import Remote

TABLES: dict[Host, Table] = {
    table.host: table for table in (house_github.TABLE, house_gitlab.TABLE, house_forgejo.TABLE, house_pagure.TABLE)
}
SETTINGS: dict[Host, tuple[Setting, ...]] = {host: table.settings for host, table in TABLES.items()}


def examine_forge(
    url: str, host: Host, *, environ: Mapping[str, str], api: str | None = None, ask: Ask = rest
) -> list[Examined]:
    """Look at every setting; without a token each is listed as unknown, with the place to look."""
    table = TABLES[host]
    page = web_page(url)
    slug = urlsplit(page).path.strip("/")
    if not slug:
        raise UsageProblem("this address names no repository", hint="give https://HOST/OWNER/NAME")
    token = find_token(Remote.parse(url), host, environ)
    if token is None:
        places = ", ".join((VARIABLE, *(one.name for one in KEPT[host].variables)))
        told = f"not looked at: no token for this host in {places} or where Git keeps them"
        return [Examined("unknown", one.what, told, _remedy(one, page)) for one in table.settings]
    base = api or api_of(host, page)
    names = {"slug": quote(slug, safe="/"), "quoted": quote(slug, safe="")}
    facts: dict[str, Any] = {}
    for name, path in table.questions.items():
        status, value = ask(base + path.format(**names), host=host, token=token.secret)
        if status == 200:
            facts[name] = value
        elif status == 404 and not _hidden(host, name, facts):
            facts[name] = None
    if facts.get("repository") is None:
        hint = "check the address, and that the token may read this repository"
        raise UsageProblem(f"{host} shows no repository {slug} to this token", hint=hint)
    return [_examined(setting, facts, page) for setting in table.settings]


def _hidden(host: Host, name: str, facts: Facts) -> bool:
    """Tell whether a 404 may hide what is there: GitHub answers so about protection to all but administrators."""
    rights = (facts.get("repository") or {}).get("permissions") or {}
    return host is Host.GITHUB and name == "protection" and rights.get("admin") is not True


def _examined(setting: Setting, facts: Facts, page: str) -> Examined:
    holds = setting.holds(facts)
    if holds is None:
        return Examined("unknown", setting.what, "this token may not see it", _remedy(setting, page))
    if holds:
        return Examined("ok", setting.what, "as it should be")
    return Examined("fail", setting.what, f"missing: {setting.why}", _remedy(setting, page))


def _remedy(setting: Setting, page: str) -> str:
    return setting.where.format(page=page)
