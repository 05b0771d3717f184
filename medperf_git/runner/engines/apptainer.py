"""Apptainer, by its command line: images are SIF files in its own cache, a step is a process of ours.

It keeps less than Docker does: no filter of system calls for ordinary users, and caps on memory and processes only
where the system lets it use control groups. The probe says what is lacking, and `unlimited` accepts it by name.
"""

import contextlib
import json
import os
import re
import secrets
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, Refused
from medperf_git.records.digests import bare_hex
from medperf_git.records.mounts import TMP
from medperf_git.runner.durable import write_durably
from medperf_git.runner.engine import (
    GIB,
    MIB,
    Ended,
    EngineInfo,
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
from medperf_git.runner.engines import archive, preflight, probe
from medperf_git.runner.engines.answers import full_name, repository_of
from medperf_git.runner.engines.apptainer_arguments import (
    CLOSED,
    plain_configuration,
    step_arguments,
    step_environment,
    volume_folders,
    with_rlimits,
)
from medperf_git.runner.engines.apptainer_step import Process, kill_tree
from medperf_git.runner.explain import tail_of
from medperf_git.runner.manifest import hashed_file
from medperf_git.runner.mirrors import Mirror, places_of
from medperf_git.runner.owners import boot_id, is_orphan, labels_of_this_client
from medperf_git.runner.shown import shortened
from medperf_git.runner.staging import make_output_folder
from medperf_git.runner.supervise import follow

_NOBODY = 65534
_BUILD_SECONDS = 4 * 3600
_FATAL = re.compile(r"^FATAL:\s+(.*(?:container creation failed|cgroup|could not open image).*)$", re.MULTILINE)
_KILLED = 137


class ApptainerEngine:
    """The apptainer command of this machine; safe to use from several threads."""

    def __init__(self, command: str, *, cache: Path, mirrors: tuple[Mirror, ...] = ()) -> None:
        self._command = command
        self._cache = cache
        self._mirrors = mirrors
        self._brought: dict[str, Path] = {}
        self._limited: bool | None = None
        self._lock = threading.Lock()
        self._version = self._ask("version").strip()

    @classmethod
    def connect(cls, *, mirrors: tuple[Mirror, ...] = ()) -> Self:
        """Find the command; EnvironmentProblem when it is not here."""
        command = shutil.which("apptainer") or shutil.which("singularity")
        if command is None:
            raise EnvironmentProblem(
                "there is no apptainer command here", hint="install it, or use another engine (--engine docker)"
            )
        base = os.environ.get("APPTAINER_CACHEDIR") or Path("~/.apptainer/cache").expanduser()
        return cls(command, cache=Path(base) / "medperf-git", mirrors=mirrors)

    def close(self) -> None:
        """Nothing to let go of."""

    def info(self) -> EngineInfo:
        """Say what the engine is."""
        uname = os.uname()
        return EngineInfo(
            name="apptainer",
            version=self._version,
            identity=f"apptainer at {self._command}",
            cpus=os.cpu_count() or 1,
            memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            platform=f"linux/{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(uname.machine, uname.machine) }",
            rootless=os.getuid() != 0,
            security=(f"KernelVersion={uname.release}", f"uid={os.getuid()}"),
        )

    def user(self, profile: Profile) -> User:
        """Say which user a container of that profile runs as: the caller, for whom there is no other."""
        if os.getuid() == 0:
            return User(0, 0) if profile is Profile.COMPAT else User(_NOBODY, _NOBODY)
        return User(os.getuid(), os.getgid())

    # Images

    def has_image(self, wanted: WantedImage) -> bool:
        """Tell whether its SIF is in the cache."""
        return self._sif(wanted.id).is_file()

    def resolve_image(self, wanted: WantedImage, *, progress: OnFetch | None = None) -> str:
        """Return the image's id once its SIF is in the cache; IntegrityBroken when it is another image."""
        del progress  # Apptainer tells no numbers
        with self._lock:
            if not self.has_image(wanted):
                self._cache.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._bring(wanted)
                self._brought[wanted.id] = self._sif(wanted.id)
        return wanted.id

    def remove_image(self, image_id: str) -> bool:
        """Remove the SIF of an image that this command brought."""
        sif = self._brought.pop(image_id, None)
        if sif is None:
            return False
        sif.unlink(missing_ok=True)
        sif.with_suffix(".json").unlink(missing_ok=True)
        return True

    def brought_images(self) -> tuple[str, ...]:
        """Return the ids of the images that this command brought."""
        return tuple(sorted(self._brought))

    def _bring(self, wanted: WantedImage) -> None:
        if wanted.type == "SingularityFile" and wanted.archive is not None:
            self._take_sif(wanted, wanted.archive)
        elif wanted.archive is not None:
            self._convert(wanted, wanted.archive)
        elif wanted.type == "DockerImage" and wanted.manifest is not None:
            self._pull(wanted)
        else:
            raise ImageUnavailable(
                f"the image {wanted.reference} ({wanted.id[:19]}…) is not here and cannot be fetched",
                hint="Apptainer takes images from image registries by digest, from archives and from SIF files",
            )

    def _take_sif(self, wanted: WantedImage, path: Path) -> None:
        _, digest = hashed_file(path)
        if digest != wanted.id:
            raise IntegrityBroken(
                f"the SIF file is {digest[:19]}…, the record names {wanted.id[:19]}…",
                hint="nothing was taken over; ask the container's owner for the right file",
            )
        with self._new(wanted.id) as partial:
            shutil.copyfile(path, partial)
            self._note_configuration(wanted.id, self._configuration_in(partial))

    def _convert(self, wanted: WantedImage, path: Path) -> None:
        known = archive.ids_in_archive(path)
        if not {wanted.id, wanted.manifest} & set(known):
            raise IntegrityBroken(
                f"the archive holds the image {known[0][:19]}…, the record names {wanted.id[:19]}…",
                hint="nothing was converted; ask the container's owner for the right archive",
            )
        with self._new(wanted.id) as partial:
            self._build(partial, f"docker-archive:{path}")
            self._note_configuration(wanted.id, archive.configuration_of(path))

    def _pull(self, wanted: WantedImage) -> None:
        places = places_of(full_name(repository_of(wanted.reference)), self._mirrors)
        for left, repository in zip(reversed(range(len(places))), places, strict=True):
            plain = ("--no-https",) if re.match(r"(127\.0\.0\.1|localhost)(:|/)", repository) else ()
            try:
                with self._new(wanted.id) as partial:
                    self._build(partial, f"docker://{repository}@{wanted.manifest}", *plain)
                    self._note_configuration(wanted.id, self._configuration_in(partial))
                return
            except ImageUnavailable:
                if not left:
                    raise

    def _build(self, target: Path, source: str, *options: str) -> None:
        done = self._run("build", "--disable-cache", *options, str(target), source, seconds=_BUILD_SECONDS)
        if done.returncode != 0:
            said = done.stdout.strip().splitlines() or ["nothing"]
            raise ImageUnavailable(
                f"Apptainer could not take the image: {shortened(said[-1])}",
                hint="check the network, the disk and that you may read this image registry (apptainer registry login)",
            )

    @contextlib.contextmanager
    def _new(self, image_id: str) -> Iterator[Path]:
        partial = self._cache / f".{secrets.token_hex(8)}.sif"
        try:
            yield partial
            partial.replace(self._sif(image_id))
        finally:
            partial.unlink(missing_ok=True)

    def _sif(self, image_id: str) -> Path:
        return self._cache / f"{bare_hex(image_id)}.sif"  # type: ignore[arg-type]  # ids of records are digests

    def _note_configuration(self, image_id: str, configuration: dict[str, Any] | None) -> None:
        """Keep what an image says of itself, before the SIF gets its name: one that is here can be run."""
        known = None if configuration is None else plain_configuration(configuration)
        write_durably(self._sif(image_id).with_suffix(".json"), json.dumps(known).encode())

    def _configuration(self, image_id: str) -> dict[str, Any] | None:
        value: dict[str, Any] | None = json.loads(self._sif(image_id).with_suffix(".json").read_text())
        return value

    def _configuration_in(self, sif: Path) -> dict[str, Any] | None:
        """Return the configuration of the container image that a SIF was made from; None when it was from none."""
        for line in self._ask("sif", "list", str(sif)).splitlines():
            number, _, kind = line.partition("|")[0].strip(), "", line
            if "JSON" in kind and number.isdigit():
                with contextlib.suppress(ValueError, RecursionError):
                    value = json.loads(self._ask("sif", "dump", number, str(sif)))
                    if isinstance(value, dict) and {"Cmd", "Entrypoint"} & set(value):
                        return value
        return None

    # Sandbox

    def check_sandbox(self, profile: Profile, *, cache: Path | None = None) -> tuple[str, ...]:
        """Run the probe; Refused when the sandbox has a hole, or lacks what only a weaker profile accepts."""
        info = self.info()
        marker = "\n".join((info.identity, info.version, *info.security, boot_id(), ""))
        kept = cache / f"sandbox-apptainer-{profile}.ok" if cache else None
        # Without the probe's image it could not be told later what this system lets Apptainer hold.
        if kept and kept.is_file() and self._probe_sif().is_file() and kept.read_text().startswith(marker):
            return tuple(kept.read_text().removeprefix(marker).splitlines())
        warnings = self._probe(profile)
        if kept:
            kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            kept.write_text(marker + "\n".join(warnings))
        return warnings

    def _probe(self, profile: Profile) -> tuple[str, ...]:
        image = probe.build_image(self.info().platform.partition("/")[2])
        limits = Limits(memory_bytes=64 * MIB, cpus=1, wall_seconds=60, pids=32, open_files=512, file_bytes=GIB)
        with self._probe_folder() as folder:
            (folder / "probe.tar").write_bytes(image.archive)
            wanted = WantedImage(
                type="DockerArchive", reference="probe", id=image.id, platform=self.info().platform,
                archive=folder / "probe.tar",
            )  # fmt: skip
            self.resolve_image(wanted)
            self._brought.pop(image.id, None)
            (folder / "tmp").mkdir(mode=0o777)
            (folder / "tmp").chmod(0o777)
            spec = StepSpec(
                image_id=image.id, command=None, entrypoint=None, environment=(), binds=(), limits=limits,
                profile=profile, scratch=folder / "tmp", run_id="probe",
            )  # fmt: skip
            result = self.run(spec, log=folder / "log", stop=threading.Event())
            output = (folder / "log").read_text(errors="replace")
        if not result.succeeded:
            raise EnvironmentProblem(
                f"Apptainer could not run the sandbox probe: {shortened(output[-200:])}",
                hint="try `apptainer exec` with an image of your own; who installed it may have to finish that",
            )
        # Its container sees the control groups of the whole machine: what it holds is known from its own answer.
        faults = [fault for fault in probe.faults_in(output, profile) if fault != probe.NOT_FILTERED]
        weak = [fault for fault in probe.weak_limits_in(output, limits) if "file" in fault]
        weak += [] if self._can_limit() else ["memory is not limited", "the number of processes is not limited"]
        weak += [probe.NOT_FILTERED] if probe.NOT_FILTERED in probe.faults_in(output, profile) else []
        if faults:
            raise Refused(
                f"this engine does not keep the sandbox: {'; '.join((*faults, *weak))}",
                hint="use another engine (--engine)",
            )
        if weak and profile is Profile.STRICT:
            raise Refused(
                f"this engine does not keep the limits: {'; '.join(weak)}",
                hint="use another engine (--engine), or accept it: --profile unlimited",
            )
        return tuple(weak)

    @contextlib.contextmanager
    def _probe_folder(self) -> Iterator[Path]:
        folder = self._cache / f"probe-{secrets.token_hex(8)}"
        folder.mkdir(mode=0o711, parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _probe_sif(self) -> Path:
        return self._sif(probe.build_image(self.info().platform.partition("/")[2]).id)

    def _can_limit(self) -> bool:
        """Tell whether this system lets Apptainer use control groups, by trying once."""
        if self._limited is None:
            image = self._probe_sif()
            if not image.is_file():
                return False
            flags = ("--memory", str(GIB), "--memory-swap", str(GIB), "--cpus", "1", "--pids-limit", "64")
            self._limited = self._run("exec", *CLOSED, *flags, str(image), "/probe", seconds=60).returncode == 0
        return self._limited

    # Steps

    def run(self, spec: StepSpec, *, log: Path, stop: threading.Event) -> StepResult:
        """Run one step to its end; Interrupted once `stop` is set, NotStarted when Apptainer would not start it."""
        if spec.gpus:
            preflight.check_toolkit()
        sif = self._sif(spec.image_id)
        if not sif.is_file():
            raise ImageUnavailable(
                f"the image {spec.image_id[:19]}… is gone from Apptainer's cache",
                hint="run the command again: it is fetched anew",
            )
        image = self._configuration(spec.image_id)
        home = spec.scratch / ".home.sh"
        home.write_text(f"export HOME={TMP}\n")
        home.chmod(0o644)
        for folder in volume_folders(spec, image).values():
            make_output_folder(folder, self.user(spec.profile))
        words = step_arguments(
            spec, self.user(spec.profile), sif=str(sif), image=image,
            is_root=os.getuid() == 0, limited=self._can_limit(),
        )  # fmt: skip
        command = with_rlimits(spec, (self._command, "--silent", *words))
        process = Process(command, step_environment(spec, os.environ), memory_cap=spec.limits.memory_bytes)
        with contextlib.closing(process), self._noted(process.pid, spec.run_id):
            seen = follow(process, spec, log=log, stop=stop)
        if seen.ended is Ended.EXITED and (found := _FATAL.search(tail_of(log))) and seen.exit_code == 255:
            hint = "its owner must register a version that starts; `medperf-git cube test` shows it to them"
            raise NotStarted(shortened(found[1]), hint=hint)
        if seen.ended is Ended.EXITED and process.out_of_memory:
            seen.ended = Ended.OOM
        elif seen.ended is Ended.EXITED and seen.exit_code == _KILLED:
            seen.ended = Ended.KILLED
        return StepResult(
            exit_code=seen.exit_code, ended=seen.ended, seconds=seen.seconds, peak_memory=seen.peak_memory,
            peak_disk=seen.peak_disk, broke=seen.broke,
        )  # fmt: skip

    @contextlib.contextmanager
    def _noted(self, pid: int, run_id: str) -> Iterator[None]:
        """Note a running step, so that another command finds what is left when this one is killed."""
        folder = self._cache / "running"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        note = folder / f"{secrets.token_hex(8)}.json"
        note.write_text(json.dumps({"pid": pid, "born": _born(pid), "labels": labels_of_this_client(run_id)}))
        try:
            yield
        finally:
            note.unlink(missing_ok=True)

    def reap(self) -> tuple[str, ...]:
        """End the steps of this user whose client is gone; return the names of their notes."""
        gone = []
        for note in sorted((self._cache / "running").glob("*.json")):
            try:
                value = json.loads(note.read_text())
                orphan, pid, born = is_orphan(value["labels"]), int(value["pid"]), value["born"]
            except (OSError, ValueError, KeyError, TypeError):
                continue
            if not orphan:
                continue
            if born and _born(pid) == born:
                kill_tree(pid)
                gone.append(f"apptainer-{note.stem}")
            note.unlink(missing_ok=True)
        return tuple(gone)

    # The command

    def _ask(self, *arguments: str) -> str:
        done = self._run(*arguments, seconds=120)
        if done.returncode != 0:
            raise EnvironmentProblem(
                f"apptainer {arguments[0]} failed: {shortened(done.stdout.strip()[-200:])}",
                hint="see: apptainer version; medperf-git doctor checks the usual causes",
            )
        return done.stdout

    def _run(self, *arguments: str, seconds: float) -> "subprocess.CompletedProcess[str]":
        try:
            return subprocess.run(
                [self._command, "--silent", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, errors="replace", timeout=seconds, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EnvironmentProblem(
                f"the apptainer command does not answer: {error}", hint="try it by hand: apptainer version"
            ) from error


def _born(pid: int) -> str:
    try:
        return boot_id() + ":" + Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
