"""A prepared dataset travels in one file: whole, compared byte by byte, and never over another."""

import io
import json
import sys
import tarfile
from dataclasses import replace
from types import SimpleNamespace

import pytest

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, Refused, UsageProblem
from medperf_git.flows.carrying_data import export_dataset, import_dataset, remove_leftovers
from medperf_git.flows.prepared import Prepared, find_prepared, iter_prepared, save
from medperf_git.runner import dataset_archive
from medperf_git.runner.dataset_archive import HEAD
from medperf_git.runner.disk import DiskFull
from medperf_git.runner.manifest import manifest_of
from medperf_git.runner.preparation import PreparationFolder
from tests.support.flows_world import world

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no containers run there, and nothing is prepared")

STEM = "0123456789ab.clinic.fresh"
HEX = "ab" * 32


def context(home):
    return SimpleNamespace(home=home, say=print)


def prepared(home, text="1\n", *, number=1, **more):
    folder = home / "datasets" / f"{STEM}.{number}"
    for role, content in (("data", "a,b\n"), ("labels", text)):
        (folder / role / "deep").mkdir(parents=True)
        (folder / role / "deep" / "x.csv").write_text(content)
    (folder / "data" / "empty folder").mkdir()
    (folder / "report.yaml").write_text("status: {a: 9}\n")
    (folder / "statistics").write_text("num_cases: 60\n")
    roots = {"data": folder / "data", "labels": folder / "labels"}
    entries = manifest_of(roots)
    PreparationFolder(folder).write_manifest(list(entries))
    one = Prepared(
        folder=folder, name="fresh", title="Fresh", preparator=world().benchmark().record.data_preparator,
        benchmark="ana/cells@1", cases=60, content=dataset_archive.digest_of_entries(entries), files=2, salt=HEX,
        statistics={"num_cases": 60}, published=("num_cases",),
        words={"terms": "t", "acquisition": {"country": "FI"}}, seconds=1.5, **more,
    )  # fmt: skip
    save(one)
    return one


@pytest.fixture
def archive(tmp_path):
    prepared(tmp_path / "one")
    return export_dataset(context(tmp_path / "one"), "fresh", tmp_path)


def members(archive):
    with tarfile.open(archive) as opened:
        return [(member, opened.extractfile(member).read() if member.isreg() else b"") for member in opened]


def rewritten(archive, change):
    """Write an archive again with other members."""
    target = archive.with_name("changed.tar")
    with tarfile.open(target, "w") as opened:
        for member, data in change(members(archive)):
            member.size = len(data)
            opened.addfile(member, io.BytesIO(data))
    return target


def with_bytes(name, change):
    def changed(found):
        return [(member, change(data) if member.name == name else data) for member, data in found]

    return changed


def with_json(member, /, **changes):
    return with_bytes(member, lambda data: json.dumps(json.loads(data) | changes).encode())


def test_all_that_is_known_travels_and_is_the_same_there(tmp_path, archive):
    assert archive == tmp_path / "fresh.1.dataset.tar"
    assert archive.stat().st_mode & 0o777 == 0o600
    there = import_dataset(context(tmp_path / "two"), archive)
    here = find_prepared(tmp_path / "one", "fresh")
    assert replace(there, folder=here.folder) == here
    assert there.folder.stat().st_mode & 0o777 == 0o700
    assert (there.folder / "report.yaml").read_text() == "status: {a: 9}\n"
    assert manifest_of(there.roots) == manifest_of(here.roots)
    assert sorted(entry.name for entry in (tmp_path / "two" / "datasets").iterdir()) == [
        ".import.lock", f"{STEM}.1",
    ]  # fmt: skip


def test_nothing_is_overwritten(tmp_path, archive):
    with pytest.raises(Refused, match="exists already"):
        export_dataset(context(tmp_path / "one"), "fresh", archive)
    with pytest.raises(UsageProblem, match="no folder"):
        export_dataset(context(tmp_path / "one"), "fresh", tmp_path / "none" / "x.tar")
    with pytest.raises(Refused, match="here already"):
        import_dataset(context(tmp_path / "one"), archive)
    other = prepared(tmp_path / "two", "other\n")
    there = import_dataset(context(tmp_path / "two"), archive)
    assert (there.number, find_prepared(tmp_path / "two", "fresh")) == (2, there)
    assert (other.folder / "labels" / "deep" / "x.csv").read_text() == "other\n"


def test_a_dataset_in_its_place_arrives_as_a_copy(tmp_path):
    one = prepared(tmp_path / "one")
    places = {}
    for role, root in one.roots.items():
        places[role] = str(root.rename(tmp_path / role))
    save(replace(one, places=places))
    archive = export_dataset(context(tmp_path / "one"), "fresh", tmp_path / "x.tar")
    there = import_dataset(context(tmp_path / "two"), archive)
    assert there.places == {}
    assert there.roots["data"] == there.folder / "data"


def test_what_has_changed_is_not_packed_and_leaves_no_file(tmp_path):
    one = prepared(tmp_path / "one")
    (one.folder / "labels" / "deep" / "x.csv").write_text("2\n")
    with pytest.raises(IntegrityBroken, match=r"labels/deep/x\.csv"):
        export_dataset(context(tmp_path / "one"), "fresh", tmp_path / "x.tar")
    (one.folder / "labels" / "deep" / "x.csv").unlink()
    with pytest.raises(EnvironmentProblem):
        export_dataset(context(tmp_path / "one"), "fresh", tmp_path / "x.tar")
    assert not [entry for entry in tmp_path.iterdir() if "x.tar" in entry.name]


