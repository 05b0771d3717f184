"""The argument lists of Apptainer: the same sandbox as elsewhere, as far as it can be said on a command line.

What a record declares about command and entry point means what it means for Docker; a SIF that nobody made from a
container image has neither, and its own runscript is run.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medperf_git.errors import Refused
from medperf_git.records.mounts import TMP, covers_the_system, inside
from medperf_git.runner.engine import Bind, BindKind, Profile, StepSpec, User
from medperf_git.runner.engines.sandbox import environment_of
from medperf_git.runner.mounts import check_mounts

_HOME_SCRIPT = "/.singularity.d/env/99-zz-home.sh"
CLOSED = (
    "--containall", "--cleanenv", "--no-eval", "--no-home", "--no-mount", "bind-paths,tmp",
    "--net", "--network", "none", "--no-privs", "--drop-caps", "all",
)  # fmt: skip


def step_arguments(
    spec: StepSpec, user: User, *, sif: str, image: Mapping[str, Any] | None, is_root: bool, limited: bool
) -> tuple[str, ...]:
    """Return what follows the word `apptainer`; `image` is the image's own `Config`, None when the SIF has none.

    `limited` says whether this system lets Apptainer hold caps on memory, processors and processes.
    """
    check_mounts([(bind.key, bind.inside) for bind in spec.binds])
    tmp = Bind("tmp", spec.scratch, TMP, read_only=False, kind=BindKind.DIRECTORY)
    options = [*CLOSED, "--mount", _mount(tmp)]
    options += [word for bind in spec.binds for word in ("--mount", _mount(bind))]
    # Apptainer takes HOME from the image's own list of users, and lets no option say otherwise.
    home = Bind("home", spec.scratch / ".home.sh", _HOME_SCRIPT, read_only=True, kind=BindKind.FILE)
    options += ["--mount", _mount(home)]
    for path, folder in volume_folders(spec, image).items():
        options += ["--mount", _mount(Bind("volume", folder, path, read_only=False, kind=BindKind.DIRECTORY))]
    options += ["--pwd", str((image or {}).get("WorkingDir") or "/")]
    if is_root and user.uid:
        options += ["--security", f"uid:{user.uid},gid:{user.gid}"]
    if spec.profile is Profile.COMPAT:
        options += ["--writable-tmpfs"]
    if limited:
        limits = spec.limits
        options += ["--memory", str(limits.memory_bytes), "--memory-swap", str(limits.memory_bytes)]
        options += ["--cpus", f"{limits.cpus:g}", "--pids-limit", str(limits.pids)]
    if spec.gpus:
        options += ["--nv"] if spec.gpus == "all" else ["--nv", "--nvccli"]
    words = words_of(spec, image)
    verb = "exec" if words is not None else "run"
    return (verb, *options, sif, *(words if words is not None else spec.command or ()))


def plain_configuration(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is needed of an image's `Config`, which its owner wrote; Refused when it has not that form."""
    words = {key: value.get(key) or [] for key in ("Entrypoint", "Cmd")}
    volumes, folder = value.get("Volumes") or {}, value.get("WorkingDir") or ""
    texts = [folder, *(volumes if isinstance(volumes, dict) else [None])]
    for listed in words.values():
        texts += listed if isinstance(listed, list) else [None]
    if not all(isinstance(text, str) and "\0" not in text for text in texts):
        raise Refused(
            "the image does not say what it runs as an image does", hint="ask the container's owner to build it anew"
        )
    return {**words, "Volumes": volumes, "WorkingDir": folder}


def step_environment(spec: StepSpec, own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the apptainer command: what it needs itself, and what the container is to see."""
    values = {
        name: own[name] for name in ("PATH", "HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS") if name in own
    }
    for line in environment_of(spec, {}):
        name, _, value = line.partition("=")
        if name != "HOME":  # a script in the container says it
            values[f"APPTAINERENV_{name}"] = value
    if spec.gpus and spec.gpus != "all":
        values["NVIDIA_VISIBLE_DEVICES"] = spec.gpus
    return values


def with_rlimits(spec: StepSpec, command: Sequence[str]) -> tuple[str, ...]:
    """Return a command that runs another with caps on its files, by the system's own shell."""
    limits = spec.limits
    script = f'ulimit -c 0 && ulimit -f {-(-limits.file_bytes // 512)} && ulimit -n {limits.open_files} && exec "$@"'
    return ("/bin/sh", "-c", script, "sh", *command)


def words_of(spec: StepSpec, image: Mapping[str, Any] | None) -> tuple[str, ...] | None:
    """Return the words that Docker would run; None when a SIF's own runscript is meant. Refused when there are none."""
    if image is None:
        return None if spec.entrypoint is None else (*spec.entrypoint, *(spec.command or ()))
    entrypoint = spec.entrypoint if spec.entrypoint is not None else tuple(image.get("Entrypoint") or ())
    inherited = () if spec.entrypoint is not None else tuple(image.get("Cmd") or ())
    words = (*entrypoint, *(spec.command if spec.command is not None else inherited))
    if not words:
        raise Refused(
            "the image has no command, and the record declares none",
            hint="ask the container's owner for a version with a command",
        )
    return words


def _mount(bind: Bind) -> str:
    text = io.StringIO()
    fields = ["type=bind", f"source={bind.host}", f"destination={inside(bind.inside)}"]
    csv.writer(text, lineterminator="").writerow([*fields, "ro"] if bind.read_only else fields)
    return text.getvalue()


def volume_folders(spec: StepSpec, image: Mapping[str, Any] | None) -> dict[str, Path]:
    """Return a fresh folder for each volume of the image, by its path inside; they lie, and count, in `/tmp`."""
    bound = {inside(bind.inside) for bind in spec.binds} | {TMP}
    volumes = sorted({inside(path) for path in (image or {}).get("Volumes") or ()} - bound)
    if hopeless := [path for path in volumes if covers_the_system(path)]:
        raise Refused(
            f"the image declares a volume at {hopeless[0]}, which cannot be covered",
            hint="ask the container's owner to build the image without that VOLUME",
        )
    if over := [path for path in volumes if any(place.startswith(f"{path}/") for place in bound)]:
        # Mounted after the task's folders it would hide them, and before them has no place for them.
        raise Refused(
            f"the image declares a volume at {over[0]}, over a folder of its task",
            hint="use Docker or Podman (--engine), or ask the container's owner to build it without that VOLUME",
        )
    return {path: spec.scratch / f".volume-{number}" for number, path in enumerate(volumes)}
