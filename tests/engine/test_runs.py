"""Whole runs on a real engine: outcomes, resuming, reuse, crashes, an engine that goes away."""

import contextlib
import gc
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, Interrupted
from medperf_git.records.digests import digest_of
from medperf_git.records.models import Asset, MetricValue, Mount
from medperf_git.runner.engine import Limits, Profile
from medperf_git.runner.engines.docker import DockerEngine
from medperf_git.runner.events import Event, EventKind
from medperf_git.runner.execute import execute
from medperf_git.runner.fetch import fetch_asset
from medperf_git.runner.manifest import hashed_file
from medperf_git.runner.one_model import DatasetFolders
from medperf_git.runner.outcome import Outcome, outcome_from_plain
from medperf_git.runner.owners import RUN
from medperf_git.runner.plan import ModelPlan, PinnedCube, RunPlan
from medperf_git.runner.store import RunStore
from medperf_git.runner.tasks import Bench
from medperf_git.runner.unpack import unpack
from tests.engine.conftest import ROOT, RUN_ID, clock, docker, wide

MakeCube = Callable[..., PinnedCube]
MakePlan = Callable[..., RunPlan]


class Site:
    """A site that runs plans and notes what happened."""

    def __init__(self, bench: Bench, data: DatasetFolders, root: Path) -> None:
        self.bench, self.data, self.store = bench, data, RunStore(root / "runs")
        self.events: list[Event] = []
        self.on_event: Callable[[Event], None] = self.events.append

    def run(self, plan: RunPlan, **options: object) -> tuple[Outcome, ...]:
        self.events.clear()
        told, self.on_event = self.on_event, self.events.append
        return execute(
            plan, self.data, bench=replace(self.bench, stop=threading.Event()), store=self.store, now=clock,
            on_event=told, **options,
        )  # fmt: skip

    def steps(self) -> list[tuple[str, str]]:
        return [
            (event.model.name, event.step) for event in self.events if event.kind is EventKind.STARTED and event.model
        ]


@pytest.fixture
def site(bench: Bench, data: DatasetFolders, tmp_path: Path) -> Site:
    return Site(replace(bench, limits=wide(bench.limits)), data, tmp_path)


def my_containers() -> list[str]:
    return docker("ps", "-aq", "--filter", f"label={RUN}={RUN_ID}").split()


def test_a_run_gives_declared_metrics_and_nothing_else(site: Site, make_cube: MakeCube, make_plan: MakePlan) -> None:
    plan = make_plan([make_cube("predict", name="good")], make_cube("score", name="score", role="metrics"))
    (outcome,) = site.run(plan)
    assert outcome.outcome == "complete"
    assert outcome.values == {
        "dice": MetricValue(value=Decimal("0.6"), sd=Decimal("0.1"), n=3, n_failed=0, n_undefined=0),
        "count": MetricValue(value=3, n=3, n_failed=0, n_undefined=0),
    }
    assert outcome.held_back == ("leak",)
    assert (outcome.attempt, outcome.sandbox, outcome.engine.name) == (1, Profile.STRICT, "docker")
    assert site.store.run(plan.run_id).path.stat().st_mode & 0o777 == 0o700
    assert my_containers() == []


def test_a_failing_model_is_an_outcome_and_stops_no_other(site: Site, make_cube: MakeCube, make_plan: MakePlan) -> None:
    models = [make_cube(action, name=action) for action in ("fail", "symlink", "predict-nothing", "predict")]
    outcomes = site.run(make_plan(models, make_cube("score", name="score", role="metrics")), max_parallel=2)
    assert [outcome.reason for outcome in outcomes] == ["exit-code", "invalid-output", "invalid-output", None]
    assert outcomes[0].explanation == "it ended with exit code 7"
    assert outcomes[0].log.endswith("infer.log")


def test_a_failing_evaluation_is_not_told_as_the_models(site: Site, make_cube: MakeCube, make_plan: MakePlan) -> None:
    plan = make_plan([make_cube("predict", name="good")], make_cube("fail", name="score", role="metrics"))
    (outcome,) = site.run(plan)
    assert outcome.reason == "exit-code"
    assert outcome.explanation == f"in the evaluation by {plan.metrics_cube.ref}: it ended with exit code 7"
    assert outcome.log.endswith("evaluate.log")