def test_a_name_that_no_archive_carries_is_told_before_anything_is_written(tmp_path):
    one = prepared(tmp_path / "one")
    (one.folder / "data" / "deep" / "x.csv").rename(one.folder / "data" / "deep" / "größe.csv")
    entries = manifest_of(one.roots)
    PreparationFolder(one.folder).write_manifest(list(entries))
    save(replace(one, content=dataset_archive.digest_of_entries(entries)))
    with pytest.raises(Refused, match="no archive carries"):
        export_dataset(context(tmp_path / "one"), "fresh", tmp_path / "x.tar")


def test_a_full_disk_is_told_before_the_first_byte(tmp_path, archive, monkeypatch):
    monkeypatch.setattr(dataset_archive, "room_for_containers", lambda _: 10)
    with pytest.raises(DiskFull, match="room for"):
        export_dataset(context(tmp_path / "one"), "fresh", tmp_path / "x.tar")
    with pytest.raises(DiskFull, match="room for"):
        import_dataset(context(tmp_path / "two"), archive)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (with_bytes("data/deep/x.csv", lambda _: b"a,c\n"), IntegrityBroken),
        (with_bytes("manifest", lambda data: data[:-1]), IntegrityBroken),
        (with_bytes("manifest", lambda _: b"data\0../../x\x001\0" + HEX.encode() + b"\n"), IntegrityBroken),
        (lambda found: [one for one in found if one[0].name != "labels/deep/x.csv"], IntegrityBroken),
        (lambda found: [one for one in found if one[0].name != HEAD], Refused),
        (lambda found: [one for one in found if one[0].name != "dataset.json"], Refused),
        (lambda found: [*found, (tarfile.TarInfo("evil.sh"), b"x")], Refused),
        (lambda found: [*found, (tarfile.TarInfo("data/../../evil"), b"x")], Refused),
        (lambda found: [*found, (tarfile.TarInfo("data/more.csv"), b"x")], IntegrityBroken),
        (with_json(HEAD, folder="../../evil.clinic.fresh.1"), Refused),
        (with_json(HEAD, folder="0123456789ab.clinic.other.1"), Refused),
        (with_json(HEAD, files=-1), Refused),
        (with_json(HEAD, format=2), Refused),
        (with_json(HEAD, content="sha256:" + HEX), IntegrityBroken),
        (with_json("dataset.json", places={"data": "/etc"}), Refused),
        (with_json("dataset.json", name="../x"), Refused),
        (with_json("dataset.json", cases="many"), Refused),
        (with_json("dataset.json", statistics={"num_cases": "1e999999999"}), Refused),
        (with_json("dataset.json", words={"acquisition": {"country": ["x"]}}), Refused),
        (with_json("dataset.json", words={"unknown": 1}), Refused),
        (with_json("dataset.json", salt="short"), Refused),
        (with_json("dataset.json", seconds="x"), Refused),
        (with_json("dataset.json", content="sha256:" + HEX), Refused),
        (with_bytes("dataset.json", lambda _: b"[" * 100_000), Refused),
    ],
)
def test_t74_a_damaged_or_hostile_archive_is_refused_and_leaves_nothing(tmp_path, archive, change, error):
    with pytest.raises(error):
        import_dataset(context(tmp_path / "two"), rewritten(archive, change))
    assert list(iter_prepared(tmp_path / "two")) == []
    assert [entry.name for entry in (tmp_path / "two" / "datasets").glob("*")] in ([], [".import.lock"])
    assert not list(tmp_path.glob("**/evil*"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_t74_what_is_no_plain_file_is_refused_by_name(tmp_path, archive, kind):
    odd = tarfile.TarInfo("data/odd")
    odd.type, odd.linkname = kind, "/etc/passwd"
    with pytest.raises(Refused, match="data/odd"):
        import_dataset(context(tmp_path / "two"), rewritten(archive, lambda found: [*found, (odd, b"")]))


@pytest.mark.parametrize("data", [b"", b"no tar at all", b"\x1f\x8b broken", b"x" * 2048])
def test_what_is_no_archive_is_refused(tmp_path, data):
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(Refused, match="no dataset that was exported"):
        import_dataset(context(tmp_path / "two"), tmp_path / "x.tar")


def test_a_torn_archive_is_refused(tmp_path, archive):
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises((Refused, IntegrityBroken)):
        import_dataset(context(tmp_path / "two"), archive)
    assert list(iter_prepared(tmp_path / "two")) == []


def test_what_a_killed_import_left_goes_with_the_next(tmp_path, archive):
    left = tmp_path / "two" / "datasets" / ".import" / "dead"
    left.mkdir(parents=True)
    (left / "x").touch()
    import_dataset(context(tmp_path / "two"), archive)
    assert not left.exists()
    left.mkdir(parents=True)
    remove_leftovers(tmp_path / "two")
    assert not left.parent.exists()
    assert len(list(iter_prepared(tmp_path / "two"))) == 1


def test_files_that_are_not_there_are_not_taken_for_a_place_that_cannot_be_written(tmp_path):
    one = prepared(tmp_path / "one")
    (one.folder / "data" / "deep" / "x.csv").unlink()
    with pytest.raises(EnvironmentProblem, match=r"deep/x\.csv cannot be read: No such file") as refused:
        export_dataset(context(tmp_path / "one"), "fresh", tmp_path)
    assert "its disk is mounted" in refused.value.hint
    assert not list(tmp_path.glob("*.tar"))
