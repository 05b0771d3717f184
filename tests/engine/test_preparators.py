"""Every style of preparator on a real engine, unchanged: reports, manual steps, older ones, and hostile reports."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from medperf_git.errors import ContainerFailed, Interrupted
from medperf_git.records.digests import digest_of
from medperf_git.records.models import Cube, Image, Mount, RunArgs, Task
from medperf_git.runner.events import Event, EventKind
from medperf_git.runner.manifest import content_digest
from medperf_git.runner.one_model import DatasetFolders
from medperf_git.runner.plan import PinnedCube
from medperf_git.runner.preparation import PreparationFolder, WaitsForPerson
from medperf_git.runner.prepare import Prepared, adopt_dataset, prepare_dataset
from medperf_git.runner.report import Report
from medperf_git.runner.tasks import Bench
from tests.engine.conftest import BASE, CREATED, docker, wide

HERE = Path(__file__).parent / "preparators"
TAG = "medperf-git-test/preparators:1"
VOLUMES = "/mlcommons/volumes"


@pytest.fixture(scope="session")
def image(images: dict[str, str]) -> str:
    """The id of the image with all styles."""
    assert images
    docker("build", "-q", "--network", "none", "--build-arg", f"BASE={BASE}", "-t", TAG, str(HERE))
    return docker("image", "inspect", "-f", "{{.Id}}", TAG)


def folders(**names: str) -> dict[str, Mount]:
    return {key: Mount(f"{VOLUMES}/{place}", "file" if "." in place else "directory") for key, place in names.items()}


RAW = folders(data_path="raw_data", labels_path="raw_labels")
REPORT = folders(report_file="report/report.yaml")
STATISTICS = folders(output_path="statistics/statistics.yaml")
DATA, LABELS, METADATA = folders(data_path="data"), folders(labels_path="labels"), folders(metadata_path="metadata")
OUT, OUT_LABELS = folders(output_path="data"), folders(output_labels_path="labels")
Mounts = dict[str, Mount]
SHAPES: dict[str, tuple[Mounts, Mounts, Mounts]] = {
    # what `prepare` writes, what the sanity check reads, what the statistics read
    "manual": (OUT | OUT_LABELS | METADATA | REPORT, DATA | LABELS, DATA | LABELS | METADATA),
    "in-place": (OUT | OUT_LABELS | REPORT, DATA | LABELS | REPORT, DATA | LABELS),
    "older": (OUT, DATA, DATA),
    "unfit": (OUT | OUT_LABELS, DATA | LABELS, DATA | LABELS),
    "hostile": (OUT | OUT_LABELS | REPORT, DATA | LABELS, DATA | LABELS),
}


@pytest.fixture
def make(image: str) -> Callable[..., PinnedCube]:
    """Make a preparator of a style; further words go to its first task."""

    def made(style: str, *words: str) -> PinnedCube:
        written, checked, counted = SHAPES[style]
        tasks = {
            "prepare": Task(RunArgs(command=(style, "prepare", *words)), RAW, written),
            "sanity_check": Task(RunArgs(command=(style, "sanity_check")), checked, None),
            "statistics": Task(RunArgs(command=(style, "statistics")), counted, STATISTICS),
        }
        cube = Cube(
            created=CREATED, member="ana", name="prep", version=1, role="data-preparator", title="Preparator",
            image=Image("DockerImage", TAG, image, "linux/amd64"), tasks=tasks,
        )  # fmt: skip
        return PinnedCube(cube, digest_of(repr(cube).encode()))

    return made


@dataclass
class Site:
    """A hospital that prepares its three cases, and what it was told."""

    data: DatasetFolders
    bench: Bench
    target: Path
    events: list[Event] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)

    def prepare(self, preparator: PinnedCube) -> Prepared:
        self.events.clear()
        self.bench = replace(self.bench, scratch=self.bench.scratch.with_name(f"scratch-{time.monotonic_ns()}"))
        return prepare_dataset(
            preparator, self.data.data, self.data.labels, target=self.target, bench=self.bench,
            on_event=self.events.append, on_report=self.reports.append,
        )  # fmt: skip

    @property
    def folder(self) -> PreparationFolder:
        return PreparationFolder(self.target)

    def verify(self, *cases: str) -> None:
        """Do a person's part in the working folder."""
        for case in cases:
            file = self.folder.work / "output_path" / f"{case}.txt"
            file.write_text(file.read_text().replace("verified: no", "verified: yes"))

    def steps(self, kind: EventKind = EventKind.FINISHED) -> list[str]:
        return [event.step for event in self.events if event.kind is kind]