def test_nothing_finished_is_done_twice(site: Site, make_cube: MakeCube, make_plan: MakePlan) -> None:
    models, score = [make_cube("predict", name="one")], make_cube("score", name="score", role="metrics")
    first = site.run(make_plan(models, score))
    assert site.steps() == [("one", "infer"), ("one", "evaluate")]
    assert site.run(make_plan(models, score)) == first
    assert site.steps() == []
    site.run(make_plan([*models, make_cube("fail", name="two")], score))
    assert site.steps() == [("two", "infer")]
    assert site.run(make_plan([*models, make_cube("fail", name="two")], score))[1].attempt == 1
    assert site.run(make_plan([*models, make_cube("fail", name="two")], score), retry_failed=True)[1].attempt == 2
    assert site.run(make_plan(models, score), again=True)[0].attempt == 2


def test_contract_10_kept_predictions_serve_another_metrics_container(
    site: Site, make_cube: MakeCube, make_plan: MakePlan
) -> None:
    model = make_cube("predict", name="one")
    first = make_plan([model], make_cube("score-out-of-range", name="score", role="metrics"))
    assert site.run(first)[0].reason == "invalid-output"
    second = make_plan([model], make_cube("score", name="score", role="metrics"))
    assert second.run_id != first.run_id
    assert site.run(second)[0].outcome == "complete"
    assert site.steps() == [("one", "evaluate")]


def test_changed_predictions_are_made_again(site: Site, make_cube: MakeCube, make_plan: MakePlan) -> None:
    plan = make_plan([make_cube("predict", name="one")], make_cube("score", name="score", role="metrics"))
    site.run(plan)
    state = site.store.run(plan.run_id).model(plan.models[0].model.ref)
    state.forget("evaluate", "outcome")
    (state.predictions / "a.txt").write_text("tampered")
    site.run(plan)
    assert site.steps() == [("one", "infer"), ("one", "evaluate")]
    assert (state.predictions / "a.txt").read_text() == "prediction of data of a"


def test_contract_3_undefined_values_are_counted_and_never_published(
    site: Site, make_cube: MakeCube, make_plan: MakePlan
) -> None:
    plan = make_plan([make_cube("predict", name="one")], make_cube("score-with-nan", name="score", role="metrics"))
    (outcome,) = site.run(plan)
    assert outcome.values is not None
    assert outcome.values["dice"] == MetricValue(
        value=Decimal("0.6"), sd=Decimal("0.141"), n=2, n_failed=0, n_undefined=1
    )
    assert outcome.values["count"] == MetricValue(n=0, n_failed=0, n_undefined=3)


def test_a_partial_outcome_only_where_the_benchmark_takes_it(
    site: Site, make_cube: MakeCube, make_plan: MakePlan
) -> None:
    models, score = [make_cube("predict-then-fail", name="one")], make_cube("score", name="score", role="metrics")
    assert site.run(make_plan(models, score))[0].reason == "exit-code"
    assert site.run(make_plan(models, score, partial=True))[0].outcome == "partial"


def test_a_partial_outcome_is_cleared_by_a_complete_run(
    site: Site, make_cube: MakeCube, make_plan: MakePlan, limits: Limits
) -> None:
    models = [make_cube("predict-then-fill-tmp", name="one")]
    plan = make_plan(models, make_cube("score", name="score", role="metrics"), partial=True)
    roomy = site.bench
    site.bench = replace(roomy, limits=replace(roomy.limits, file_bytes=4 << 20))
    assert [(one.outcome, one.attempt) for one in site.run(plan)] == [("partial", 1)]
    site.bench = roomy
    assert [(one.outcome, one.attempt) for one in site.run(plan, again=True)] == [("complete", 2)]


