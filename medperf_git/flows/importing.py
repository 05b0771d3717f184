"""A container's own configuration → a cube record: every field kept, the image identified by its bytes."""

from pathlib import Path
from typing import Protocol, cast

from medperf_git.errors import Refused, UsageProblem
from medperf_git.flows.bench import assets_folder
from medperf_git.flows.context import Context
from medperf_git.flows.unchanged import telling
from medperf_git.records import layout
from medperf_git.records.digests import bare_hex
from medperf_git.records.models import Asset, Cube, Image
from medperf_git.records.record import read_record, write_record
from medperf_git.runner.engine import Engine, OnFetch, WantedImage
from medperf_git.runner.engines import open_engine
from medperf_git.runner.engines.archive import image_in_archive
from medperf_git.runner.fetch import describe_asset
from medperf_git.runner.importing import ImportedCube
from medperf_git.runner.packing import pack_folder
from medperf_git.runner.sif import platform_of_sif


class LocalImages(Protocol):
    """An engine that can describe and fetch an image by name."""

    def load_local(self, reference: str) -> WantedImage:
        """Describe an image that is here."""
        ...

    def pull(self, reference: str, *, progress: OnFetch | None = None) -> None:
        """Fetch an image."""
        ...


def describe_image(
    context: Context, found: ImportedCube, *, engine: str, local_only: bool, image_url: str | None = None
) -> Image:
    """Return the image part of a record; `image_url` is where others fetch an archive or SIF that is a file here."""
    match found.image_type:
        case "DockerImage":
            opened = open_engine(engine)
            try:
                return _docker_image(context, opened, found.image, local_only=local_only)
            finally:
                opened.close()
        case "DockerArchive":
            asset, path = _image_file(context, found, image_url)
            held = image_in_archive(path)
            manifest = held.manifests[0] if held.manifests else None
            return Image("DockerArchive", asset.url, held.id, held.platform, manifest=manifest, archive=asset)
        case "SingularityFile":
            asset, path = _image_file(context, found, image_url)
            return Image("SingularityFile", asset.url, asset.digest, platform_of_sif(path), archive=asset)


def describe_files(context: Context, source: str, *, name: str, url: str | None) -> Asset:
    """Return url, size and digest of additional files: an address, a packed file, or a folder that is packed here."""
    path = Path(source)
    if path.is_dir():
        path = pack_folder(path, context.home / "drafts" / "files" / f"{name}.tar.gz")
        context.say(f"packed {source} into {path}")
    return _described(context, str(path) if path.exists() else source, url, option="--additional-url")


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


def _docker_image(context: Context, engine: Engine, reference: str, *, local_only: bool) -> Image:
    """Return id, manifest digest and platform as the engine says, the image pulled where needed."""
    if not hasattr(engine, "load_local"):
        hint = "use --engine docker or podman, or give an archive (DockerArchive) or a .sif (SingularityFile)"
        raise UsageProblem(f"{engine.info().name} cannot say which image {reference} is", hint=hint)
    images = cast(LocalImages, engine)
    try:
        here = images.load_local(reference)
    except Refused:
        if local_only:
            raise
        images.pull(reference, progress=telling(context.say, f"fetching {reference}"))
        here = images.load_local(reference)
    manifest = None if local_only else here.manifest
    return Image(type="DockerImage", reference=reference, id=here.id, platform=here.platform, manifest=manifest)


def _image_file(context: Context, found: ImportedCube, url: str | None) -> tuple[Asset, Path]:
    """Return the entry about a file that holds an image, and the file as it is kept here."""
    beside = found.config.parent / found.image
    asset = _described(context, str(beside) if beside.is_file() else found.image, url, option="--image-url")
    return asset, assets_folder(context) / bare_hex(asset.digest)


def _described(context: Context, source: str, url: str | None, *, option: str) -> Asset:
    """Fetch a file once, for size and digest; say when nobody else could fetch it."""
    path = Path(source)
    asset = describe_asset(path.resolve().as_uri() if path.exists() else source, assets_folder(context))
    if url is not None:
        return Asset(url, asset.size, asset.digest)
    if path.exists():
        context.say(f"note: only this machine can fetch {asset.url}; say with {option} where others find it")
    return asset
