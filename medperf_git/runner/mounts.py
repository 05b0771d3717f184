"""Refuse mounts that no engine should make; which those are says `records.mounts`, for the judge as well."""

from collections.abc import Sequence

from medperf_git.errors import Refused
from medperf_git.records.mounts import mount_fault


def check_mounts(mounts: Sequence[tuple[str, str]]) -> None:
    """Raise Refused unless every (mount key, path inside) can be mounted beside the others."""
    if fault := mount_fault(mounts):
        raise Refused(fault, hint="ask the container's owner for another mount path")
