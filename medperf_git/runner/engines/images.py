"""The images of an engine behind the Docker API: found by id or manifest, pulled, loaded, removed when we brought them.

A digest decides which image it is, so any mirror serves. What is asked of an image registry is asked with the login
of the docker command (its `config.json` and credential helpers, which the library reads).
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, Refused
from medperf_git.records.digests import Digest
from medperf_git.runner.engine import ImageUnavailable, OnFetch, WantedImage
from medperf_git.runner.engines import archive
from medperf_git.runner.engines.answers import full_name, manifest_of, repository_of
from medperf_git.runner.engines.speaking import BROKEN, APIError, NotFound, speaking
from medperf_git.runner.fetch_told import Layers
from medperf_git.runner.mirrors import Mirror, places_of
from medperf_git.runner.shown import shortened

_IN_USE, _TRIES, _TRY_AGAIN = 409, 20, 0.15
_LONG = 180
_ASK = "check the network, the disk and that you may read this image registry (docker login)"


class Images:
    """The images that one connection sees; it remembers which of them it brought."""

    def __init__(self, api: Any, *, answers: Callable[[], bool], mirrors: tuple[Mirror, ...] = ()) -> None:
        self._api = api
        self._answers = answers
        self._mirrors = mirrors
        self._seen: dict[str, dict[str, Any]] = {}
        self._brought: dict[str, str] = {}
        self._lock = threading.Lock()

    def has(self, wanted: WantedImage) -> bool:
        """Tell whether the image is here, by its id or by the digest of its manifest."""
        with self._fetching():
            return self.find(wanted) is not None

    def resolve(self, wanted: WantedImage, progress: OnFetch | None) -> str:
        """Return the id to run the image by, bringing it if need be."""
        with self._fetching():
            if found := self.find(wanted):
                return found
            with self._lock:  # what two steps want is brought once
                if found := self.find(wanted):
                    return found
                self._bring(wanted, progress)
                if found := self.find(wanted):
                    self._brought[wanted.id] = found
                    return found
        raise ImageUnavailable(
            f"the image {wanted.reference} ({wanted.id[:19]}…) is not here and cannot be fetched",
            hint="its owner must publish it in an image registry by digest, or as an archive; build it here to try it",
        )

    def remove(self, wanted_id: str) -> bool:
        """Remove an image that was brought here by this connection; one that somebody named or uses stays.

        It is named by the id of its record, which newer engines do not run it by.
        """
        image_id = self._brought.get(wanted_id)
        if image_id is None:
            return False
        self._seen.pop(image_id, None)
        for _ in range(_TRIES):
            try:
                gone = self._try_to_remove(image_id)
            except APIError as error:
                if error.status_code != _IN_USE:
                    return False
                time.sleep(_TRY_AGAIN)  # its last container is being put away
                continue
            except BROKEN:
                return False
            self._brought.pop(wanted_id, None)
            return gone
        return False

    def _try_to_remove(self, image_id: str) -> bool:
        """Remove an image; tell whether it was, for one that bears a name is somebody's by now."""
        try:
            image = self._api.inspect_image(image_id)
            if image.get("RepoTags"):
                return False
            for name in image.get("RepoDigests") or ():
                with contextlib.suppress(NotFound):
                    self._api.remove_image(name)
            self._api.remove_image(image_id)
        except NotFound:
            return True
        return True

    def brought(self) -> tuple[str, ...]:
        """Return the ids, as records name them, of the images that were brought and not removed."""
        return tuple(sorted(self._brought))

    def configuration(self, image_id: str) -> dict[str, Any] | None:
        """Return what the image says of itself; None when it is not here."""
        image = self._seen.get(image_id) or self.inspect(image_id)
        return None if image is None else image.get("Config") or {}

    def describe(self, reference: str) -> WantedImage:
        """Describe an image by its name, for a new cube record; Refused when it is not here."""
        image = self.inspect(reference)
        if image is None:
            raise Refused(
                f"there is no image {reference} here", hint=f"build or pull it first: docker pull {reference}"
            )
        platform = "/".join(filter(None, (image.get("Os"), image.get("Architecture"), image.get("Variant"))))
        manifest = manifest_of(reference, image.get("RepoDigests") or ())
        return WantedImage(
            type="DockerImage", reference=reference, id=_id_of(image), platform=platform, manifest=manifest
        )

    def pull(self, reference: str, platform: str, progress: OnFetch | None = None) -> None:
        """Fetch an image by name."""
        with speaking(f"fetch the image {reference}"):
            _consume(self._api.pull(reference, stream=True, decode=True, platform=platform), reference, progress)

    def load(self, data: Any, name: str) -> None:
        """Load the bytes of an archive."""
        with speaking(f"load {name}"):
            _consume(self._api.load_image(data, quiet=True), name, None)

    def find(self, wanted: WantedImage) -> str | None:
        """Return the id by which a wanted image is here; IntegrityBroken when another bears its manifest."""
        names: list[str] = [wanted.id]
        if wanted.manifest:
            names.append(wanted.manifest)
            if wanted.type == "DockerImage":  # the reference of an archive is an address
                places = places_of(full_name(repository_of(wanted.reference)), self._mirrors)
                names += [f"{repository}@{wanted.manifest}" for repository in places]
        accepted = {wanted.id, wanted.manifest}
        for name in names:
            image = self.inspect(name)
            if image is None:
                continue
            if _id_of(image) not in accepted:
                raise IntegrityBroken(
                    f"the image at {wanted.reference} is {_id_of(image)[:19]}…, the record names {wanted.id[:19]}…",
                    hint="do not run it; ask the container's owner which of the two is theirs",
                )
            return str(_id_of(image))
        return None

    def inspect(self, name: str) -> dict[str, Any] | None:
        """Return what the engine knows of an image, None when it has it not."""
        try:
            with speaking("look at an image"):
                image: dict[str, Any] = self._api.inspect_image(name)
        except NotFound:
            return None
        self._seen[_id_of(image)] = image
        return image

    @contextlib.contextmanager
    def _fetching(self) -> Iterator[None]:
        try:
            yield
        except (EnvironmentProblem, NotFound) as error:
            if isinstance(error, ImageUnavailable) or not self._answers():
                raise
            raise ImageUnavailable(str(error), hint=_ASK) from error

    def _bring(self, wanted: WantedImage, progress: OnFetch | None) -> None:
        if wanted.archive is not None:
            self._load(wanted, wanted.archive)
        elif wanted.type == "DockerImage" and wanted.manifest is not None:
            self._pull(wanted, wanted.manifest, progress)

    def _pull(self, wanted: WantedImage, manifest: Digest, progress: OnFetch | None) -> None:
        """Ask every place in turn, the site's mirrors first; the last answer counts when none has it."""
        places = places_of(full_name(repository_of(wanted.reference)), self._mirrors)
        for left, repository in zip(reversed(range(len(places))), places, strict=True):
            try:
                self.pull(f"{repository}@{manifest}", wanted.platform, progress)
                return
            except (EnvironmentProblem, NotFound):
                if not left or not self._answers():
                    raise

    def _load(self, wanted: WantedImage, path: Path) -> None:
        known = archive.ids_in_archive(path)
        if not {wanted.id, wanted.manifest} & set(known):
            raise IntegrityBroken(
                f"the archive holds the image {known[0][:19]}…, the record names {wanted.id[:19]}…",
                hint="nothing was loaded; ask the container's owner for the right archive",
            )
        self.load(archive.without_tags(path), path.name)


def _end_of(error: str) -> str:
    """Return the end of a long error: the cause stands there."""
    return shortened(error if len(error) <= _LONG else "... " + error[-_LONG:])


def _id_of(image: dict[str, Any]) -> Digest:
    """Return an image's id; Podman leaves out the name of its digest in some answers."""
    found = str(image["Id"])
    return Digest(found if ":" in found else f"sha256:{found}")


def _consume(events: Iterable[Any], name: str, progress: OnFetch | None) -> None:
    """Read a progress stream to its end; ImageUnavailable when it reports an error."""
    layers, error = Layers(), ""
    for event in events:
        record = json.loads(event) if isinstance(event, bytes | str) else event
        if not isinstance(record, dict):
            continue
        error = error or str(record.get("error") or "")
        if progress is not None and layers.take(record):
            progress(layers.done, layers.total)
    if error:
        raise ImageUnavailable(f"the engine could not take {name}: {_end_of(error)}", hint=_ASK)
