"""Docker, and Podman through the same API.

Containers are created, attached to, started: no line of output is lost. They run by image id, without the engine's
own log, and are removed however the step ends. What a killed client left is found by its labels (`reap`).
"""

import contextlib
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.utils import kwargs_from_env

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, Refused
from medperf_git.records.digests import Digest
from medperf_git.runner.engine import (
    GIB,
    MIB,
    Ended,
    EngineInfo,
    ImageUnavailable,
    Limits,
    NotStarted,
    Profile,
    StepResult,
    StepSpec,
    User,
    WantedImage,
)
from medperf_git.runner.engines import archive, probe
from medperf_git.runner.engines.answers import consume, engine_info, manifest_of, podman_address, repository_of
from medperf_git.runner.engines.sandbox import container_body
from medperf_git.runner.owners import OWNER, boot_id, is_orphan, labels_of_this_client
from medperf_git.runner.shown import shortened
from medperf_git.runner.supervise import follow
from medperf_git.runner.watch import memory_in_use

_NOBODY = 65534
_BROKEN = (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError)
_KILLED_CODES = (137, 143)


class DockerEngine:
    """One connection to an engine that speaks the Docker API; safe to use from several threads."""

    def __init__(self, again: Callable[..., Any], name: str) -> None:
        self._again = again
        self._api = again()
        self._name = name
        self._images: dict[str, dict[str, Any]] = {}
        self._info: EngineInfo | None = None

    @classmethod
    def connect(cls, name: str = "docker", *, address: str = "") -> Self:
        """Connect to the engine at `address`, or where the environment says; EnvironmentProblem when none answers."""
        address = address or (podman_address() if name == "podman" else os.environ.get("DOCKER_HOST", ""))
        try:
            options = kwargs_from_env() | ({"base_url": address} if address else {})
            return cls(partial(docker.APIClient, version="auto", timeout=120, max_pool_size=64, **options), name)
        except _BROKEN as error:
            raise EnvironmentProblem(
                f"no container engine answers{f' at {address}' if address else ''}: {error}",
                hint="start Docker (or set DOCKER_HOST), then see: medperf-git doctor",
            ) from error

    def close(self) -> None:
        """Let go of the connection."""
        self._api.close()

    def info(self) -> EngineInfo:
        """Say what the engine is, asking once."""
        if self._info is None:
            with _speaking("ask the engine what it is"):
                self._info = engine_info(self._name, self._api.info(), self._api.version())
        return self._info

    def user(self, profile: Profile) -> User:
        """Say which user a container of that profile runs as."""
        if profile is Profile.COMPAT:
            return User(0, 0)
        return User(os.getuid(), os.getgid()) if os.getuid() else User(_NOBODY, _NOBODY)

    # Images

    def has_image(self, wanted: WantedImage) -> bool:
        """Tell whether the image is here, by its id or by the digest of its manifest."""
        with self._fetching():
            return self._found(wanted) is not None

    def resolve_image(self, wanted: WantedImage) -> str:
        """Return the id to run the image by; IntegrityBroken when what was fetched is another image."""
        with self._fetching():
            if found := self._found(wanted):
                return found
            if wanted.archive is not None:
                self._load(wanted, wanted.archive)
            elif wanted.type == "DockerImage" and wanted.manifest is not None:
                self._pull(wanted, wanted.manifest)
            if found := self._found(wanted):
                return found
        raise ImageUnavailable(
            f"the image {wanted.reference} ({wanted.id[:19]}…) is not here and cannot be fetched",
            hint="its owner must publish it in an image registry by digest, or as an archive; build it here to try it",
        )

    def load_local(self, reference: str) -> WantedImage:
        """Describe an image of this engine by its name, for a new cube record; Refused when it is not here."""
        image = self._inspect_image(reference)
        if image is None:
            raise Refused(
                f"there is no image {reference} here", hint=f"build or pull it first: docker pull {reference}"
            )
        platform = "/".join(filter(None, (image.get("Os"), image.get("Architecture"), image.get("Variant"))))
        manifest = manifest_of(reference, image.get("RepoDigests") or ())
        return WantedImage(
            type="DockerImage", reference=reference, id=Digest(image["Id"]), platform=platform, manifest=manifest
        )

    def pull(self, reference: str) -> None:
        """Fetch an image by name, for a new cube record; EnvironmentProblem when it cannot be had."""
        with _speaking(f"fetch the image {reference}"):
            consume(self._api.pull(reference, stream=True, decode=True, platform=self.info().platform), reference)

    @contextlib.contextmanager
    def _fetching(self) -> Iterator[None]:
        try:
            yield
        except (EnvironmentProblem, NotFound) as error:
            if isinstance(error, ImageUnavailable) or not self.answers():
                raise
            hint = "check the network and that you may read this image registry (docker login)"
            raise ImageUnavailable(str(error), hint=hint) from error

    def _found(self, wanted: WantedImage) -> str | None:
        names: list[str] = [wanted.id]
        if wanted.manifest:
            names.append(wanted.manifest)
            if wanted.type == "DockerImage":  # the reference of an archive is an address
                names.append(f"{repository_of(wanted.reference)}@{wanted.manifest}")
        accepted = {wanted.id, wanted.manifest}
        for name in names:
            image = self._inspect_image(name)
            if image is None:
                continue
            if image["Id"] not in accepted:
                raise IntegrityBroken(
                    f"the image at {wanted.reference} is {image['Id'][:19]}…, the record names {wanted.id[:19]}…",
                    hint="do not run it; ask the container's owner which of the two is theirs",
                )
            return str(image["Id"])
        return None

    def _inspect_image(self, name: str) -> dict[str, Any] | None:
        try:
            with _speaking("look at an image"):
                image: dict[str, Any] = self._api.inspect_image(name)
        except ImageNotFound:
            return None
        self._images[image["Id"]] = image
        return image

    def _pull(self, wanted: WantedImage, manifest: Digest) -> None:
        reference = f"{repository_of(wanted.reference)}@{manifest}"
        with _speaking(f"fetch the image {reference}"):
            consume(self._api.pull(reference, stream=True, decode=True, platform=wanted.platform), reference)

    def _load(self, wanted: WantedImage, path: Path) -> None:
        known = archive.ids_in_archive(path)
        if not {wanted.id, wanted.manifest} & set(known):
            raise IntegrityBroken(
                f"the archive holds the image {known[0][:19]}…, the record names {wanted.id[:19]}…",
                hint="nothing was loaded; ask the container's owner for the right archive",
            )
        with _speaking(f"load {path.name}"):
            consume(self._api.load_image(archive.without_tags(path), quiet=True), path.name)

    # Sandbox

    def check_sandbox(self, profile: Profile, *, cache: Path | None = None) -> tuple[str, ...]:
        """Run the probe once per engine, its security, boot and profile; Refused when the sandbox has a hole."""
        info = self.info()
        marker = "\n".join((info.identity, info.version, *info.security, boot_id(), ""))
        kept = cache / f"sandbox-{self._name}-{profile}.ok" if cache else None
        if kept and kept.is_file() and kept.read_text().startswith(marker):
            return tuple(kept.read_text().removeprefix(marker).splitlines())
        warnings = (*info.warnings, *self._probe(profile))
        if kept:
            kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            kept.write_text(marker + "\n".join(warnings))
        return warnings

    def _probe(self, profile: Profile) -> tuple[str, ...]:
        architecture = self.info().platform.partition("/")[2]
        if architecture not in ("amd64", "arm64"):
            return (f"the sandbox could not be probed on {architecture}",)
        image = probe.build_image(architecture)
        wanted = WantedImage(type="probe", reference="probe", id=image.id, platform=self.info().platform)
        if self._found(wanted) is None:
            with _speaking("load the sandbox probe"):
                consume(self._api.load_image(image.archive, quiet=True), "the sandbox probe")
        found = self._found(wanted) or image.id
        limits = Limits(memory_bytes=64 * MIB, cpus=1, wall_seconds=60, pids=32, open_files=512, file_bytes=GIB)
        output = self._probe_output(found, limits, profile)
        faults, weak = probe.faults_in(output, profile), probe.weak_limits_in(output, limits)
        if faults or (weak and profile is Profile.STRICT):
            raise Refused(
                f"this engine does not keep the sandbox: {'; '.join((*faults, *weak))}",
                hint="use another engine (--engine), or a system with cgroup v2; --profile compat accepts weaker limits"
                if not faults
                else "use another engine (--engine); a rootful Docker or Podman keeps it",
            )
        return weak

    def _probe_output(self, image_id: str, limits: Limits, profile: Profile) -> str:
        body = container_body(
            StepSpec(
                image_id=image_id, command=None, entrypoint=None, environment=(), binds=(), limits=limits,
                profile=profile, scratch=Path("/nowhere"), shm_bytes=MIB, run_id="probe",
            ),
            self.user(profile), image={}, labels=labels_of_this_client("probe"), rootless_podman=self._keeps_id(),
        )  # fmt: skip
        body["HostConfig"]["Mounts"] = []
        with self._container(body, "probe") as container, _speaking("probe the sandbox"):
            stream = self._api.attach(container, stream=True)
            self._api.start(container)
            output = b"".join(stream)
            self._api.wait(container, timeout=60)
            _close(stream)
        return output.decode("utf-8", "replace")

    # Steps

    def run(self, spec: StepSpec, *, log: Path, stop: threading.Event) -> StepResult:
        """Run one step to its end; EnvironmentProblem when the engine goes away, Interrupted once `stop` is set."""
        image = self._images.get(spec.image_id) or self._inspect_image(spec.image_id)
        if image is None:
            raise EnvironmentProblem(
                f"the image {spec.image_id[:19]}… is gone from the engine",
                hint="run the command again: it is fetched anew",
            )
        body = container_body(
            spec,
            self.user(spec.profile),
            image=image.get("Config") or {},
            labels=labels_of_this_client(spec.run_id),
            rootless_podman=self._keeps_id(),
        )
        if self._name == "podman":
            body["HostConfig"].pop("Ulimits")
        with contextlib.ExitStack() as stack:
            with self._starting(spec.profile):
                container = stack.enter_context(self._container(body, spec.run_id))
                running = stack.enter_context(_Running(self, self._api, container).started())
            return running.follow(spec, log, stop)

    def reap(self) -> tuple[str, ...]:
        """Remove containers of this user whose client is gone; return their names."""
        with _speaking("look for containers left behind"):
            found = self._api.containers(all=True, filters={"label": f"{OWNER}={os.getuid()}"})
        orphans = [item for item in found if is_orphan(item.get("Labels") or {})]
        for item in orphans:
            self._remove(item["Id"])
        return tuple(str((item.get("Names") or [item["Id"]])[0]).lstrip("/") for item in orphans)

    def answers(self) -> bool:
        """Tell whether the engine takes a new connection."""
        try:
            with contextlib.closing(self._again(version=self._api.api_version)) as other:
                other.ping()
        except _BROKEN:
            return False
        return True

    @contextlib.contextmanager
    def _starting(self, profile: Profile) -> Iterator[None]:
        """Tell a container that cannot be started from an engine that starts none: that one fails with the probe."""
        try:
            yield
        except (EnvironmentProblem, NotFound) as error:
            if not self.answers():
                raise
            self._probe(profile)
            hint = "its owner must register a version that starts; `medperf-git cube test` shows it to them"
            raise NotStarted(shortened(str(error)), hint=hint) from error

    def _keeps_id(self) -> bool:
        return self._name == "podman" and self.info().rootless

    @contextlib.contextmanager
    def _container(self, body: dict[str, Any], run_id: str) -> Iterator[str]:
        name = f"medperf-git-{run_id[:12] or 'step'}-{secrets.token_hex(4)}"
        try:
            with _speaking("create a container"):
                created = self._api.create_container_from_config(body, name)
            yield str(created["Id"])
        finally:
            # By name: a creation whose answer was lost must not leave it behind.
            self._remove(name)

    def _remove(self, container: str) -> None:
        with contextlib.suppress(*_BROKEN):
            self._api.remove_container(container, force=True, v=True)


