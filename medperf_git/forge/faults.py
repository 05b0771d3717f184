"""What went wrong at a forge, in words, and what to do about it: one table for every call and every kind of forge."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from medperf_git.errors import EnvironmentProblem
from medperf_git.forge.api import Cause, Fault
from medperf_git.forge.host import Host
from medperf_git.records.text import is_refused

_WAY_OUT = "or open it by hand, without a token: {page}"
_NEW_TOKEN = {
    Host.GITHUB: "https://{name}/settings/tokens, classic, with `public_repo` (if private: `repo`) and `workflow`",
    Host.GITLAB: "https://{name}/-/user_settings/personal_access_tokens, with the scope `api`",
    Host.FORGEJO: "https://{name}/user/settings/applications, with `write:repository`, `write:issue`, `read:user`",
    Host.PAGURE: (
        "https://{name}/settings#nav-api-tab, with `commit`, `fork_project`, `pull_request_create` and "
        "`pull_request_update` (a maintainer: on the registry's own page, Settings, API Keys, with all rights)"
    ),
}
_AGAIN = "nothing is lost; run the same command again, or `medperf-git submit` later"
_TRUST = (
    "nothing is said to such a host. Has your house its own authority? Then set SSL_CERT_FILE to its certificate; "
    "is this machine's clock right? Never go past this otherwise"
)
_PROXY = (
    "check HTTPS_PROXY (http://NAME:PASSWORD@proxy:port where it wants a name) and NO_PROXY, and ask your house which "
    "hosts its proxy lets through; nothing is lost"
)
# What is said of a call that got no answer of a forge: what happened, and what to do about it.
_WITHOUT_STATUS = {
    Cause.TIMEOUT: ("does not answer in time", f"check the network and any proxy; {_AGAIN}"),
    Cause.UNREACHABLE: ("cannot be reached", f"check the network, the address and any proxy (HTTPS_PROXY); {_AGAIN}"),
    Cause.TLS: ("shows a certificate that is not trusted here", _TRUST),
    Cause.PROXY: ("is behind a proxy that does not let us through", _PROXY),
    Cause.REDIRECT: (
        "sends us to another address, and a token does not follow",
        "a moved registry is added anew under its new address: medperf-git registry add URL",
    ),
    Cause.GARBLED: (
        "gave an answer that is broken or no answer of such a forge",
        f"a proxy or a page to log in may stand between; {_AGAIN}",
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
    """Whom we ask: kind of forge, its name, where the token came from, the page on which a person can do the same.

    `secret` is the token, so that no sentence ever repeats it, whatever a forge says.
    """

    host: Host
    name: str
    token_from: str = ""
    page: str = ""
    secret: str = field(default="", repr=False)


def problem_of(fault: Fault, what: str, where: Surroundings) -> ForgeProblem:
    """Return what to tell a person about a call that failed for good."""
    told, hint = _words(fault, where)
    said = f" ({fault.said})" if fault.said and fault.said not in told else ""
    message = f"cannot {what}: {where.name} {told}{said}"
    return ForgeProblem(harmless(message, where), hint=harmless(hint, where), status=fault.status)


def harmless(text: str, where: Surroundings) -> str:
    """Return a text on one line, without the token and without what a terminal would act upon or be misled by."""
    shown = text.replace(where.secret, "***") if where.secret else text
    return "".join(char for char in shown if char not in "\n\t" and not is_refused(char))


def wait_asked(fault: Fault) -> int | None:
    """Return how many seconds the forge asks us to wait (RFC 9110, Retry-After); None where it does not."""
    return _number(fault, "retry-after")


def reset_time(fault: Fault) -> int | None:
    """Return when a limit that is used up begins anew, in seconds since 1970; None where nothing says so.

    GitHub and Gitea write `X-RateLimit-…`, GitLab writes `RateLimit-…`; both give a time of day.
    """
    for prefix in ("x-ratelimit-", "ratelimit-"):
        if _number(fault, f"{prefix}remaining") == 0 and (at := _number(fault, f"{prefix}reset")) is not None:
            return at
    return None


def is_limit(fault: Fault) -> bool:
    """Tell whether a forge says that we ask too often."""
    if fault.status not in (403, 429):
        return False
    used_up = "0" in (fault.headers.get("x-ratelimit-remaining"), fault.headers.get("ratelimit-remaining"))
    return fault.status == 429 or used_up or wait_asked(fault) is not None


def _number(fault: Fault, name: str) -> int | None:
    said = fault.headers.get(name, "").strip()
    return int(said) if said.isascii() and said.isdigit() and len(said) <= 11 else None


def _words(fault: Fault, where: Surroundings) -> tuple[str, str]:
    if fault.cause is Cause.STATUS:
        return _status(fault, where)
    return _WITHOUT_STATUS[fault.cause]


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
        case 425:
            hint = "it looks for conflicts, or waits for a check; run `medperf-git merge` in some minutes"
            return "does not take it for ready yet", f"{hint}{by_hand}"
        case 429:
            return "has had too many requests from us", _later(fault)
        case status if status >= 500:
            return f"has trouble of its own ({status})", f"{_later(fault)}{by_hand}"
        case status:
            return f"answered {status}", f"look at its page{by_hand}"


def _forbidden(fault: Fault, where: Surroundings, by_hand: str) -> tuple[str, str]:
    if is_limit(fault):
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
    if (wait := wait_asked(fault)) is not None:
        return f"nothing is lost; wait {wait} seconds and run the same command again"
    if (reset := reset_time(fault)) is not None:
        at = datetime.fromtimestamp(reset, UTC).strftime("%H:%M UTC")
        return f"nothing is lost; it takes requests again at {at}, run the same command then"
    return "nothing is lost; wait some minutes and run the same command again"


def _from(where: Surroundings) -> str:
    return f" from {where.token_from}" if where.token_from else ""


def _renew(where: Surroundings) -> str:
    place = _NEW_TOKEN.get(where.host, "the forge's page of settings").format(name=where.name)
    return f"make a token at {place}, and put it into MEDPERF_GIT_TOKEN"
