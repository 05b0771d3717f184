"""Switch off every rule, every authority and every signature condition in turn; some test must fail each time.

    python scripts/mutants.py                        # all of them; 1 when one survives
    python scripts/mutants.py --only policy/form.py --jobs 1
    python scripts/mutants.py --list                 # what would be tried

A mutant is one place in the source text and what stands there instead (`mutants_of`). It lives in one forked
process: an import hook compiles the changed text, nothing is written to the source tree, and the tests that reach the
place run until the first failure. Which tests those are is measured once, in the beginning. Mutants that change
nothing for anybody are declared in `EQUAL`, each with its reason; one that is declared and not made any more, or that
a test can tell after all (`--declared`), is an error.
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.util
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from typing import Any

import pytest
from mutants_of import PACKAGE, ROOT, Maker, Mutant

TARGETS = (
    "policy/*.py",
    *(f"signing/{name}.py" for name in ("verify", "bundle", "statement", "strict_json", "ed25519", "curve", "keys")),
    *(f"registry/{name}.py" for name in ("receive", "steps", "quarantine")),
)
TESTS = ("tests/unit/policy", "tests/threats", "tests/unit/signing", "tests/unit/registry")
UNREACHED = ("test_verify_script.py", "test_rules_page.py")  # tests of programs outside the package
TIME_LIMIT = 180.0  # seconds, for a mutant that never ends
# Loaded once, before the forks: what every test needs and no mutant touches.
LOADED = (
    *("hypothesis", "pygit2", "yaml", "jsonschema", "cattrs"),
    *("cryptography.hazmat.primitives.asymmetric.ed25519", "cryptography.hazmat.primitives.serialization"),
)

# Mutants as `--list` names them, and why nobody could tell the difference.
ONE_KIND = "the links of a chain are of one kind"
NO_MEMBER = "a folder without a member is that of a new one, and who writes in the folder of another fails before"
SLOWER = "the careful way says the same, more slowly"
EQUAL: dict[str, str] = {
    "policy/authority.py _as: not isinstance(stored.record, model) -> False": "rows ask for the kind first",
    "policy/authority.py _association_needs: without policy": "without a policy there are no others",
    "policy/authority.py _next_benchmark_needs: older -> True": "names without a version fall under the row above",
    "policy/authority.py _owned_needs: isinstance(record, models.Cube) -> True": "its row is about cubes and datasets",
    "policy/authority.py _is_return: without old is not None": NO_MEMBER,
    "policy/authority.py _outlives: then > before -> (then >= before)": "one time has one spelling",
    "policy/authority.py _recovered_needs: without old": NO_MEMBER,
    "policy/authority.py _update_needs: without old is not None": NO_MEMBER,
    "policy/form.py check_genesis: without not isinstance(first.record, models.Registry)": "the place says it",
    "policy/judge.py _with_line: without finding.line": SLOWER,
    "policy/notices.py _withdrawn_by: without isinstance(link, models.Notice)": ONE_KIND,
    "policy/people.py _given_up: isinstance(link, models.Member) -> True": ONE_KIND,
    "policy/people.py _keys_of_all: isinstance(link.record, models.Member) -> True": ONE_KIND,
    "policy/people.py _keys_by_member: isinstance(link.record, models.Member) -> True": ONE_KIND,
    "policy/people.py check_keys: not any(case.of(models.Member)) -> False": "spares reading the keys of all members",
    "policy/people.py check_keys: any -> all": "spares reading the keys of all members",
    "policy/people.py check_revocations: isinstance(link, models.Member) -> True": ONE_KIND,
    "policy/people.py check_retirement: without not leaving & set(registry.maintainers)": "spares reading maintainers",
    "policy/references.py references_of: without assert_never(record)": "no kind of record is left there",
    "policy/results.py check_attempt: isinstance(one, models.Result) -> True": ONE_KIND,
    "policy/values.py at_most: without 0": "a range has both its ends",
    "policy/values.py check_differencing: without here is None": "nothing is near where no number is said",
    "policy/values.py _near: without beside": "what is published is there",
    "policy/values.py _near: without isinstance(beside.record, OfASite)": "what is published is one of them",
    "policy/values.py _near: beside and isinstance(beside.record, OfASite) -> True": "what is published is one of them",
    "policy/values.py _near: without {}": "asked only of metrics that have a value",
    "registry/quarantine.py quarantines_in: path.startswith(QUARANTINE + '/') -> True": "spares reading other records",
    "registry/quarantine.py quarantines_in: without isinstance(stored.record, Quarantine)": "the place says it",
    "registry/quarantine.py _quarantines: without not parent": "what lies after another commit has a parent",
    "registry/quarantine.py _quarantines: without not brought & set(standing.pending)": "a record about others fails",
    "registry/quarantine.py _quarantines: without Snapshot.at(store, step).names(QUARANTINE) == "
    "Snapshot.at(store, parent[0]).names(QUARANTINE)": "spares judging a step that brings none",
    "registry/quarantine.py _quarantines: not parent or Snapshot.at(store, step).names(QUARANTINE) == "
    "Snapshot.at(store, parent[0]).names(QUARANTINE) -> False": "spares judging a step that brings none",
    "registry/steps.py _quarantine_faults: path.startswith(QUARANTINE + '/') -> True": "spares reading other records",
    "registry/steps.py _quarantine_faults: without not isinstance(stored.record, Quarantine)": "the place says it",
    "registry/receive.py _judge_submission: main.tip is None -> False": "asked before it is called",
    "registry/receive.py _lost: without ''": "asked before it is called",
    "registry/receive.py _past_faults: without step.parents": "what lies after another commit has a parent",
    "signing/bundle.py parse_bundle: without _accepted(data)": SLOWER,
    "signing/bundle.py _accepted: len(data) <= BUNDLE_LIMIT -> (len(data) < BUNDLE_LIMIT)": SLOWER,
    "signing/strict_json.py canonical: b'\\\\' in data or b'\\x7f' in data -> True": "spares looking at plain text",
    "signing/strict_json.py canonical: without b'\\x7f' in data": "JSON in ASCII writes it with a backslash",
    "signing/curve.py point_fault: y >= P -> (y > P)": "P itself is of small order, which is asked before",
    "signing/statement.py parse_statement: without _accepted(data)": SLOWER,
    "signing/statement.py _accepted: len(data) <= PAYLOAD_LIMIT -> (len(data) < PAYLOAD_LIMIT)": "none is that long",
    "signing/statement.py _accepted: len(data) <= PAYLOAD_LIMIT -> True": "no canonical payload is that long",
}


def every_mutant() -> list[Mutant]:
    """Return all mutants of all targets."""
    paths = sorted(path for pattern in TARGETS for path in PACKAGE.glob(pattern))
    return [mutant for path in paths for mutant in Maker(path).mutants()]


# --- in the forked process


class Hook(importlib.abc.MetaPathFinder):
    """Guards one import: that of the mutated module."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant
        self.module = ".".join(mutant.path.relative_to(ROOT).with_suffix("").parts)

    def find_spec(self, fullname: str, *_: Any) -> ModuleSpec | None:
        """Find the mutated module, and no other."""
        if fullname != self.module:
            return None
        loader = _Loader(fullname, str(self.mutant.path))
        loader.text = self.mutant.text()
        return importlib.util.spec_from_file_location(fullname, self.mutant.path, loader=loader)