def test_a_model_that_may_not_start_any_more_is_passed_over_and_can_come_back(
    site: Site, make_cube: MakeCube, make_plan: MakePlan
) -> None:
    models, score = (
        [make_cube("predict", name=name) for name in ("one", "two")],
        make_cube("score", name="score", role="metrics"),
    )
    plan = make_plan(models, score)
    asked = []

    def admit(model: ModelPlan) -> str:
        asked.append((model.model.ref.name, site.steps()))
        return "its committee said no" if model.model.ref.name == "one" else ""

    (outcome,) = site.run(plan, admit=admit)
    assert outcome.model.ref.name == "two"
    assert asked == [("one", []), ("two", [])]  # just before each start, before any step of it
    run = site.store.run(plan.run_id)
    assert run.model(plan.models[0].model.ref).skipped() == "its committee said no"
    assert run.model(plan.models[0].model.ref).attempts() == 0
    assert run.command()["code"] == 0
    assert [one.outcome for one in site.run(plan)] == ["complete", "complete"]
    assert run.model(plan.models[0].model.ref).skipped() == ""


def test_an_image_that_could_not_be_fetched_is_tried_again_alone(
    site: Site, make_cube: MakeCube, make_plan: MakePlan, tmp_path: Path
) -> None:
    weights, files = tmp_path / "weights.bin", tmp_path / "files.tar.gz"
    weights.write_bytes(b"weights")
    with tarfile.open(files, "w:gz") as tar:
        tar.add(weights, "weights.bin")
    asset = Asset(str(files), files.stat().st_size, hashed_file(files)[1])
    good, away = make_cube("predict", name="good"), make_cube("files", "predict", name="away")
    inputs = away.cube.tasks["infer"].input_volumes | {"additional_files": Mount("/input/files", "directory")}
    infer = replace(away.cube.tasks["infer"], input_volumes=inputs)
    away = PinnedCube(replace(away.cube, tasks={"infer": infer}, additional_files=asset), digest_of(b"away"))
    plan = make_plan([away, good], make_cube("score", name="score", role="metrics"))
    site.bench = replace(
        site.bench, unpack=lambda asset: unpack(fetch_asset(asset, tmp_path / "cache"), tmp_path / "unpacked")
    )
    files.rename(tmp_path / "unplugged")  # the network is gone
    first = site.run(plan, retry_failed=True)
    assert [(one.outcome, one.reason) for one in first] == [("failed", "image-unavailable"), ("complete", None)]
    assert site.steps() == [("away", "infer"), ("good", "infer"), ("good", "evaluate")]
    (tmp_path / "unplugged").rename(files)
    assert [one.outcome for one in site.run(plan, retry_failed=True)] == ["complete", "complete"]
    assert site.steps() == [("away", "infer"), ("away", "evaluate")]


def test_t14_a_changed_dataset_stops_the_run_before(site: Site, make_cube: MakeCube, make_plan: MakePlan) -> None:
    plan = make_plan([make_cube("predict", name="one")], make_cube("score", name="score", role="metrics"))
    (site.data.data / "a.txt").write_text("data of A")
    with pytest.raises(IntegrityBroken, match="before the run"):
        site.run(plan)


def test_t14_a_dataset_that_changes_while_models_run_undoes_them(
    site: Site, make_cube: MakeCube, make_plan: MakePlan
) -> None:
    plan = make_plan([make_cube("slow", "predict", name="one")], make_cube("score", name="score", role="metrics"))
    tell = site.events.append

    def told(event: Event) -> None:
        tell(event)
        if event.kind is EventKind.STARTED:
            (site.data.labels / "a.txt").write_text("changed")

    site.on_event = told
    with pytest.raises(IntegrityBroken, match="after the run"):
        site.run(plan)
    assert site.store.run(plan.run_id).model(plan.models[0].model.ref).outcome() is None


def test_contract_9_a_stopped_run_leaves_no_container_and_goes_on(
    site: Site, make_cube: MakeCube, make_plan: MakePlan
) -> None:
    models = [make_cube("predict", name="one"), make_cube("slow", "predict", name="two")]
    plan = make_plan(models, make_cube("score", name="score", role="metrics"))
    stop_during(site, "two", number=signal.SIGTERM)
    with pytest.raises(Interrupted):
        site.run(plan)
    assert EventKind.STOPPING in {event.kind for event in site.events}
    assert my_containers() == []
    assert [outcome.outcome for outcome in site.run(plan)] == ["complete", "complete"]
    assert ("one", "infer") not in site.steps()


