"""Docker, and Podman through the same API.

Containers are created, attached to, started: no line of output is lost. They run by image id, without the engine's
own log, and are removed however the step ends. What a killed client left is found by its labels (`reap`).
"""

import contextlib
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

from docker.errors import NotFound
from docker.utils import kwargs_from_env

from medperf_git.errors import EnvironmentProblem, Refused
from medperf_git.runner.durable import write_durably
from medperf_git.runner.engine import (
    GIB,
    MIB,
    EngineInfo,
    GpusUnavailable,
    ImageUnavailable,
    Limits,
    NotStarted,
    OnFetch,
    Profile,
    StepResult,
    StepSpec,
    User,
    WantedImage,
)
from medperf_git.runner.engines import podman, preflight, probe
from medperf_git.runner.engines.answers import engine_info, refuse_unshared
from medperf_git.runner.engines.images import Images
from medperf_git.runner.engines.sandbox import container_body
from medperf_git.runner.engines.speaking import BROKEN, Client, close_stream, see_that_it_listens, speaking
from medperf_git.runner.engines.step import Running
from medperf_git.runner.leaving import Leaving
from medperf_git.runner.mirrors import Mirror
from medperf_git.runner.owners import OWNER, boot_id, is_orphan, labels_of_this_client
from medperf_git.runner.shown import shortened

_NOBODY = 65534
_PROBE_LIMITS = Limits(
    memory_bytes=64 * MIB, cpus=1, wall_seconds=60, pids=32, open_files=512, file_bytes=GIB, shm_bytes=MIB
)