@pytest.fixture
def site(bench: Bench, data: DatasetFolders, tmp_path: Path) -> Site:
    return Site(data, replace(bench, limits=wide(bench.limits)), tmp_path / "prepared")


def test_a_preparator_without_a_check_of_its_own_counts_at_once(site: Site, make: Callable[..., PinnedCube]) -> None:
    whole = make("older")
    tasks = {name: task for name, task in whole.cube.tasks.items() if name != "sanity_check"}
    unchecked = PinnedCube(replace(whole.cube, tasks=tasks), digest_of(b"unchecked"))
    assert site.prepare(unchecked).statistics == {"num_cases": 3}
    assert site.steps() == ["prepare", "statistics"]


@pytest.mark.parametrize("how", ["exit-0", "exit-1"])
def test_cases_that_wait_for_a_person_are_no_failure_and_it_goes_on_afterwards(
    site: Site, make: Callable[..., PinnedCube], how: str
) -> None:
    preparator = make("manual", how)
    with pytest.raises(WaitsForPerson, match="3 of 3 cases wait for a person") as waits:
        site.prepare(preparator)
    assert str(site.folder.work) in waits.value.hint
    assert [case.comment for case in waits.value.report.waiting] == ['Look at it, then write "verified: yes"'] * 3
    # An empty report file broke it at once: it was started again without one, and nothing was done twice.
    assert site.steps(EventKind.WARNING) == ["prepare"]
    assert site.reports[-1].waiting == waits.value.report.waiting
    assert site.folder.state()["standing"] == "waits-for-a-person"
    assert not (site.target / "data").exists()
    assert site.target.stat().st_mode & 0o777 == 0o700
    site.verify("a", "b")
    with pytest.raises(WaitsForPerson, match="1 of 3 cases waits"):
        site.prepare(preparator)
    assert site.steps(EventKind.WARNING) == []
    site.verify("c")
    prepared = site.prepare(preparator)
    assert site.steps() == ["prepare", "sanity_check", "statistics"]
    assert prepared.statistics == {
        "num_cases": 3, "share_verified": 1.0, "age": {"oldest": 97, "mean": 61.5}, "local": 77,
    }  # fmt: skip
    assert set(prepared.folders.roots) == {"data", "labels", "metadata"}
    assert prepared.content == content_digest(prepared.folders.roots)
    assert site.folder.report() == Report(site.reports[-1].cases)
    assert site.reports[-1].done == 3
    assert site.folder.state()["standing"] == "prepared"


def test_a_report_is_shown_while_it_is_written(site: Site, make: Callable[..., PinnedCube]) -> None:
    site.prepare(make("in-place"))
    stages = [stage.stage for report in site.reports for stage in report.stages()]
    assert stages[-1] == "DONE"
    assert len(stages) >= 2
    assert set(stages) <= {"IDENTIFIED", "CONVERTED", "DONE"}
    assert site.steps(EventKind.WARNING) == []


def test_an_older_preparator_keeps_labels_beside_the_data(site: Site, make: Callable[..., PinnedCube]) -> None:
    prepared = site.prepare(make("older"))
    assert (prepared.cases, prepared.files) == (3, 6)
    assert prepared.folders.labels == prepared.folders.data
    assert set(prepared.folders.roots) == {"data"}


def test_a_check_that_says_no_is_a_failure_and_what_was_mended_is_prepared_anew(
    site: Site, make: Callable[..., PinnedCube]
) -> None:
    preparator = make("unfit")
    with pytest.raises(ContainerFailed, match="sanity_check failed"):
        site.prepare(preparator)
    assert site.folder.state()["standing"] == "failed"
    site.data.data.joinpath("d.txt").write_text("fixed")
    prepared = site.prepare(preparator)
    assert site.steps() == ["prepare", "sanity_check", "statistics"]
    assert prepared.cases == 4