def stop_during(site: Site, model: str, step: str = "infer", *, number: int = signal.SIGINT) -> None:
    """Send a signal a little after a step has begun."""
    tell = site.events.append

    def told(event: Event) -> None:
        tell(event)
        if event.kind is EventKind.STARTED and event.model and (event.model.name, event.step) == (model, step):
            threading.Timer(0.5, os.kill, (os.getpid(), number)).start()

    site.on_event = told


def test_the_same_request_goes_on_where_it_was_stopped(site: Site, make_cube: MakeCube, make_plan: MakePlan) -> None:
    one, two = make_cube("predict", name="one"), make_cube("slow", "predict", name="two")
    score = make_cube("score", name="score", role="metrics")
    plan = make_plan([one, two], score)
    site.run(plan)
    stop_during(site, "two")
    with pytest.raises(Interrupted):
        site.run(plan, again=True)
    run = site.store.run(plan.run_id)
    assert not run.is_finished()
    assert [outcome.attempt for outcome in site.run(plan, again=True)] == [2, 2]
    assert site.steps() == [("two", "infer"), ("two", "evaluate")]
    assert run.is_finished()
    assert [outcome.attempt for outcome in site.run(plan, again=True)] == [3, 3]


def test_what_came_of_a_model_stays_until_its_repetition_ends(
    site: Site, make_cube: MakeCube, make_plan: MakePlan
) -> None:
    plan = make_plan([make_cube("slow", "predict", name="one")], make_cube("score", name="score", role="metrics"))
    (before,) = site.run(plan)
    stop_during(site, "one")
    with pytest.raises(Interrupted):
        site.run(plan, again=True)
    state = site.store.run(plan.run_id).model(before.model.ref)
    assert outcome_from_plain(state.outcome() or {}) == before
    assert state.is_open()
    (after,) = site.run(plan, again=True)
    assert (before.attempt, after.attempt) == (1, 2)
    assert outcome_from_plain(state.outcome() or {}) == after


def test_a_step_that_a_stopped_repetition_finished_is_kept(
    site: Site, make_cube: MakeCube, make_plan: MakePlan
) -> None:
    plan = make_plan([make_cube("predict", name="one")], make_cube("slow", "score", name="score", role="metrics"))
    site.run(plan)
    stop_during(site, "one", "evaluate")
    with pytest.raises(Interrupted):
        site.run(plan, again=True)
    assert [outcome.attempt for outcome in site.run(plan, again=True)] == [2]
    assert site.steps() == [("one", "evaluate")]


def test_a_failure_of_the_stopped_request_is_not_tried_again(
    site: Site, make_cube: MakeCube, make_plan: MakePlan
) -> None:
    models = [make_cube("fail", name="one"), make_cube("slow", "predict", name="two")]
    plan = make_plan(models, make_cube("score", name="score", role="metrics"))
    stop_during(site, "two")
    with pytest.raises(Interrupted):
        site.run(plan, retry_failed=True)
    assert [outcome.attempt for outcome in site.run(plan, retry_failed=True)] == [1, 1]
    assert [outcome.attempt for outcome in site.run(plan, retry_failed=True)] == [2, 1]


def test_t14_what_a_stopped_run_finished_is_undone_when_the_data_changed_since(
    site: Site, make_cube: MakeCube, make_plan: MakePlan
) -> None:
    before, one, two = (
        make_cube("predict", name="before", run_args={"environment": {"N": "0"}}),
        make_cube("predict", name="one", run_args={"environment": {"N": "1"}}),
        make_cube("slow", "predict", name="two"),
    )
    score = make_cube("score", name="score", role="metrics")
    site.run(make_plan([before], score))
    plan = make_plan([before, one, two], score)
    stop_during(site, "two")
    with pytest.raises(Interrupted):
        site.run(plan)
    run = site.store.run(plan.run_id)
    assert [ref.name for ref in run.unverified()] == ["one", "two"]
    (site.data.data / "a.txt").write_text("data of A")
    with pytest.raises(IntegrityBroken):
        site.run(plan)
    outcomes = {ref.name: run.model(ref).outcome() is not None for ref in run.models()}
    assert outcomes == {"before": True, "one": False, "two": False}
    (site.data.data / "a.txt").write_text("data of a")
    assert {outcome.outcome for outcome in site.run(plan)} == {"complete"}
    assert run.unverified() == ()


