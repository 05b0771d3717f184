"""Archives and files that hold images, and that somebody else made."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medperf_git.errors import IntegrityBroken, MedperfGitError, Refused
from medperf_git.records.digests import digest_of
from medperf_git.runner.dataset_archive import read_head
from medperf_git.runner.engines.archive import ids_in_archive, image_in_archive, without_tags
from medperf_git.runner.sif import platform_of_sif

CONFIG = json.dumps({"os": "linux", "architecture": "arm64", "variant": "v8", "rootfs": {}}).encode()
NAME = hashlib.sha256(CONFIG).hexdigest()
LAYER = b"\0" * 1024


def packed(files: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for name, data in files.items():
            info = data if isinstance(data, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(data) if isinstance(data, bytes) else 0
            archive.addfile(info, io.BytesIO(data) if isinstance(data, bytes) else None)
    return whole.getvalue()


def manifest(**changes: Any) -> bytes:
    return json.dumps(
        [{"Config": f"{NAME}.json", "RepoTags": ["postgres:latest"], "Layers": ["l/layer.tar"]} | changes]
    ).encode()


def saved(**files: Any) -> dict[str, Any]:
    return {f"{NAME}.json": CONFIG, "l/layer.tar": LAYER, "manifest.json": manifest()} | files


def descriptor(data: bytes, **more: Any) -> dict[str, Any]:
    return {"digest": f"sha256:{hashlib.sha256(data).hexdigest()}", "size": len(data)} | more


def layout(*, nested: bool = False, platforms: int = 1) -> dict[str, bytes]:
    image = json.dumps({"config": descriptor(CONFIG), "layers": [descriptor(LAYER)]}).encode()
    entries = [descriptor(image, platform={"os": "linux", "architecture": f"a{n}"}) for n in range(platforms)]
    entries.append(descriptor(b"x", platform={"os": "unknown", "architecture": "unknown"}))
    index = json.dumps({"manifests": entries}).encode()
    blobs = [CONFIG, LAYER, image]
    if nested:
        blobs.append(index)
        index = json.dumps({"manifests": [descriptor(index)]}).encode()
    named = {f"blobs/sha256/{hashlib.sha256(data).hexdigest()}": data for data in blobs}
    return {"oci-layout": b"{}", "index.json": index} | named


def written(folder: Path, data: bytes) -> Path:
    path = folder / "image.tar"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("files", [saved(), layout(), layout(nested=True), {f"./{k}": v for k, v in saved().items()}])
def test_an_archive_is_known_by_the_bytes_of_its_configuration(
    tmp_path: Path, pack: Callable[[bytes], bytes], files: dict[str, bytes]
) -> None:
    image = image_in_archive(written(tmp_path, pack(packed(files))))
    assert (image.id, image.platform) == (digest_of(CONFIG), "linux/arm64/v8")
    assert ids_in_archive(tmp_path / "image.tar")[0] == digest_of(CONFIG)


def test_what_the_engine_loads_bears_no_name_and_an_index_gets_a_manifest(tmp_path: Path) -> None:
    for files in (saved(repositories=b"{}"), layout()):
        loaded = b"".join(without_tags(written(tmp_path, packed(files))))
        with tarfile.open(fileobj=io.BytesIO(loaded)) as archive:
            names = archive.getnames()
            file = archive.extractfile("manifest.json")
            assert file is not None
            (entry,) = json.loads(file.read())
        assert entry["RepoTags"] is None
        assert {entry["Config"], *entry["Layers"]} <= set(names)
        assert "repositories" not in names


def loaded_by_an_engine(folder: Path, data: bytes) -> dict[str, Any]:
    """Return the JSON an engine would read: names made plain, keys in any case, the last of two entries counts."""
    whole = b"".join(without_tags(written(folder, data)))
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        files = {
            str(member.pax_headers.get("path", member.name)): archive.extractfile(member)
            for member in archive
            if member.isreg()
        }
        return {name: json.loads(file.read()) for name, file in files.items() if file and name.endswith(".json")}


def test_t16_no_spelling_of_a_key_carries_a_name_to_the_engine(tmp_path: Path) -> None:
    named = json.dumps([json.loads(manifest())[0] | {"repotags": ["postgres:latest"], "REPOTAGS": ["b:1"]}]).encode()
    (image,) = loaded_by_an_engine(tmp_path, packed(saved(**{"manifest.json": named})))["manifest.json"]
    assert image == {"Config": f"{NAME}.json", "Layers": ["l/layer.tar"], "RepoTags": None}
    files: dict[str, bytes | tarfile.TarInfo] = dict(layout())
    index = json.loads(layout()["index.json"])
    for entry in index["manifests"]:
        entry["Annotations"] = {"io.containerd.image.name": "postgres:latest"}
    files["index.json"] = json.dumps(index | {"Annotations": {"a": "b"}}).encode()
    assert "postgres" not in json.dumps(loaded_by_an_engine(tmp_path, packed(files)))


def test_t16_no_header_of_its_own_gives_a_file_another_name_in_the_engine(tmp_path: Path) -> None:
    odd = tarfile.TarInfo("x.json")
    odd.pax_headers = {"path": "manifest.json", "GNU.sparse.name": "x.json"}
    data = manifest()
    odd.size = len(data)
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        archive.addfile(odd, io.BytesIO(data))
        for name, content in saved().items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    files = loaded_by_an_engine(tmp_path, whole.getvalue())
    assert set(files) == {"x.json", "manifest.json", f"{NAME}.json"}
    assert files["manifest.json"][0]["RepoTags"] is None


def test_t16_a_header_that_would_fill_the_memory_is_refused_unread(tmp_path: Path) -> None:
    large = tarfile.TarInfo("x")
    large.type, large.size = tarfile.XHDTYPE, 7 << 30
    block = large.tobuf(tarfile.USTAR_FORMAT)
    with pytest.raises(Refused, match="is not an image archive"):
        image_in_archive(written(tmp_path, block + packed(saved())))
    with pytest.raises(Refused, match="no dataset that was exported"):
        read_head(written(tmp_path, block + b"\0" * 1024))


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_a_layer_that_stands_there_twice_may_be_a_link(tmp_path: Path) -> None:
    twice = link("m/layer.tar", f"../{NAME}/layer.tar")
    assert image_in_archive(written(tmp_path, packed(saved(twice=twice)))).id == digest_of(CONFIG)


def plain(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = tarfile.CONTTYPE
    return info


TWO = json.dumps([json.loads(manifest())[0], {"RepoTags": ["b:1"]}]).encode()
HOSTILE: dict[str, tuple[bytes, str]] = {
    "two images": (packed(saved(**{"manifest.json": TWO})), r"exactly one image, but 2 \(postgres:latest, b:1\)"),
    "two platforms": (packed(layout(platforms=2)), "exactly one image, but 2"),
    "no image": (packed({"x": b""}), "no readable manifest.json"),
    "no list": (packed(saved(**{"manifest.json": b"{}"})), "no list of images"),
    "a configuration outside": (
        packed(saved(**{"manifest.json": manifest(Config="../../etc/passwd")})), "names no image"),
    "another configuration": (packed(saved(**{f"{NAME}.json": b"{}"})), "not what its name promises"),
    "a configuration that is not there": (
        packed(saved(**{"manifest.json": manifest(Config="0" * 64 + ".json")})), "no readable 000"),
    "a deep manifest": (packed(saved(**{"manifest.json": b"[" * 5000})), "is not the JSON of an image archive"),
    "a key twice": (packed(saved(**{"manifest.json": b'[{"Config":"a","Config":"b"}]'})), "a key stands there twice"),
    "a large manifest": (packed(saved(**{"manifest.json": b" " * (5 << 20)})), "no readable manifest.json"),
    "a path outside": (packed(saved(**{"../x": b""})), r"\.\./x lies outside"),
    "an absolute path": (packed(saved(**{"/x": b""})), "/x lies outside"),
    "a name read in two ways": (packed(saved(**{"././manifest.json": manifest()})), "may read as another"),
    "a name that ends like a folder": (packed(saved(x=plain("manifest.json/"))), "may read as another"),
    "a link": (packed(saved(x=link("x", "/etc/passwd"))), "x is a link"),
    "a hard link": (packed(saved(x=link("x", "manifest.json", tarfile.LNKTYPE))), "x is neither a file nor a folder"),
    "a device": (packed(saved(x=link("x", "", tarfile.BLKTYPE))), "x is neither"),
    "one name twice": (packed(saved(**{"./manifest.json": manifest()})), "manifest.json stands there twice"),
    "no tar": (b"\0" * 20, "is not an image archive"),
    "half a gzip": (gzip.compress(packed(saved()))[:90], "is not an image archive"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_t16_an_archive_that_is_no_plain_image_is_refused_by_name(tmp_path: Path, name: str) -> None:
    data, said = HOSTILE[name]
    with pytest.raises((Refused, IntegrityBroken), match=said):
        image_in_archive(written(tmp_path, data))
    with pytest.raises(MedperfGitError):
        ids_in_archive(tmp_path / "image.tar")


def test_a_singularity_file_says_its_platform(tmp_path: Path) -> None:
    header = b"#!/usr/bin/env run-singularity\n".ljust(32, b"\0") + b"SIF_MAGIC\x00" + b"01\x00" + b"02\x00"
    (tmp_path / "a.sif").write_bytes(header + b"\0" * 100)
    assert platform_of_sif(tmp_path / "a.sif") == "linux/amd64"
    (tmp_path / "b.sif").write_bytes(b"x" * 100)
    with pytest.raises(Refused, match="no Singularity image"):
        platform_of_sif(tmp_path / "b.sif")
