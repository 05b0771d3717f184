"""Stopping a container that has ended meanwhile is no trouble, however its engine says so."""

from typing import Any

import pytest
import requests
from docker.errors import APIError

from medperf_git.errors import EnvironmentProblem
from medperf_git.runner.engines.step import Running


class Api:
    """Answers as engines do: `status` to a kill (Docker 409, Podman 500 for what has ended), then what it inspects."""

    def __init__(self, status: int, *, running: bool) -> None:
        self.status, self.running = status, running

    def kill(self, container: str, signal: str) -> None:
        response = requests.Response()
        response.status_code = self.status
        raise APIError(f"{signal} of {container}", response=response, explanation="can only kill running containers")

    def inspect_container(self, container: str) -> dict[str, Any]:
        return {"Id": container, "State": {"Running": self.running}}


def stop(api: Api) -> None:
    Running(api, "0" * 64, answers=lambda: True, disk=None).kill()


@pytest.mark.parametrize("status", [409, 500])
def test_what_has_ended_meanwhile_needs_no_stopping(status: int) -> None:
    stop(Api(status, running=False))


def test_what_still_runs_and_is_not_stopped_is_said() -> None:
    with pytest.raises(EnvironmentProblem, match="would not stop a container"):
        stop(Api(500, running=True))
