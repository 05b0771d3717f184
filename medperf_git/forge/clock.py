"""What time it is at a host, to tell a person whose machine's clock is wrong: signatures and certificates carry times.

It is only told, never judged by: whoever answers may say any time.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from medperf_git.errors import EnvironmentProblem
from medperf_git.forge.api import Fault
from medperf_git.forge.guard import in_time
from medperf_git.registry.remotes import Remote, Transport

SECONDS = 5.0


def read_clock(url: str, environ: Mapping[str, str]) -> datetime | None:
    """Return the time that the host of an https address says (RFC 9110, Date), None where it says none.

    One question without a token, for the address of the host alone; any answer will do, a refusal too.
    """
    if Remote.parse(url).transport is not Transport.HTTPS:
        return None
    from medperf_git.forge.http import open_session  # noqa: PLC0415  (only before something is sent)

    try:
        session = open_session(environ)
        headers = in_time(lambda: session.look(f"https://{urlsplit(url).netloc}/"), SECONDS)
        return parsedate_to_datetime(headers.get("date", "")).astimezone(UTC)
    except (Fault, EnvironmentProblem, ValueError, OverflowError):
        return None
