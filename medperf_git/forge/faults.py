"""What went wrong at a forge, in words, and what to do about it: one table for every call and every kind of forge."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from medperf_git.errors import EnvironmentProblem
from medperf_git.forge.api import Cause, Fault
from medperf_git.forge.host import Host

_WAY_OUT = "or open it by hand, without a token: {page}"
_NEW_TOKEN = {
    Host.GITHUB: "https://{name}/settings/tokens, a classic one with the scope `public_repo` (if private: `repo`)",
    Host.GITLAB: "https://{name}/-/user_settings/personal_access_tokens, with the scope `api`",
    Host.FORGEJO: "https://{name}/user/settings/applications, with `write:repository` and `write:issue`",
    Host.PAGURE: (
        "https://{name}/settings#nav-api-tab, with `commit`, `fork_project`, `pull_request_create` and "
        "`pull_request_update` (a maintainer: on the registry's own page, Settings, API Keys, with all rights)"
    ),
}
_FINE_GRAINED = "Resource not accessible by personal access token"


class ForgeProblem(EnvironmentProblem):
    """A forge that did not do what was asked; `status` is its answer's, 0 where there was none."""

    def __init__(self, message: str, *, hint: str, status: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.status = status


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Whom we ask: kind of forge, its name, where the token came from, the page on which a person can do the same."""

    host: Host
    name: str
    token_from: str = ""
    page: str = ""


def problem_of(fault: Fault, what: str, where: Surroundings) -> ForgeProblem:
    """Return what to tell a person about a call that failed for good."""
    told, hint = _words(fault, where)
    said = f" ({fault.said})" if fault.said and fault.said not in told else ""
    return ForgeProblem(f"cannot {what}: {where.name} {told}{said}", hint=hint, status=fault.status)


def _words(fault: Fault, where: Surroundings) -> tuple[str, str]:
    if fault.cause is Cause.STATUS:
        return _status(fault, where)
    again = "nothing is lost; run the same command again, or `medperf-git submit` later"
    return {
        Cause.TIMEOUT: ("does not answer in time", f"check the network and any proxy; {again}"),
        Cause.UNREACHABLE: (
            "cannot be reached",
            f"check the network, the address and any proxy (HTTPS_PROXY); {again}",
        ),
        Cause.TLS: (
            "shows a certificate that is not trusted here",
            "has your house its own authority? Then set SSL_CERT_FILE to its certificate; never go past this otherwise",
        ),
        Cause.PROXY: (
            "is behind a proxy that refused us",
            "check HTTPS_PROXY and what your house's proxy lets through",
        ),
        Cause.REDIRECT: (
            "sends us to another address, and a token does not follow",
            "a moved registry is added anew under its new address: medperf-git registry add URL",
        ),
        Cause.GARBLED: (
            "gave an answer that is broken or no answer of such a forge",
            f"a proxy or a page to log in may stand between; {again}",
        ),
    }[fault.cause]


def _status(fault: Fault, where: Surroundings) -> tuple[str, str]:
    by_hand = f"; {_WAY_OUT.format(page=where.page)}" if where.page else ""
    match fault.status:
        case 401:
            return f"does not accept the token{_from(where)}: it is wrong or has expired", _renew(where) + by_hand
        case 403:
            return _forbidden(fault, where, by_hand)
        case 404 | 410:
            hint = "check the address; a private registry needs a token that may see it"
            return "shows no such thing to us", f"{hint}: {_renew(where)}{by_hand}"
        case 405:
            return "does not allow that here", f"its settings or rights forbid it; ask a maintainer{by_hand}"
        case 409:
            return (
                "says that it has changed meanwhile",
                "run `medperf-git submit --resume`: it looks at the state of now",
            )
        case 400 | 422:
            return "does not accept what we asked", f"`medperf-git doctor forge` looks at its settings{by_hand}"
        case 423:
            return "has locked this", f"ask a maintainer{by_hand}"
        case 429:
            return "has had too many requests from us", _later(fault)
        case status if status >= 500:
            hint = "nothing is lost; run the same command again later"
            return f"has trouble of its own ({status})", f"{hint}{by_hand}"
        case status:
            return f"answered {status}", f"look at its page{by_hand}"


def _forbidden(fault: Fault, where: Surroundings, by_hand: str) -> tuple[str, str]:
    if fault.headers.get("retry-after") or fault.headers.get("x-ratelimit-remaining") == "0":
        return "has had too many requests from us", _later(fault)
    if sso := fault.headers.get("x-github-sso", ""):
        link = re.search(rf"url=(https://{re.escape(where.name)}/[^\s;,]+)", sso)
        at = link.group(1) if link else f"https://{where.name}/settings/tokens"
        return "wants this token authorised for single sign-on", f"open {at}, authorise the token, run it again"
    if _FINE_GRAINED in fault.said:
        hint = f"a fine-grained token cannot open pull requests in somebody else's repository: {_renew(where)}{by_hand}"
        return f"does not let this token{_from(where)} do that", hint
    needs, has = fault.headers.get("x-accepted-oauth-scopes", ""), fault.headers.get("x-oauth-scopes")
    if (needs and has is not None) or "insufficient_scope" in fault.headers.get("www-authenticate", ""):
        scope = f" (it has {has or 'none'}, one of {needs} is needed)" if needs else ""
        return f"says that the token{_from(where)} lacks a scope{scope}", _renew(where) + by_hand
    return (
        f"does not let the token{_from(where)} do that",
        f"your account or token lacks the right; {_renew(where)}{by_hand}",
    )


def _later(fault: Fault) -> str:
    if (wait := fault.headers.get("retry-after", "")).isdigit():
        return f"wait {wait} seconds and run the same command again; nothing is lost"
    if (reset := fault.headers.get("x-ratelimit-reset", "")).isdigit() and len(reset) <= 11:
        at = datetime.fromtimestamp(int(reset), UTC).strftime("%H:%M UTC")
        return f"it takes requests again at {at}; run the same command then, nothing is lost"
    return "wait some minutes and run the same command again; nothing is lost"


def _from(where: Surroundings) -> str:
    return f" from {where.token_from}" if where.token_from else ""


def _renew(where: Surroundings) -> str:
    place = _NEW_TOKEN.get(where.host, "the forge's page of settings").format(name=where.name)
    return f"make a token at {place}, and put it into MEDPERF_GIT_TOKEN"