def test_a_full_disk_is_the_failure_of_the_model_that_fills_it(
    site: Site, make_cube: MakeCube, make_plan: MakePlan, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", disk], check=True)
    try:
        models = [make_cube(action, name=action) for action in ("fill-tmp", "fill-output", "flood-disk", "predict")]
        site.bench, site.store = replace(site.bench, scratch=disk / "scratch"), RunStore(disk / "runs")
        outcomes = site.run(make_plan(models, make_cube("score", name="score", role="metrics")))
        assert [(one.outcome, one.reason) for one in outcomes] == [("failed", "disk")] * 3 + [("complete", None)]
        assert shutil.disk_usage(disk).used < 8 << 20
        with (disk / "ballast").open("wb") as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 65536)
        with pytest.raises(EnvironmentProblem) as problem:
            site.run(make_plan(models, make_cube("score", name="score", role="metrics")), again=True)
        assert problem.value.exit_code == 3
        (disk / "ballast").unlink()
        assert [one.outcome for one in site.run(make_plan(models, make_cube("score", name="score", role="metrics")))][
            -1
        ] == "complete"
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


CLIENT = """
import pickle, sys, threading
from medperf_git.runner.engines.docker import DockerEngine
from medperf_git.runner.execute import execute
from medperf_git.runner.store import RunStore
from medperf_git.runner.tasks import Bench
from medperf_git.runner.unpack import unpack
from tests.engine.conftest import clock
plan, data, limits, scratch, runs, address = pickle.load(open(sys.argv[1], "rb"))
bench = Bench(engine=DockerEngine.connect(address=address), limits=limits, scratch=scratch, run_id=sys.argv[2])
def tell(event):
    print(event.kind, event.model, event.step, flush=True)
execute(plan, data, bench=bench, store=RunStore(runs), now=clock, on_event=tell)
"""


