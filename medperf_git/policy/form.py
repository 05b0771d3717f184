"""Rules about the form of a proposal: what Git shows, where files lie, chains, versions, limits, house files."""

import re
from collections.abc import Callable, Iterator

from medperf_git.policy.authority import keys_in
from medperf_git.policy.case import Case
from medperf_git.policy.change import Change
from medperf_git.records import layout, models
from medperf_git.records.digests import digest_of
from medperf_git.records.findings import Finding, Severity
from medperf_git.records.folds import member_state, members
from medperf_git.records.layout import CHAINS, Kind
from medperf_git.records.names import Ref, confusable, skeleton, within_one_edit
from medperf_git.records.ranking_rules import newer_parts
from medperf_git.records.record import Stored
from medperf_git.records.view import RecordView, chain, folders, next_number

NEWEST_RULES = 2

_NEWER_IN_METRICS = {"worst": "worst values", "quantiles": "quantiles", "counts": "pooled counts"}

SECRETS: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("a private key", re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("an age key", re.compile(rb"AGE-SECRET-KEY-1[0-9A-Z]{20}")),
    ("a token of GitHub", re.compile(rb"\b(?:gh[pousr]_[A-Za-z0-9]{30}|github_pat_[A-Za-z0-9_]{30})")),
    ("a token of GitLab", re.compile(rb"\bglpat-[A-Za-z0-9_-]{20}")),
    ("an access key of AWS", re.compile(rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
)
PERSONAL: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("an e-mail address", re.compile(rb"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")),
)


def check_faults(rule: str) -> Callable[[Case], Iterator[Finding]]:
    """Return the check that passes on what the Git side already found under one rule's name."""

    def check(case: Case) -> Iterator[Finding]:
        yield from (fault for fault in case.change.faults if fault.rule == rule)

    return check


def check_empty(case: Case) -> Iterator[Finding]:
    """Refuse a proposal that adds no record: nothing to check is not a pass."""
    if not case.record_paths and not case.change.faults:
        yield Finding("empty", "the proposal adds no record", fix="add what you meant to propose")


def check_layout(case: Case) -> Iterator[Finding]:
    """Refuse files that are neither record, signature nor house file."""
    for path in sorted(case.change.added):
        if layout.place_of(path) or layout.is_house_file(path):
            continue
        split = layout.split_bundle(path)
        if split is None or layout.place_of(split[0]) is None:
            message, fix = "no file of a registry has this path", "remove it; registry_spec/layout.md says what may be"
            if path.startswith(layout.RESERVED):
                message, fix = "records of this kind come in a later version", "use a medperf-git that knows them"
            yield Finding("layout", message, path=path, fix=fix)


def check_readable(case: Case) -> Iterator[Finding]:
    """Refuse records that cannot be read, differ from their schema, their path or their canonical form."""
    for reading in case.readings.values():
        yield from reading.findings


def check_chain(case: Case) -> Iterator[Finding]:
    """Refuse links that do not continue their chain by number and digest."""
    for stored in case.records.values():
        if stored.place.kind not in CHAINS:
            continue
        before = chain(case.change.before, stored.place.folder)
        expected = next_number(case.change.before, stored.place.folder)
        last = before[-1].digest if before else None
        if stored.place.number != expected:
            fix = "run `medperf-git submit --resume`, which numbers it anew"
            message = "this number is not the next of its chain"
            want, got = f"{expected:04d}", f"{stored.place.number:04d}"
            yield Finding("chain", message, path=stored.path, expected=want, got=got, fix=fix)
        elif stored.record.previous != last:  # type: ignore[union-attr]  # chains have it
            yield Finding(
                "chain",
                "`previous` is not the digest of the record before",
                path=stored.path,
                pointer="/previous",
                expected=last or "no `previous`",
                got=str(getattr(stored.record, "previous", None) or "(none)"),
                fix="run `medperf-git submit --resume`, which reads it anew",
            )


def check_versions(case: Case) -> Iterator[Finding]:
    """Refuse version n+1 of a thing without version n; of a benchmark, whose committee has a say, a merged one."""
    for stored in case.records.values():
        record = stored.record
        if isinstance(record, models.Cube | models.Dataset | models.Benchmark) and record.version > 1:
            older = Ref(record.member, record.name, record.version - 1)
            top = {Kind.CUBE: "cubes", Kind.DATASET: "datasets", Kind.BENCHMARK: "benchmarks"}[stored.place.kind]
            path = layout.benchmark_path(older) if top == "benchmarks" else f"{top}/{older.path}.yaml"
            view = case.change.before if top == "benchmarks" else case.change.after
            folder, _, name = path.removesuffix("/benchmark.yaml").rpartition("/")
            if not {name, f"{name}/"} & set(view.names(folder)):
                message = f"version {record.version} needs version {older.version}"
                fix = f"use version {_next_version(case.change.before, top, record)}"
                yield Finding("version", message, path=stored.path, pointer="/version", expected=path, fix=fix)


def _next_version(view: RecordView, top: str, record: models.Cube | models.Dataset | models.Benchmark) -> int:
    names = view.names(f"{top}/{record.member}/{record.name}")
    numbers = [name.removesuffix("/").removesuffix(".yaml") for name in names]
    return max((int(text) for text in numbers if text.isdigit()), default=0) + 1


def check_separation(case: Case) -> Iterator[Finding]:
    """Refuse trust changes that travel with anything else."""
    kinds = {layout.place_of(path).kind for path in case.record_paths}  # type: ignore[union-attr]  # record paths
    trust = kinds & {Kind.REGISTRY, Kind.QUARANTINE, Kind.MEMBER}
    others = kinds - trust
    if trust and (others or (len(trust) > 1 and not case.is_genesis)):
        fix = "make one proposal of the registry or member records, and another of the rest"
        paths = [path for path in case.record_paths if path.startswith(("registry/", "members/"))]
        message = "a change of who is trusted travels alone"
        yield Finding("separation", message, path=paths[0], got=", ".join(sorted(kinds)), fix=fix)
    if case.house_files and Kind.REGISTRY not in kinds:
        fix = "add a registry record that lists the house file with its digest"
        message = "a house file changes only together with a registry record"
        yield Finding("separation", message, path=min(case.house_files), fix=fix)


def check_rule_set(case: Case) -> Iterator[Finding]:
    """Refuse a registry record that names a set of rules nobody knows yet, or goes back to an older one."""
    standing = case.registry_before.rule_set if case.registry_before else 1
    for stored, registry in case.of(models.Registry):
        if not standing <= registry.rule_set <= NEWEST_RULES:
            want, got = f"{standing} to {NEWEST_RULES}", str(registry.rule_set)
            message, fix = "no set of rules that can follow", "leave `rules` as it is, or use a newer medperf-git"
            yield Finding("rules-version", message, path=stored.path, pointer="/rules", expected=want, got=got, fix=fix)


def check_newer(case: Case) -> Iterator[Finding]:
    """Refuse what the second set of rules brought where the first is in force: its clients cannot read it."""
    if case.registry_before is None or case.registry_before.rule_set > 1:
        return
    fix = "ask a threshold of maintainers for a registry record with `rules: 2`"
    for stored in case.records.values():
        for pointer, what in _newer_parts(stored.record):
            message = f"{what} need the second set of rules, and this registry is judged by the first"
            yield Finding("newer-rules", message, path=stored.path, pointer=pointer, expected="rules: 2", fix=fix)


def _newer_parts(record: models.Record) -> Iterator[tuple[str, str]]:
    """Yield where a record has what the second set of rules brought, and what it is."""
    match record:
        case models.Comparison():
            yield "", "comparisons"
        case models.Benchmark():
            yield from _newer_in_benchmark(record)
        case models.Result():
            yield from _newer_in_result(record)
        case _:
            return


def _newer_in_benchmark(benchmark: models.Benchmark) -> Iterator[tuple[str, str]]:
    if benchmark.comparisons is not None:
        yield "/comparisons", "comparisons"
    if benchmark.tested is not None:
        yield "/tested", "tests of benchmarks"
    for field in newer_parts(benchmark.ranking):
        value = getattr(benchmark.ranking, field)
        yield f"/ranking/{field}", f"rankings with `{field}: {value}`"
    for number, metric in enumerate(benchmark.metrics):
        for field, what in _NEWER_IN_METRICS.items():
            if getattr(metric, field) is not None:
                yield f"/metrics/{number}/{field}", what


def _newer_in_result(result: models.Result) -> Iterator[tuple[str, str]]:
    if result.sandbox == "unlimited":
        yield "/sandbox", "results of engines that do not keep every limit"
    for name, entry in (result.values or {}).items():
        for field in ("quantiles", "counts"):
            if getattr(entry, field) is not None:
                yield f"/values/{name}/{field}", _NEWER_IN_METRICS[field]


def check_house_files(case: Case) -> Iterator[Finding]:
    """Refuse house files that differ from what the registry record lists, and listed ones that are not there."""
    for stored, registry in case.of(models.Registry):
        listed = registry.house_files or {}
        standing = case.registry_before.house_files if case.registry_before else None
        for path in sorted((standing or {}).keys() - listed.keys() - case.house_files.keys()):
            message = f"{path} stands in the registry and is no longer listed"
            fix = "list every house file; one that stands never vanishes"
            yield Finding("house-file", message, path=stored.path, pointer="/house_files", expected=path, fix=fix)
        for path, data in sorted(case.house_files.items()):
            if listed.get(path) != digest_of(data):
                want, got = listed.get(path, "not listed"), digest_of(data)
                fix = "list it with its digest in the registry record"
                yield Finding("house-file", "not as listed", path=path, expected=want, got=got, fix=fix)
        for path, digest in sorted(listed.items()):
            if path not in case.house_files and case.digest_after(path) != digest:
                fix = "list only files that are there, as they are"
                message = f"lists {path}, which is not there with that digest"
                yield Finding("house-file", message, path=stored.path, pointer="/house_files", expected=digest, fix=fix)


def check_genesis(case: Case) -> Iterator[Finding]:
    """Refuse a root commit that is not exactly a registry record, its maintainers and their signatures."""
    if not case.is_genesis:
        for stored, registry in case.of(models.Registry):
            if registry.genesis is not None:
                message = "only the first record of a registry has a genesis"
                yield Finding("genesis", message, path=stored.path, pointer="/genesis", fix="remove it")
        return
    if case.change.faults and not case.change.added:
        return  # Git already said why nothing could be read
    first = case.records.get(layout.registry_path(1))
    if first is None or not isinstance(first.record, models.Registry) or first.record.genesis is None:
        fix = "make registries with `medperf-git init`"
        yield Finding("genesis", "a registry starts with registry/0001.yaml and its genesis", path="registry", fix=fix)
        return
    named = first.record.genesis.members
    if set(named) != set(first.record.maintainers):
        message, fix = "the genesis names other members than the maintainers", "name each maintainer once"
        yield Finding("genesis", message, path=first.path, pointer="/genesis/members", fix=fix)
    for name, digest in sorted(named.items()):
        path = layout.member_path(name, 1)
        if case.digest_after(path) != digest:
            message, fix = f"{path} is not there with that digest", "make registries with `medperf-git init`"
            yield Finding("genesis", message, path=first.path, pointer="/genesis/members", expected=digest, fix=fix)
    allowed = {first.path, *(layout.member_path(name, 1) for name in named)}
    for path in case.record_paths:
        if path not in allowed:
            yield Finding("genesis", "the root commit may not hold this record", path=path, fix="propose it later")


def check_private_text(case: Case) -> Iterator[Finding]:
    """Refuse private keys and tokens in any record, and e-mail addresses where people and patients are described."""
    for path, stored in case.records.items():
        data = case.change.added[path]
        kinds = [*SECRETS, *(PERSONAL if stored.place.kind in (Kind.MEMBER, Kind.DATASET) else ())]
        for what, pattern in kinds:
            match = pattern.search(data)
            if match is not None:
                line = data.count(b"\n", 0, match.start()) + 1
                message, fix = f"this holds {what}, and would be public for ever", "take it out"
                fix += "; what was already pushed anywhere is no secret any more" if (what, pattern) in SECRETS else ""
                yield Finding("private-text", message, path=path, line=line, fix=fix)


def check_limits(case: Case) -> Iterator[Finding]:
    """Refuse what exceeds the registry's own limits."""
    registry = case.registry_before
    if registry is None:
        return
    limits, change = registry.limits, case.change
    office = all(path.startswith("registry/") for path in case.record_paths)  # or a limit could never be raised
    fix = "send it in parts, or ask a threshold of maintainers to raise the limit: " + ", ".join(registry.maintainers)
    size = sum(map(len, change.added.values()))
    for what, got, most in (
        ("files in a proposal", 0 if office else len(change.added), limits.proposal_files),
        ("bytes in a proposal", 0 if office else size, limits.proposal_bytes),
        ("members", len(members(change.after)) if _brings_member(case) else 0, limits.members),
    ):
        if got > most:
            yield Finding("limit", f"too many {what}", expected=f"at most {most}", got=str(got), fix=fix)
    for stored in case.records.values():
        if stored.place.number > limits.chain_length and not _is_never_too_much(case, stored):
            message = f"the chain is at its longest, {limits.chain_length}"
            yield Finding("limit", message, path=stored.path, fix=fix)
        count = _names_with_new(change, stored.path)
        if count > limits.names_per_member:
            message = f"this member has more than {limits.names_per_member} names"
            yield Finding("limit", message, path=stored.path, got=str(count), fix=fix)


def _is_never_too_much(case: Case, stored: Stored) -> bool:
    """Tell whether a record must find a place in the longest chain: who may decide, and what ends or marks things."""
    match stored.record:
        case models.Registry() | models.Quarantine() | models.Notice():
            return True
        case models.Association() as event:
            return event.event in ("reject", "withdraw")
        case models.Member() as member:
            old = member_state(case.change.before, member.member)
            kept = set(keys_in(member, recovery=True)) <= set(keys_in(old, recovery=True) if old else ())
            return member.status == "retired" or bool(member.revoked) or kept
    return False


def _brings_member(case: Case) -> bool:
    return any(stored.place.number == 1 for stored, _ in case.of(models.Member))


def _names_with_new(change: Change, path: str) -> int:
    """Return how many names a member has in one kind when the record brings a new one, else 0."""
    parts = path.split("/")
    if parts[0] not in ("cubes", "datasets", "benchmarks") or change.before.names("/".join(parts[:3])):
        return 0
    return len(folders(change.after, "/".join(parts[:2])))


def check_lookalike(case: Case) -> Iterator[Finding]:
    """Refuse a new name that differs from another only in hyphens; warn of one that is easily taken for another."""
    for path in case.records:
        parts = path.split("/")
        if parts[0] == "members":
            folder, name = "members", parts[1]
        elif parts[0] in ("cubes", "datasets", "benchmarks"):
            folder, name = "/".join(parts[:2]), parts[2]
        else:
            continue
        new = not any(entry.endswith((".yaml", "/")) for entry in case.change.before.names(f"{folder}/{name}"))
        for other in folders(case.change.after, folder) if new else ():
            if other != name and skeleton(other) == skeleton(name):
                fix = "choose another name"
                message = f"{name!r} cannot be told from {other!r}"
                yield Finding("lookalike", message, path=path, expected="a name of its own", got=name, fix=fix)
        # A maintainer signs new members and new benchmarks in any case, and is shown this before.
        for other in () if parts[-2:-1] == ["policy"] else _easily_taken_for(case, parts, name):
            message, fix = f"{name!r} is easily taken for {other!r}", "a maintainer looks whether it is meant"
            yield Finding("lookalike", message, path=path, got=name, fix=fix, severity=Severity.WARNING)


def _easily_taken_for(case: Case, parts: list[str], name: str) -> Iterator[str]:
    """Yield the names of other members, or of other benchmarks, that a reader could mistake for this new one."""
    view, top, own = case.change.before, parts[0], "/".join(parts[:3])
    if top == "members":
        yield from (other for other in folders(view, top) if other != name and confusable(other) == confusable(name))
    elif top == "benchmarks" and not view.names(own):
        for member in folders(view, top):
            for other in folders(view, f"{top}/{member}"):
                if within_one_edit(other, name):
                    yield f"{member}/{other}"
