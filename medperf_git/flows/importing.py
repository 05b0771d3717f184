"""`container_config.yaml` → the values of a cube record: every field kept, the image identified by the engine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from medperf_git.errors import Refused, UsageProblem
from medperf_git.records import layout
from medperf_git.records.foreign import load_foreign_yaml
from medperf_git.records.models import Cube
from medperf_git.records.names import Ref
from medperf_git.records.record import read_record, write_value
from medperf_git.records.strict_yaml import Unreadable
from medperf_git.runner.engine import Engine, WantedImage

KNOWN_TYPES = ("DockerImage",)
_KEYS = frozenset({"container_type", "image", "tasks", "name", "description"})


class LocalImages(Protocol):
    """An engine that can describe and fetch an image by name."""

    def load_local(self, reference: str) -> WantedImage:
        """Describe an image that is here."""
        ...

    def pull(self, reference: str) -> None:
        """Fetch an image."""
        ...


def read_config(path: Path) -> dict[str, Any]:
    """Read a configuration file; `UsageProblem` names what is not understood, so that nothing is lost in silence."""
    try:
        value = load_foreign_yaml(path.read_bytes())
    except Unreadable as error:
        raise UsageProblem(f"{path}: {error}", hint="correct the YAML") from error
    if not isinstance(value, dict) or not {"container_type", "image", "tasks"} <= value.keys():
        hint = "it needs container_type, image and tasks; see the documentation of `cube import`"
        raise UsageProblem(f"{path} is no container configuration", hint=hint)
    unknown = sorted(str(key) for key in value.keys() - _KEYS)
    if unknown:
        raise UsageProblem(
            f"{path}: {', '.join(unknown)} is not understood", hint=f"known keys: {', '.join(sorted(_KEYS))}"
        )
    if value["container_type"] not in KNOWN_TYPES:
        hint = f"this version imports: {', '.join(KNOWN_TYPES)}"
        raise UsageProblem(f"{path}: container_type {value['container_type']} is not imported yet", hint=hint)
    return cast(dict[str, Any], value)


def describe_image(engine: Engine, reference: str, *, local_only: bool) -> dict[str, Any]:
    """Return the image part of a record: id, manifest digest and platform as the engine says, pulled where needed."""
    images = cast(LocalImages, engine)
    try:
        found = images.load_local(reference)
    except Refused:
        if local_only:
            raise
        images.pull(reference)
        found = images.load_local(reference)
    image: dict[str, Any] = {
        "type": found.type,
        "reference": reference,
        "id": str(found.id),
        "platform": found.platform,
    }
    if found.manifest is not None and not local_only:
        image["manifest"] = str(found.manifest)
    return image


def build_cube(values: Mapping[str, Any]) -> Cube:
    """Check the values of a cube draft against the schema; `Refused` with every field that does not fit."""
    value = {"kind": "cube", "spec": 1, **{key: inner for key, inner in values.items() if inner is not None}}
    path = layout.cube_path(Ref(str(values["member"]), str(values["name"]), 1))
    try:
        data = write_value(layout.Kind.CUBE, _plain(value))
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageProblem(f"the configuration: {error}", hint="correct that value") from error
    reading = read_record(path, data)
    if reading.stored is None or not isinstance(reading.stored.record, Cube):
        said = "; ".join(f"{f.pointer or '/'}: {f.message} ({f.fix})" for f in reading.findings)
        raise Refused(
            f"this container cannot be registered: {said}", hint="correct the configuration, then import again"
        )
    return reading.stored.record


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        cleaned = {str(key): _plain(inner) for key, inner in value.items() if inner is not None}
        return {key: inner for key, inner in cleaned.items() if inner != {}} or {}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value