class _Loader(SourceFileLoader):
    text = b""

    def get_code(self, _: str) -> Any:
        return compile(self.text, self.path, "exec", dont_inherit=True)


class Chosen:
    """A pytest plugin: only these tests, in this order."""

    def __init__(self, order: list[str]) -> None:
        self.rank = {node: number for number, node in enumerate(order)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave the others out."""
        items[:] = sorted((one for one in items if one.nodeid in self.rank), key=lambda one: self.rank[one.nodeid])


class Measured:
    """A pytest plugin: which test reaches which line of the targets, and how long it takes."""

    def __init__(self) -> None:
        import coverage  # noqa: PLC0415  (only where it is used: it slows every import)

        self.coverage = coverage.Coverage(data_file=None, include=[str(PACKAGE / one) for one in TARGETS])
        self.coverage.start()
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Begin with a test."""
        self.coverage.switch_context(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up its parts."""
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if report.failed:
            self.failed.append(report.nodeid)

    def value(self) -> dict[str, Any]:
        """Return seconds by test, and tests by file and line."""
        self.coverage.stop()
        data = self.coverage.get_data()
        reached = {name: data.contexts_by_lineno(name) for name in data.measured_files()}
        return {"seconds": self.seconds, "reached": reached, "failed": self.failed}


def run_tests(files: list[str], plugin: object, folder: Path) -> int:
    """Run tests quietly in this process, with their files below `folder`."""
    quiet = ["-q", "-x", "-p", "no:cacheprovider", "--tb=no", "--no-header", "--no-summary"]
    return int(pytest.main([*quiet, f"--basetemp={folder}/{os.getpid()}", *files], plugins=[plugin]))


def fork(work: Callable[[], int]) -> int:
    """Run `work` in a process of its own group, silently, and return its id."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.setpgid(0, 0)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nowhere, number)
        code = work()
    finally:
        os._exit(code)


# --- in the parent


def measure(folder: Path) -> dict[str, Any]:
    """Run all tests once, unmutated; SystemExit when one fails."""
    out = folder / "measured.json"

    def work() -> int:
        plugin = Measured()
        code = run_tests([*TESTS, *(f"--ignore-glob=*{name}" for name in UNREACHED)], plugin, folder)
        out.write_text(json.dumps(plugin.value()))
        return code

    code = os.waitstatus_to_exitcode(os.waitpid(fork(work), 0)[1])
    value: dict[str, Any] = json.loads(out.read_text())
    if code:
        raise SystemExit(f"without a mutant pytest says {code}: {' '.join(value['failed'])}")
    return value


def tests_for(mutant: Mutant, measured: dict[str, Any]) -> list[list[str]]:
    """Return the tests that reach the place of a mutant, fast ones first: those of its own package, then all others."""
    seconds: dict[str, float] = measured["seconds"]
    lines = measured["reached"].get(str(mutant.path), {})
    reaching = {node for line in mutant.lines for node in lines.get(str(line), []) if node}
    # What stands in a table is read by the import, whose line no test reaches.
    found = sorted(seconds if mutant.kind == "entry" else reaching, key=lambda node: seconds[node])
    own = f"tests/unit/{mutant.path.parent.name}/"
    stages = [node for node in found if node.startswith(own)], [node for node in found if not node.startswith(own)]
    return [stage for stage in stages if stage]


def start(mutant: Mutant, tests: list[str], folder: Path) -> int:
    """Start the tests with a mutant in place and return the process."""

    def work() -> int:
        compile(mutant.text(), str(mutant.path), "exec")  # what is no Python is not killed by a test
        sys.meta_path.insert(0, Hook(mutant))
        files = list(dict.fromkeys(node.partition("::")[0] for node in tests))
        return run_tests(files, Chosen(tests), folder)

    return fork(work)


# What pytest says → what became of the mutant: a test failed, or nothing could even be imported.
FATES = {0: "survived", 1: "killed", 2: "killed"}


def run_all(
    mutants: list[Mutant], measured: dict[str, Any], *, jobs: int, folder: Path
) -> Iterator[tuple[Mutant, str, float]]:
    """Yield each mutant with what became of it, and after how many seconds."""
    waiting = [(mutant, tests_for(mutant, measured)) for mutant in reversed(mutants)]
    running: dict[int, tuple[Mutant, list[list[str]], float]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant, stages = waiting.pop()
            if stages:
                running[start(mutant, stages[0], folder)] = mutant, stages[1:], time.monotonic()
            else:
                yield mutant, "reached by no test", 0.0
        for pid, (mutant, stages, since) in list(running.items()):
            took = time.monotonic() - since
            done, status = os.waitpid(pid, os.WNOHANG)
            fate = FATES.get(os.waitstatus_to_exitcode(status), "could not be tried")
            if not done and took > TIME_LIMIT:
                os.killpg(pid, signal.SIGKILL)
                done, fate = os.waitpid(pid, 0)[0], "timed out"
            if done:
                del running[pid]
                shutil.rmtree(folder / str(pid), ignore_errors=True)
                if fate == "survived" and stages:
                    waiting.append((mutant, stages))
                else:
                    yield mutant, fate, took
        time.sleep(0.01)


def try_all(mutants: list[Mutant], *, jobs: int, declared: bool, times: bool) -> bool:
    """Try the mutants, show those that fare otherwise than they must, and tell whether there were none."""
    begin, right = time.monotonic(), ("survived", "reached by no test") if declared else ("killed", "timed out")
    fates: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name)
        os.environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "HYPOTHESIS_STORAGE_DIRECTORY": name}
        os.environ.pop("UPDATE_GOLDEN", None)
        os.chdir(ROOT)
        sys.path.insert(0, str(ROOT))
        for module in LOADED:
            importlib.import_module(module)
        measured = measure(folder)
        print(f"{len(measured['seconds'])} tests pass, in {time.monotonic() - begin:.0f} s", flush=True)
        for mutant, fate, took in run_all(mutants, measured, jobs=jobs, folder=folder):
            fates[fate] += 1
            if times:
                print(f"{took:6.1f} s  {fate}  {mutant.name}", flush=True)
            if fate not in right:
                print(f"{fate}: {mutant.place}\n  {mutant.name}\n{mutant.diff()}", flush=True)
    kinds = Counter(mutant.kind for mutant in mutants)
    print(", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items())))
    print(", ".join(f"{number} {fate}" for fate, number in sorted(fates.items())))
    print(f"{len(mutants)} mutants in {time.monotonic() - begin:.0f} s")
    return not fates.keys() - set(right)


def main() -> int:
    """Try the mutants and say which survive."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", help="only mutants whose name holds this text")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--sample", type=int, help="only so many, chosen by chance")
    parser.add_argument("--list", action="store_true", help="show them, and try none")
    parser.add_argument("--times", action="store_true", help="show every mutant with its time")
    parser.add_argument("--declared", action="store_true", help="try those declared equal: none may be killed")
    options = parser.parse_args()
    every = every_mutant()
    equal = [mutant for mutant in every if mutant.name in EQUAL]
    left_over = EQUAL.keys() - {mutant.name for mutant in equal}
    chosen = equal if options.declared else [mutant for mutant in every if mutant.name not in EQUAL]
    if options.only:
        chosen = [mutant for mutant in chosen if any(text in mutant.name for text in options.only)]
    if options.sample:
        chosen = random.Random(1).sample(chosen, min(options.sample, len(chosen)))
    if options.list:
        print("\n".join(mutant.name for mutant in chosen))
        return 0
    good = try_all(chosen, jobs=options.jobs, declared=options.declared, times=options.times)
    print(f"{len(equal)} more change nothing for anybody: EQUAL in scripts/mutants.py says why")
    for name in sorted(left_over):
        print(f"declared equal, but no such mutant is made: {name}")
    return int(not good or bool(left_over))


if __name__ == "__main__":
    sys.exit(main())