class _Running:
    """One container, from attaching to its end."""

    def __init__(self, engine: DockerEngine, api: Any, container: str) -> None:
        self._engine = engine
        self._api = api
        self._id = container
        self._stream: Any = None

    @contextlib.contextmanager
    def started(self) -> Iterator[Self]:
        """Start it, and let go of its output afterwards."""
        try:
            with _speaking("start a container"):
                self._stream = self._api.attach(self._id, stream=True)
                self._api.start(self._id)
            yield self
        finally:
            _close(self._stream)

    def follow(self, spec: StepSpec, log: Path, stop: threading.Event) -> StepResult:
        """See it to its end."""
        seen = follow(self, spec, log=log, stop=stop)
        if seen.ended is Ended.EXITED:
            seen.ended = self._why(seen.exit_code)
        return StepResult(
            exit_code=seen.exit_code,
            ended=seen.ended,
            seconds=seen.seconds,
            peak_memory=seen.peak_memory,
            peak_disk=seen.peak_disk,
        )

    def output(self) -> Iterator[bytes]:
        """Yield what it prints until it ends."""
        yield from self._stream

    def wait(self) -> int:
        """Return its exit code once it has ended; that of a kill when somebody removed it."""
        try:
            with _speaking("wait for a container"):
                return int(self._api.wait(self._id, timeout=None)["StatusCode"])
        except NotFound:
            return _KILLED_CODES[0]

    def kill(self) -> None:
        """Stop it at once."""
        try:
            with _speaking("stop a container"):
                self._api.kill(self._id, "SIGKILL")
        except (NotFound, _NotRunning):
            return

    def memory(self) -> int | None:
        """Return bytes of memory in use, where the kernel's files can be read."""
        return memory_in_use(self._id)

    def layer_bytes(self) -> int | None:
        """Return bytes written to its root file system; None when it is gone."""
        try:
            with _speaking("measure a container"):
                found = self._api.containers(all=True, size=True, filters={"id": self._id})
        except NotFound:
            return None
        return int(found[0].get("SizeRw") or 0) if found else None

    def _why(self, exit_code: int) -> Ended:
        try:
            with _speaking("ask how a container ended"):
                state = self._api.inspect_container(self._id)["State"]
        except NotFound:
            state = {}
        if state.get("OOMKilled") and exit_code:
            return Ended.OOM
        if exit_code not in _KILLED_CODES:
            return Ended.EXITED
        # An engine that is told to stop kills its containers first, and still answers while it does.
        time.sleep(0.2)
        if not self._engine.answers():
            raise _gone("it stopped while a container ran")
        return Ended.KILLED if exit_code == _KILLED_CODES[0] else Ended.EXITED


class _NotRunning(Exception):
    """The container had ended already."""


@contextlib.contextmanager
def _speaking(purpose: str) -> Iterator[None]:
    try:
        yield
    except (NotFound, ImageNotFound):
        raise
    except APIError as error:
        if error.status_code == 409 and purpose == "stop a container":
            raise _NotRunning from error
        raise EnvironmentProblem(
            f"the container engine would not {purpose}: {error.explanation or error}",
            hint="see the engine's own log; medperf-git doctor checks the usual causes",
        ) from error
    except (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError) as error:
        raise _gone(f"could not {purpose}: {error}") from error


def _gone(detail: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        f"the container engine went away ({detail})",
        hint="start it again and repeat the command: finished models are kept, and leftovers are removed first",
    )


def _close(stream: Any) -> None:
    response = getattr(stream, "_response", None)
    if response is None:
        return
    # The library's own close stops half way, with the socket open, when the engine has gone.
    with contextlib.suppress(*_BROKEN, AttributeError, ValueError):
        response.raw._fp.fp.raw._sock.close()
    response.close()
