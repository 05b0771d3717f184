"""A proposal with twelve different faults is repaired from one report: all are named at once, each with its fix."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from medperf_git.flows.reports import REPORTS
from medperf_git.flows.vouching import Standpoint, sign_record
from medperf_git.records import layout
from medperf_git.records import models as m
from medperf_git.records.digests import digest_of
from medperf_git.records.names import MemberName
from medperf_git.records.record import write_record
from tests.support.flows_world import TASKS
from tests.support.people import Human, Town, git_environ

TIME = "2025-06-02T10:00:00Z"
BOB = MemberName("bob")
Files = dict[str, bytes]


def cube(name: str, *, version: int = 1, role: m.CubeRole = "model", tasks: dict[str, m.Task] | None = None) -> m.Cube:
    image = m.Image("DockerImage", f"{name}:1", digest_of(name.encode()), "linux/amd64")
    return m.Cube(
        created=TIME,
        member=BOB,
        name=name,
        version=version,
        role=role,
        title=name,
        image=image,
        tasks=TASKS[role] if tasks is None else tasks,
    )


def at(name: str, version: int = 1) -> str:
    return f"cubes/bob/{name}/{version}.yaml"


DATA, MADE = {"data_path": m.Mount("/in", "directory")}, {"output_path": m.Mount("/out", "directory")}
STAGES = {
    "prepare": m.Task(input_volumes=DATA, output_volumes=MADE),
    "sanity_check": m.Task(input_volumes=DATA),
    "statistics": m.Task(input_volumes=DATA, output_volumes=MADE),
}
PREPARE = cube("prepare", role="data-preparator", tasks=STAGES)
PREPARE_REF = m.Reference(PREPARE.ref, digest_of(write_record(PREPARE)))
DATASET = m.Dataset(
    created=TIME,
    member=BOB,
    name="cohort",
    version=1,
    title="Cohort",
    preparator=PREPARE_REF,
    cases=m.Cases(exact=60),
    content=m.Content("mgds-v1", digest_of(b"cohort")),
)
LOADER = {"infer": replace(TASKS["model"]["infer"], run_args=m.RunArgs(environment={"LD_PRELOAD": "/x.so"}))}


@dataclass
class Draft:
    """Files of a proposal by path; which are executable and which records nobody signed."""

    files: Files
    executable: set[str] = field(default_factory=set)
    unsigned: set[str] = field(default_factory=set)


def faulty() -> Draft:
    """Return one proposal with a fault of each kind in `REPAIRS`, and things without a fault between them."""
    stray = layout.bundle_of(at("absent"), "0" * 16)
    draft = {
        "notes.txt": b"hello\n",
        at("prepare"): write_record(PREPARE),
        at("fine"): write_record(cube("fine")),
        at("canon"): b"# mine\n" + write_record(cube("canon")),
        at("extra"): write_record(cube("extra")) + b"colour: red\n",
        at("misplaced"): write_record(cube("elsewhere")),
        at("skipped", 2): write_record(cube("skipped", version=2)),
        at("my-net"): write_record(cube("my-net")),
        at("mynet"): write_record(cube("mynet")),
        at("idle"): write_record(cube("idle", tasks={"train": TASKS["model"]["infer"]})),
        at("loader"): write_record(cube("loader", tasks=LOADER)),
        "datasets/bob/cohort/1.yaml": write_record(
            replace(DATASET, preparator=m.Reference(PREPARE.ref, digest_of(b"another")))
        ),
        at("program"): write_record(cube("program")),
        at("nameless"): write_record(cube("nameless")),
        stray: b"{}\n",
    }
    return Draft(draft, {at("program")}, {at("nameless")})


def removed(draft: Draft, path: str) -> None:
    del draft.files[path]


def written(data: bytes, *, to: str | None = None) -> Callable[[Draft, str], None]:
    def repair(draft: Draft, path: str) -> None:
        del draft.files[path]
        draft.files[to or path] = data

    return repair


def renamed(draft: Draft, path: str) -> None:
    name = f"net-{len(draft.files)}-{len(path)}"  # each of the two gets a name of its own
    del draft.files[path]
    draft.files[at(name)] = write_record(cube(name))


# Rule → (words of the fix as the report says it, what a person does who reads it).
REPAIRS: dict[str, tuple[str, Callable[[Draft, str], None]]] = {
    "layout": ("remove it", removed),
    "canonical": ("fmt", written(write_record(cube("canon")))),
    "schema": ("remove it", written(write_record(cube("extra")))),
    "path": ("move", written(write_record(cube("elsewhere")), to=at("elsewhere"))),
    "version": ("use version 1", written(write_record(cube("skipped")), to=at("skipped"))),
    "lookalike": ("choose another name", renamed),
    "cube-task": ("infer", written(write_record(cube("idle")))),
    "cube-environment": ("image", written(write_record(cube("loader")))),
    "reference": ("make the record anew", written(write_record(DATASET))),
    "git-object": ("leave this entry out", removed),
    "unsigned": ("sign", lambda draft, path: draft.unsigned.discard(path)),
    "stray-signature": ("leave it out", removed),
}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    town = Town(tmp_path_factory.mktemp("town"))
    town.found("ana")
    town.join("bob")
    return town


def commit(town: Town, draft: Draft) -> str:
    """Sign every record as bob and commit everything on main."""
    bob = town.people["bob"]
    registry = bob.run("registry", "show", "--json").value["id"]
    standpoint = Standpoint(registry, town.main, "bob", bob.clock())
    folder = town.folder / f"clone-{len(list(town.folder.iterdir()))}"
    run("git", "clone", "-q", str(town.repository), str(folder))
    for path, data in draft.files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        place.chmod(0o755 if path in draft.executable else 0o644)
        if layout.place_of(path) and path not in draft.unsigned:
            bundle, signed = sign_record(path, data, signer=bob.signer(), standpoint=standpoint)
            (folder / bundle).write_bytes(signed)
    run("git", "add", "-A", cwd=folder)
    run("git", "commit", "-q", "-m", "Propose", cwd=folder)
    return str(folder)


def run(*words: str, cwd: Path | None = None) -> None:
    subprocess.run(words, cwd=cwd, check=True, env=git_environ())


def report(human: Human, folder: str, form: str) -> tuple[int, str]:
    said = human.spawn("check", "--repo", folder, "--base", "origin/main", "--head", "main", "--format", form)
    return said.returncode, said.stdout


def test_twelve_faults_are_named_at_once_and_the_named_fixes_make_it_pass(town: Town) -> None:
    bob, draft = town.people["bob"], faulty()
    code, text = report(bob, commit(town, draft), "json")
    findings: list[dict[str, Any]] = json.loads(text)["findings"]
    told: dict[str, list[dict[str, Any]]] = {}
    for finding in findings:
        told.setdefault(finding["rule"], []).append(finding)
    assert (code, set(told)) == (1, set(REPAIRS)), text
    for rule, (words, repair) in REPAIRS.items():
        for finding in told[rule]:
            assert words in finding["fix"], finding
            if finding["path"] in draft.files:  # signatures are made anew with their records
                repair(draft, finding["path"])
    code, text = report(bob, commit(town, draft), "text")
    assert (code, text) == (0, "pass: it would be accepted\n")


@pytest.mark.parametrize("form", sorted(REPORTS))
def test_every_form_of_the_report_names_all_twelve_and_every_file(town: Town, form: str) -> None:
    draft = faulty()
    code, text = report(town.people["bob"], commit(town, draft), form)
    assert code == 1
    for rule in REPAIRS:
        assert rule in text
    for path in draft.files:
        assert (path in text) == (path != at("fine")), path
