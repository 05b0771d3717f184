"""A container's own configuration → a cube record: every field kept, the image identified by the engine."""

from typing import Protocol, cast

from medperf_git.errors import Refused, UsageProblem
from medperf_git.records import layout
from medperf_git.records.models import Cube, Image
from medperf_git.records.record import read_record, write_record
from medperf_git.runner.engine import Engine, WantedImage
from medperf_git.runner.importing import ImportedCube


class LocalImages(Protocol):
    """An engine that can describe and fetch an image by name."""

    def load_local(self, reference: str) -> WantedImage:
        """Describe an image that is here."""
        ...

    def pull(self, reference: str) -> None:
        """Fetch an image."""
        ...


def describe_image(engine: Engine, found: ImportedCube, *, local_only: bool) -> Image:
    """Return the image part of a record: id, manifest digest and platform as the engine says, pulled where needed."""
    if found.image_type != "DockerImage":
        hint = "load it, and name the image that was loaded, with container_type: DockerImage"
        raise UsageProblem(f"an image of type {found.image_type} is not imported yet", hint=hint)
    reference = found.image
    images = cast(LocalImages, engine)
    try:
        here = images.load_local(reference)
    except Refused:
        if local_only:
            raise
        images.pull(reference)
        here = images.load_local(reference)
    manifest = None if local_only else here.manifest
    return Image(type="DockerImage", reference=reference, id=here.id, platform=here.platform, manifest=manifest)


def checked(cube: Cube) -> Cube:
    """Return a cube that the schema accepts; `Refused` with every field that does not fit."""
    path = layout.cube_path(cube.ref)
    try:
        data = write_record(cube)
    except (ValueError, TypeError) as error:
        raise UsageProblem(f"the configuration: {error}", hint="correct that value") from error
    reading = read_record(path, data)
    if reading.stored is None or not isinstance(reading.stored.record, Cube):
        said = "; ".join(f"{f.pointer or '/'}: {f.message} ({f.fix})" for f in reading.findings)
        raise Refused(
            f"this container cannot be registered: {said}", hint="correct the configuration, then import again"
        )
    return reading.stored.record