@pytest.fixture
def client(site: Site, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a run in another process."""
    started: list[subprocess.Popen[str]] = []

    def start(plan: RunPlan, address: str = "") -> subprocess.Popen[str]:
        import pickle  # noqa: PLC0415

        what = tmp_path / "client.pickle"
        what.write_bytes(
            pickle.dumps((plan, site.data, site.bench.limits, tmp_path / "client", site.store.root, address))
        )
        process = subprocess.Popen(
            [sys.executable, "-c", CLIENT, str(what), RUN_ID],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    assert process.stderr is not None
    raise AssertionError(process.stderr.read())


def test_contract_9_a_killed_client_is_cleaned_up_after_and_its_run_goes_on(
    site: Site, make_cube: MakeCube, make_plan: MakePlan, client: Callable[..., subprocess.Popen[str]]
) -> None:
    models = [make_cube("predict", name="one"), make_cube("slow", "predict", name="two")]
    plan = make_plan(models, make_cube("score", name="score", role="metrics"))
    process = client(plan)
    wait_for(process, "started ana/two@1 infer")
    time.sleep(1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(my_containers()) == 1
    outcomes = site.run(plan)
    assert [outcome.outcome for outcome in outcomes] == ["complete", "complete"]
    assert [outcome.attempt for outcome in outcomes] == [1, 1]
    assert [event.kind for event in site.events if event.kind is EventKind.REAPED] == [EventKind.REAPED]
    assert site.steps() == [("two", "infer"), ("two", "evaluate")]
    assert my_containers() == []


def test_one_process_at_a_time_holds_a_run(
    site: Site, make_cube: MakeCube, make_plan: MakePlan, client: Callable[..., subprocess.Popen[str]]
) -> None:
    plan = make_plan([make_cube("slow", name="one")], make_cube("score", name="score", role="metrics"))
    process = client(plan)
    wait_for(process, "started ana/one@1 infer")
    with pytest.raises(Exception, match="under way in another process"):
        site.run(plan)
    assert site.store.run(plan.run_id).holder() == process.pid
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert my_containers() == []


def start_engine(folder: Path) -> None:
    subprocess.run([ROOT / "tests" / "support" / "private_dockerd.sh", folder], check=True)


def wait_until_gone(pid_file: Path) -> None:
    if not pid_file.exists():  # a daemon that ends in order takes its file away at last
        return
    pid = pid_file.read_text()
    for _ in range(300):
        stat = Path("/proc", pid, "stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            pid_file.unlink(missing_ok=True)
            return
        time.sleep(0.1)
    raise AssertionError(f"process {pid} does not end")


@pytest.fixture
def private_engine(tmp_path: Path) -> Iterator[str]:
    """An engine of our own, which a test may stop; the address of its socket."""
    folder = Path("/tmp", f"mg-engine-{os.getpid()}")
    start_engine(folder)
    yield f"unix://{folder}/d.sock"
    if (folder / "pid").exists():
        os.kill(int((folder / "pid").read_text()), signal.SIGTERM)
        wait_until_gone(folder / "pid")
    end_what_is_left(folder)
    shutil.rmtree(folder, ignore_errors=True)


def end_what_is_left(folder: Path) -> None:
    """End the containers that outlive a killed engine, and take away its mounts."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
    shims = {pid for pid in parents if str(folder).encode() in _command(pid)} - {os.getpid()}
    for pid in [pid for pid, parent in parents.items() if parent in shims] + sorted(shims):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for line in Path("/proc/mounts").read_text().splitlines()[::-1]:
        if (place := line.split()[1]).startswith(f"{folder}/"):
            subprocess.run(["umount", "-l", place], check=False)


def _command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path("/proc", str(pid), "cmdline").read_bytes()
    return b""


# The docker package leaves a socket to the collector when nothing listens (docker/transport/unixconn.py, connect).
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_an_engine_that_goes_away_loses_nothing_finished(
    site: Site, make_cube: MakeCube, make_plan: MakePlan, private_engine: str, images: dict[str, str], how: int
) -> None:
    save = subprocess.Popen(["docker", "save", images["full"]], stdout=subprocess.PIPE)
    subprocess.run(["docker", "-H", private_engine, "load", "-q"], stdin=save.stdout, check=True, capture_output=True)
    save.wait()
    assert save.stdout is not None
    save.stdout.close()
    folder = Path(private_engine.removeprefix("unix://")).parent
    models = [make_cube("predict", name="one"), make_cube("never-ends", name="two")]
    plan = make_plan(models, make_cube("score", name="score", role="metrics"))
    engine = DockerEngine.connect(address=private_engine)
    site.bench = replace(site.bench, engine=engine)
    second = site.store.run(plan.run_id).model(plan.models[1].model.ref).log("infer", 1)

    def kill() -> None:
        end = time.monotonic() + 120
        while not second.exists() and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.5)
        os.kill(int((folder / "pid").read_text()), how)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(EnvironmentProblem, match="engine") as problem:
        site.run(plan)
    killer.join()
    engine.close()
    assert problem.value.exit_code == 3
    del problem, engine
    gc.collect()  # while the warning is still expected
    run = site.store.run(plan.run_id)
    finished = run.model(plan.models[0].model.ref).outcome()
    assert finished is not None
    assert finished["outcome"] == "complete"
    assert run.model(plan.models[1].model.ref).outcome() is None
    wait_until_gone(folder / "pid")
    if how == signal.SIGKILL:
        return  # what is left of it cannot be started again in the same place
    start_engine(folder)
    site.bench = replace(
        site.bench,
        engine=DockerEngine.connect(address=private_engine),
        limits=replace(site.bench.limits, wall_seconds=2),
    )
    outcomes = site.run(plan)
    site.bench.engine.close()
    assert [(outcome.outcome, outcome.reason) for outcome in outcomes] == [("complete", None), ("failed", "timeout")]
    assert site.steps() == [("two", "infer")]