class DockerEngine:
    """One connection to an engine that speaks the Docker API; safe to use from several threads."""

    def __init__(self, again: Callable[..., Any], name: str, *, mirrors: tuple[Mirror, ...] = ()) -> None:
        self._again = again
        self._api = again()
        self._name = name
        self._images = Images(self._api, answers=self.answers, mirrors=mirrors)
        self._info: EngineInfo | None = None
        self._leaving: Leaving | None = None

    @classmethod
    def connect(cls, name: str = "docker", *, address: str = "", mirrors: tuple[Mirror, ...] = ()) -> Self:
        """Connect to the engine at `address`, or where the environment says; EnvironmentProblem when none answers."""
        address = address or (podman.address() if name == "podman" else os.environ.get("DOCKER_HOST", ""))
        options = ({} if name == "podman" else kwargs_from_env()) | ({"base_url": address} if address else {})
        again = partial(Client, version="auto", timeout=120, max_pool_size=64, **options)
        try:
            see_that_it_listens(address or "unix:///var/run/docker.sock")
            return cls(again, name, mirrors=mirrors)
        except BROKEN as error:
            if name == "podman":
                raise EnvironmentProblem(
                    f"Podman's service does not answer at {address}", hint=podman.how_to_start(address)
                ) from error
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
            with speaking("ask the engine what it is"):
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
        return self._images.has(wanted)

    def resolve_image(self, wanted: WantedImage, *, progress: OnFetch | None = None) -> str:
        """Return the id to run the image by; IntegrityBroken when what was fetched is another image."""
        return self._images.resolve(wanted, progress)

    def remove_image(self, image_id: str) -> bool:
        """Remove an image that this connection brought; others' images stay."""
        return self._images.remove(image_id)

    def brought_images(self) -> tuple[str, ...]:
        """Return the ids of the images that this connection brought."""
        return self._images.brought()

    def load_local(self, reference: str) -> WantedImage:
        """Describe an image of this engine by its name, for a new cube record; Refused when it is not here."""
        return self._images.describe(reference)

    def pull(self, reference: str, *, progress: OnFetch | None = None) -> None:
        """Fetch an image by name, for a new cube record; EnvironmentProblem when it cannot be had."""
        self._images.pull(reference, self.info().platform, progress)

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
            write_durably(kept, (marker + "\n".join(warnings)).encode())
        return warnings

    def _probe(self, profile: Profile) -> tuple[str, ...]:
        architecture = self.info().platform.partition("/")[2]
        if architecture not in ("amd64", "arm64"):
            return (f"the sandbox could not be probed on {architecture}",)
        output = self._probe_output(architecture, profile)
        faults, weak = probe.faults_in(output, profile), probe.weak_limits_in(output, _PROBE_LIMITS)
        if faults:
            raise Refused(
                f"this engine does not keep the sandbox: {'; '.join((*faults, *weak))}",
                hint="use another engine (--engine); a rootful Docker or Podman keeps it",
            )
        if weak and profile is Profile.STRICT:
            raise Refused(
                f"this engine does not keep the limits: {'; '.join(weak)}",
                hint="use another engine (--engine) or a system with cgroup v2, or accept it: --profile unlimited",
            )
        return (*weak, *probe.notes_in(output))

    def _probe_output(self, architecture: str, profile: Profile, *, gpus: str = "") -> str:
        image = probe.build_image(architecture)
        wanted = WantedImage(type="probe", reference="probe", id=image.id, platform=self.info().platform)
        if self._images.find(wanted) is None:
            self._images.load(image.archive, "the sandbox probe")
        body = container_body(
            StepSpec(
                image_id=self._images.find(wanted) or image.id, command=None, entrypoint=None, environment=(),
                binds=(), limits=_PROBE_LIMITS, profile=profile, scratch=Path("/nowhere"), shm_bytes=MIB,
                gpus=gpus, run_id="probe",
            ),
            self.user(profile), image={}, labels=labels_of_this_client("probe"),
        )  # fmt: skip
        body["HostConfig"]["Mounts"] = []
        body = self._adapted(body)
        with self._container(body, "probe") as container, speaking("probe the sandbox"):
            stream = self._api.attach(container, stream=True)
            self._api.start(container)
            output = b"".join(stream)
            self._api.wait(container, timeout=60)
            close_stream(stream)
        return output.decode("utf-8", "replace")

    # Steps

    def run(self, spec: StepSpec, *, log: Path, stop: threading.Event) -> StepResult:
        """Run one step to its end; EnvironmentProblem when the engine goes away, Interrupted once `stop` is set.

        ImageUnavailable when somebody removed its image, GpusUnavailable, NotStarted when it cannot be started.
        """
        if spec.gpus:
            preflight.check_toolkit()
        image = self._images.configuration(spec.image_id)
        if image is None:
            raise self._image_gone(spec)
        labels = labels_of_this_client(spec.run_id)
        body = self._adapted(container_body(spec, self.user(spec.profile), image=image, labels=labels))
        with contextlib.ExitStack() as stack:
            with self._starting(spec):
                container = stack.enter_context(self._container(body, spec.run_id))
                running = Running(self._api, container, answers=self.answers, disk=self.info().root)
                stack.enter_context(running.started())
            return running.follow(spec, log, stop)

    @contextlib.contextmanager
    def putting_away(self) -> Iterator[None]:
        """Remove ended containers beside other work while the block lasts; at its end all are gone."""
        with Leaving(self._remove) as leaving:
            self._leaving = leaving
            try:
                yield
            finally:
                self._leaving = None

    def reap(self) -> tuple[str, ...]:
        """Remove containers of this user whose client is gone; return their names."""
        with speaking("look for containers left behind"):
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
        except BROKEN:
            return False
        return True

    @contextlib.contextmanager
    def _starting(self, spec: StepSpec) -> Iterator[None]:
        """Tell a container that cannot be started from an engine that starts none: that one fails with the probe."""
        try:
            yield
        except (EnvironmentProblem, NotFound) as error:
            if not self.answers():
                raise
            if self._images.inspect(spec.image_id) is None:  # another command, or a person, removed it meanwhile
                raise self._image_gone(spec) from error
            refuse_unshared(str(error), spec.binds)
            self._probe(spec.profile)
            self._refuse_without_gpus(spec)
            hint = "its owner must register a version that starts; `medperf-git cube test` shows it to them"
            raise NotStarted(shortened(str(error)), hint=hint) from error

    def _refuse_without_gpus(self, spec: StepSpec) -> None:
        """Raise GpusUnavailable when the probe, which starts by itself, does not start with the GPUs of a step."""
        architecture = self.info().platform.partition("/")[2]
        if not spec.gpus or architecture not in ("amd64", "arm64"):
            return
        try:
            self._probe_output(architecture, spec.profile, gpus=spec.gpus)
        except (EnvironmentProblem, NotFound) as error:
            if not self.answers():
                raise
            raise GpusUnavailable(
                f"this engine gives no container the GPUs {spec.gpus!r}: {shortened(str(error))}",
                hint="install the NVIDIA Container Toolkit, or name GPUs that nvidia-smi shows; then repeat this",
            ) from error

    def _image_gone(self, spec: StepSpec) -> ImageUnavailable:
        return ImageUnavailable(
            f"the image {spec.image_id[:19]}… is gone from the engine", hint="run the command again: it is fetched anew"
        )

    def _adapted(self, body: dict[str, Any]) -> dict[str, Any]:
        return podman.adapt(body, rootless=self.info().rootless) if self._name == "podman" else body

    @contextlib.contextmanager
    def _container(self, body: dict[str, Any], run_id: str) -> Iterator[str]:
        name = f"medperf-git-{run_id[:12] or 'step'}-{secrets.token_hex(4)}"
        try:
            with speaking("create a container"):
                created = self._api.create_container_from_config(body, name)
            yield str(created["Id"])
        except BaseException:
            # By name: a creation whose answer was lost must not leave it behind.
            self._remove(name)
            raise
        # What a writable root holds must be gone before the room on the disk is looked at again.
        if self._leaving is not None and body["HostConfig"]["ReadonlyRootfs"]:
            self._leaving.add(name)
        else:
            self._remove(name)

    def _remove(self, container: str) -> None:
        with contextlib.suppress(*BROKEN):
            self._api.remove_container(container, force=True, v=True)