def test_what_is_finished_does_not_run_again_after_a_stop(site: Site, make: Callable[..., PinnedCube]) -> None:
    preparator = make("older")

    def stop_at(event: Event) -> None:
        site.events.append(event)
        if event.kind is EventKind.STARTED and event.step == "statistics":
            site.bench.stop.set()

    with pytest.raises(Interrupted):
        prepare_dataset(
            preparator, site.data.data, site.data.labels, target=site.target, bench=site.bench, on_event=stop_at
        )
    assert site.folder.state()["standing"] == "interrupted"
    site.bench = replace(site.bench, stop=threading.Event())
    site.prepare(preparator)
    assert site.steps(EventKind.KEPT) == ["prepare", "sanity_check"]
    assert site.steps() == ["statistics"]


def test_a_taken_over_file_that_changed_is_taken_over_again(site: Site, make: Callable[..., PinnedCube]) -> None:
    preparator = make("older")
    first = site.prepare(preparator)
    (site.target / "data" / "a.txt").chmod(0o644)
    (site.target / "data" / "a.txt").write_text("torn")
    again = site.prepare(preparator)
    assert site.steps(EventKind.KEPT) == []
    assert again.content == first.content == content_digest(again.folders.roots)


@pytest.mark.parametrize("in_place", [False, True])
def test_prepared_data_is_only_checked_and_counted(
    site: Site, make: Callable[..., PinnedCube], tmp_path: Path, *, in_place: bool
) -> None:
    preparator = make("older")
    given = DatasetFolders(tmp_path / "given", tmp_path / "given")
    target = tmp_path / "adopted"
    for case in "abc":
        given.data.mkdir(exist_ok=True)
        (given.data / f"{case}.txt").write_text(case)
        (given.data / f"{case}.label").write_text(case)

    def adopt() -> Prepared:
        return adopt_dataset(
            preparator, given, target=target, bench=site.bench, in_place=in_place, on_event=site.events.append
        )

    prepared = adopt()
    assert site.steps() == ["sanity_check", "statistics"]
    assert prepared.content == content_digest(given.roots)
    assert (target / "data").exists() != in_place
    assert prepared.folders.data == (given.data if in_place else target / "data")
    site.events.clear()
    adopt()
    assert site.steps() == []
    if not in_place:
        return
    (given.data / "b.label").rename(given.data / "b.lbl")
    with pytest.raises(ContainerFailed, match="sanity_check failed"):
        adopt()


@pytest.mark.parametrize("in_place", [False, True])
def test_reading_prepared_data_can_be_stopped(
    site: Site, make: Callable[..., PinnedCube], tmp_path: Path, *, in_place: bool
) -> None:
    site.bench.stop.set()
    with pytest.raises(Interrupted, match="was stopped"):
        adopt_dataset(make("unfit"), site.data, target=tmp_path / "adopted", bench=site.bench, in_place=in_place)
    assert PreparationFolder(tmp_path / "adopted").state()["standing"] == "interrupted"


@pytest.mark.parametrize(
    ("what", "fault"),
    [("link", "opened"), ("pipe", "no regular file"), ("huge", "at most"), ("deep", "deeper"), ("escapes", "")],
)
def test_t24_t25_a_hostile_report_is_bounded_and_harms_nobody(
    site: Site, make: Callable[..., PinnedCube], what: str, fault: str
) -> None:
    # The file is in a folder of its own from the second start on, where a container may put anything in its place.
    site.folder.path.mkdir(mode=0o700)
    site.folder.write_state("preparing", report_folder=True)
    began = time.monotonic()
    with pytest.raises(WaitsForPerson if what == "escapes" else ContainerFailed) as ended:
        site.prepare(make("hostile", what))
    assert time.monotonic() - began < 60
    report = site.folder.report()
    assert report is not None
    assert fault in report.fault
    if what == "escapes":
        assert isinstance(ended.value, WaitsForPerson)
        assert [(case.case, case.status) for case in report.cases] == [
            ("\x1b[2J::add-mask::x", -1.0), ("b", None), ("c", None),
        ]  # fmt: skip
    assert "root:" not in report.fault
