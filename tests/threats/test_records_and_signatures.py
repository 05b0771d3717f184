"""Attacks on records, authority and signatures, each under its number in THREATS; the judge refuses them all."""

import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pygit2.enums import ObjectType

from medperf_git.policy import authority
from medperf_git.policy.case import Case
from medperf_git.policy.verdict import Outcome, Verdict
from medperf_git.records import layout, models
from medperf_git.records.digests import Digest, digest_of
from medperf_git.records.names import MemberName, Ref
from medperf_git.records.record import write_record
from medperf_git.records.schemas import schema_of
from medperf_git.registry.bare import open_copy
from medperf_git.registry.commits import Author, write_root
from medperf_git.registry.steps import judge_proposal
from medperf_git.runner.manifest import commitment
from medperf_git.signing.bundle import Bundle, pae
from medperf_git.signing.keys import PublicKey
from medperf_git.signing.statement import Statement
from tests.support import registry_builder as rb
from tests.support.registry_builder import BENCHMARK, HEAD, MODEL, NORTH, REFERENCE, SOUTH, House, Proposal, settled
from tests.unit.policy.examples import RULE_EXAMPLES

WRONG = Digest("sha256:" + "ee" * 32)
RESULT = layout.numbered(layout.result_folder(BENCHMARK, NORTH, MODEL), 1)
NEXT_YEAR = "2027-01-01T00:00:00Z"


def rules(verdict: Verdict) -> set[str]:
    return {finding.rule for finding in verdict.findings}


def refused(proposal: Proposal, *by: str) -> None:
    verdict = proposal.judge()
    assert verdict.outcome is Outcome.FAIL
    assert set(by) <= rules(verdict), verdict.findings


def forged_update(house: House, *, keep: bool) -> models.Member:
    """Return a member record of north with the attacker's key beside its own, or in its place."""
    return house.member_now("north", keys=rb.keys(*(["north"] if keep else []), "eve"))


def rewrapped(house: House, proposal: Proposal, payload: bytes, *, seed: str = "north", digest: str = "") -> None:
    """Put a bundle with this payload beside the first record, signed over `digest` or the envelope's own bytes."""
    signer = rb.signer(seed)
    signature = signer.sign(digest.encode() if digest else pae(payload))
    data = Bundle(payload, signature, signer.public.fingerprint).render()
    proposal.put(layout.bundle_of(proposal.path, signer.public.short), data)


def statement_of(house: House, proposal: Proposal) -> Statement:
    data = proposal.files[proposal.path]
    return Statement.about(proposal.path, data, registry=house.id, head=HEAD, signer="north", signed_at=rb.AT)


def test_t01_a_key_added_beside_the_hospitals_own_is_refused() -> None:
    house = settled()
    refused(
        house.propose(forged_update(house, keep=True)).sign_as("north", "eve", "members/north/0002.yaml"), "unsigned"
    )
    together = house.propose(forged_update(house, keep=True)).add(house.result())
    for path in ("members/north/0002.yaml", RESULT):
        together.sign_as("north", "eve", path)
    refused(together, "separation", "signature", "unsigned")


def test_t01_a_judge_that_read_keys_from_the_head_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    house = settled()
    together = house.propose(forged_update(house, keep=True)).add(house.result())
    for path in ("members/north/0002.yaml", RESULT):
        together.sign_as("north", "eve", path)
    assert "signature" in rules(together.judge())
    true_holders = authority._holders
    head = together.change().after

    def of_the_head(case: Case, members: Iterable[str], **more: bool) -> tuple[authority.Holder, ...]:
        return true_holders(Case(replace(case.change, before=head)), members, **more)

    monkeypatch.setattr(authority, "_holders", of_the_head)
    assert "signature" not in rules(together.judge())


def test_t02_a_replaced_key_is_refused() -> None:
    house = settled()
    alone = house.propose(forged_update(house, keep=False)).sign_as("north", "eve", "members/north/0002.yaml")
    refused(alone, "unsigned")
    together = house.propose(forged_update(house, keep=False)).add(house.result())
    for path in ("members/north/0002.yaml", RESULT):
        together.sign_as("north", "eve", path)
    refused(together, "signature", "unsigned")


@pytest.mark.parametrize("who", [("ana",), ("ana", "ana:recovery"), ("ana", "dora")])
def test_t03_one_maintainer_changes_nothing(who: tuple[str, ...]) -> None:
    house = settled()
    for changes in ({"threshold": 1}, {"maintainers": (MemberName("ana"),), "threshold": 1}, {"title": "Mine"}):
        verdict = house.propose(house.registry_now(**changes)).sign(*who).judge()
        assert verdict.outcome is not Outcome.PASS


def test_t04_a_trust_change_among_records_is_refused() -> None:
    house = settled()
    mixed = house.propose(house.registry_now(threshold=1), house.result())
    refused(mixed.sign("ana", "ben", only="registry").sign("north", only="results"), "separation")
    hidden = house.propose(rb.member("eve"), house.dataset(Ref("north", "clinic", 1)))
    refused(hidden.sign("ana", "eve", "eve:recovery", only="members").sign("north", only="datasets"), "separation")
    refused(house.propose(house.result()).sign("north").put(".github/workflows/ci.yml", b"on: push\n"), "separation")


def test_t08_a_result_signed_on_another_history_is_refused() -> None:
    house = settled()
    refused(house.propose(house.result()).sign("north", head=rb.OTHER_HEAD), "head")


def test_t10_a_result_is_not_replayed_into_another_registry() -> None:
    here, there = settled(), settled("cd" * 32)
    taken = here.propose(here.result()).sign("north")
    replayed = there.propose(there.result())
    assert replayed.files[RESULT] == taken.files[RESULT], "the same members, data and models, another genesis"
    for path, data in taken.files.items():
        replayed.put(path, data)
    refused(replayed, "signature", "unsigned")


def with_everything_twice() -> House:
    """Return a registry in which every record a result rests on has an approved second one."""
    house = settled()
    rb.join(house, SOUTH)
    house.merge(house.propose(rb.cube(Ref("moa", "forest", 2))).sign("moa"))
    rb.join(house, Ref("moa", "forest", 2), "cube")
    house.merge(house.propose(rb.cube(Ref("dora", "prep", 2), "data-preparator")).sign("dora"))
    house.merge(house.propose(rb.cube(Ref("dora", "score", 2), "metrics")).sign("dora"))
    benchmark = house.benchmark(Ref("dora", "heart", 2))
    return house.merge(house.propose(benchmark, house.first_policy(benchmark)).sign("dora", "emil"))


@pytest.mark.parametrize("swap", ["model", "dataset", "benchmark", "data_preparator", "metrics_cube"])
def test_t11_a_result_is_not_filed_under_another_record(swap: str) -> None:
    """The owner signs again each time: what refuses is the binding, not the signature."""
    house = with_everything_twice()
    other: dict[str, models.Reference] = {
        "model": house.cube_reference(Ref("moa", "forest", 2)),
        "dataset": house.dataset_reference(SOUTH),
        "benchmark": house.benchmark_reference(Ref("dora", "heart", 2)),
        "data_preparator": house.cube_reference(Ref("dora", "prep", 2)),
        "metrics_cube": house.cube_reference(Ref("dora", "score", 2)),
    }
    record = replace(house.result(), **{swap: other[swap]})  # type: ignore[arg-type]  # each is a reference
    refused(house.propose().add(record, path=RESULT, link=False).sign("north"))


@pytest.mark.parametrize("field", ["benchmark", "dataset", "model", "data_preparator", "metrics_cube"])
def test_t11_a_result_names_the_bytes_it_rests_on(field: str) -> None:
    house = settled()
    reference = replace(getattr(house.result(), field), digest=WRONG)
    refused(house.propose(replace(house.result(), **{field: reference})).sign("north"), "reference")  # type: ignore[arg-type]


def test_t11_the_signature_of_one_result_does_not_serve_another() -> None:
    house = with_everything_twice()
    first = house.propose(house.result()).sign("north")
    bundle = first.files[layout.bundle_of(RESULT, rb.signer("north").public.short)]
    other = house.propose(house.result(model=Ref("moa", "forest", 2)))
    other.put(layout.bundle_of(other.path, rb.signer("north").public.short), bundle)
    refused(other, "signature", "unsigned")


def test_t12_a_second_result_that_does_not_supersede_is_refused() -> None:
    house = settled()
    house.merge(house.propose(house.result()).sign("north"))
    better = house.result(attempt=2, values=rb.values(auroc=rb.value("0.99")))
    refused(house.propose().add(better, path=RESULT, link=False).sign("north"), "chain")
    second = layout.numbered(layout.result_folder(BENCHMARK, NORTH, MODEL), 2)
    refused(house.propose().add(better, path=second, link=False).sign("north"), "chain")
    unlinked = replace(better, previous=WRONG)
    refused(house.propose().add(unlinked, path=second, link=False).sign("north"), "chain")
    refused(house.propose(replace(better, attempt=1)).sign("north"), "attempt")
    house.merge(house.propose(better).sign("north"))
    assert layout.numbered(layout.result_folder(BENCHMARK, NORTH, MODEL), 1) in house.files


def test_t19_hidden_bytes_do_not_travel_in_a_result() -> None:
    """36 bytes in digits, in counts, in a spread, in names and in text: each way is closed."""
    house = settled()

    def result_with(**values: models.MetricValue | None) -> Proposal:
        return house.propose(house.result(values=rb.values(**values))).sign("north")

    refused(result_with(auroc=rb.value("0.912345678")), "decimals")
    refused(result_with(**{"secret-4f2a": rb.value("0.5")}), "undeclared-metric")
    refused(result_with(brier=rb.value("0.1", sd=Decimal("987654321.12"))), "range")
    refused(result_with(auroc=rb.value("0.9", n_failed=2**31)), "cases")
    refused(result_with(auroc=rb.value("0.9", sd=Decimal("0.1"))), "undeclared-metric")
    text = house.propose(house.result())
    text.put(RESULT, text.files[RESULT] + b'note: "hidden"\n').sign("north")
    refused(text, "schema")
    digits = house.propose(house.result())
    digits.put(RESULT, digits.files[RESULT].replace(b"0.912", b"0.91200000000000001")).sign("north")
    refused(digits, "yaml-number")


@pytest.mark.parametrize("mode", [b"120000", b"160000", b"100755", b"100777"])
def test_t34_links_submodules_and_executables_are_refused(tmp_path: Path, mode: bytes) -> None:
    store = open_copy(tmp_path / "copy.git")
    start = datetime(2026, 11, 25, 10, tzinfo=UTC)
    root = write_root(store, founded().files, message="Begin", author=Author("Ana", "ana@example.org", start))
    entries = bytes(store.tree(store.commit(root).tree))
    blob = store.repository.create_blob(b"../../etc/passwd").raw
    tree = store.repository.odb.write(ObjectType.TREE, entries + mode + b" zlink\0" + blob)
    text = f"tree {tree}\nparent {root}\nauthor A <a@b> 1795600000 +0000\ncommitter A <a@b> 1795600000 +0000\n\nx"
    head = str(store.repository.odb.write(ObjectType.COMMIT, text.encode()))
    judgement = judge_proposal(store, root, head, at=rb.AT)
    assert judgement.outcome is Outcome.FAIL
    assert "git-object" in rules(judgement.verdict)


@pytest.mark.parametrize("path", [".gitattributes", ".gitmodules", ".github/.gitattributes", "results/.gitignore"])
def test_t34_files_that_git_obeys_are_refused(path: str) -> None:
    house = settled()
    refused(house.propose(house.result()).sign("north").put(path, b"* filter=evil\n"), "layout")


def founded() -> House:
    return rb.founded()


def revoked() -> House:
    """Return a registry in which north has revoked its key."""
    house = settled()
    new = house.propose(house.member_now("north", keys=rb.keys("north:2", recovery=["north:recovery"])))
    return house.merge(new.sign("north:recovery", "north:2"))


def test_t50_a_revoked_key_signs_nothing_more() -> None:
    house = revoked()
    refused(house.propose(house.result()).sign("north"), "signature", "unsigned")
    assert house.propose(house.result()).sign("north:2").judge().outcome is Outcome.PASS
    refused(house.propose(house.member_now("north", keys=rb.keys("north:2", "north"))).sign("north:2", "north"), "key")


def test_t51_a_revoked_key_is_not_saved_by_an_earlier_date() -> None:
    house = revoked()
    proposal = house.propose(house.result(created="2020-01-01T00:00:00Z"))
    early = replace(statement_of(house, proposal), signed_at=datetime(2020, 1, 1, tzinfo=UTC))
    rewrapped(house, proposal, early.payload())
    refused(proposal, "signature")


LOW_ORDER = [bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f", b"\xed" + b"\xff" * 30 + b"\x7f"]


@pytest.mark.parametrize("raw", LOW_ORDER)
def test_t52_a_key_of_low_order_is_refused(raw: bytes) -> None:
    house = settled()
    line = rb.key("zoe").key
    text = PublicKey.from_record(line).blob[:-32] + raw
    import base64  # noqa: PLC0415

    weak = models.KeyEntry("ssh-ed25519 " + base64.b64encode(text).decode())
    record = rb.member("zoe", keys=models.Keys((rb.key("zoe"), weak)))
    refused(house.propose(record).sign("ana", "zoe"), "key")


def test_t53_one_key_under_two_members_is_refused() -> None:
    house = settled()
    refused(house.propose(rb.member("zoe", keys=rb.keys("emil"))).sign("ana", "emil"), "key")
    two = house.propose(rb.member("zoe", keys=rb.keys("eve")), rb.member("zed", keys=rb.keys("eve")))
    for name in ("zoe", "zed"):
        two.sign_as(name, "eve", layout.member_path(name, 1))
    refused(two.sign("ana"), "key")


def test_t54_nobody_joins_without_a_maintainer() -> None:
    house = settled()
    joining = house.propose(rb.member("zoe"))
    assert joining.sign("zoe", "zoe:recovery").judge().outcome is Outcome.NEEDS_PERSON
    refused(house.propose(rb.member("zoe")).sign("dora", "zoe", "zoe:recovery"), "signature")


def test_t54_a_committee_of_strangers_is_refused() -> None:
    house = settled()
    policy = house.policy_now(committee=(MemberName("dora"), MemberName("emil"), MemberName("sybil")))
    refused(house.propose(policy).sign("dora", "emil"), "office")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"https://in-toto.io/Statement/v1", b"https://in-toto.io/Statement/v0.1"),
        (b"registry-statement/v1", b"registry-statement/v2"),
        (b'"signer":"north"', b'"signer":"south"'),
    ],
)
def test_t55_t56_statements_of_another_kind_are_refused(old: bytes, new: bytes) -> None:
    house = settled()
    proposal = house.propose(house.result())
    payload = statement_of(house, proposal).payload()
    assert old in payload
    rewrapped(house, proposal, payload.replace(old, new))
    refused(proposal, "signature", "unsigned")


def test_t55_a_signature_of_another_protocol_is_refused() -> None:
    """The same key over the bare payload, as SSHSIG or a plain Ed25519 use of it might give."""
    house = settled()
    proposal = house.propose(house.result())
    payload = statement_of(house, proposal).payload()
    rewrapped(house, proposal, payload, digest=payload.decode())
    refused(proposal, "signature")


def test_t56_an_unsigned_record_is_refused() -> None:
    house = settled()
    refused(house.propose(house.result()), "unsigned")


def test_t57_one_digit_edited_after_signing_is_refused() -> None:
    house = settled()
    proposal = house.propose(house.result()).sign("north")
    proposal.put(RESULT, proposal.files[RESULT].replace(b"0.912", b"0.913"))
    refused(proposal, "signature", "unsigned")


def test_t58_two_decisions_on_one_thing_do_not_both_stand() -> None:
    house = settled()
    house.merge(house.propose(house.event("request", by="south")).sign("south"))
    yes = house.propose(house.event("approve", by="dora", side="committee")).sign("dora")
    no = house.propose(house.event("reject", by="emil", side="committee")).sign("emil")
    assert yes.path == no.path
    house.merge(yes)
    refused(Proposal(house, dict(no.files)), "chain")


def test_t59_an_account_of_the_forge_means_nothing() -> None:
    """There is no place for one: a proposal is files and signatures; unsigned, it is refused whoever pushed it."""
    house = settled()
    refused(house.propose(house.notice("withdraw", RESULT.replace(RESULT, layout.dataset_path(NORTH)), by="north")))


def test_t60_the_key_of_the_ci_signs_no_record() -> None:
    house = settled()
    proposal = house.propose(house.result())
    refused(proposal.sign_as("north", "ci-checkpoint", RESULT), "signature", "unsigned")
    named = house.propose(house.result())
    refused(named.sign_as("ci-checkpoint", "ci-checkpoint", RESULT), "signature", "unsigned")


def test_t62_a_model_that_changed_needs_a_new_approval() -> None:
    house = settled()
    house.merge(house.propose(rb.cube(Ref("moa", "forest", 2))).sign("moa"))
    refused(house.propose(house.result(model=Ref("moa", "forest", 2))).sign("north"), "not-approved")
    changed = write_record(rb.cube(MODEL, title="Another model"))
    edited = house.propose().put(layout.cube_path(MODEL), changed).sign("moa").fault("append-only")
    refused(edited, "append-only")


def test_t62_the_reference_model_needs_no_approval_and_others_do() -> None:
    house = settled()
    assert house.propose(house.result(model=REFERENCE)).sign("north").judge().outcome is Outcome.PASS
    house.merge(house.propose(house.event("withdraw", by="moa", subject=MODEL, kind="cube")).sign("moa"))
    refused(house.propose(house.result()).sign("north"), "not-approved")


def test_t63_a_revocation_and_a_result_in_both_orders() -> None:
    house = settled()
    result = house.propose(house.result()).sign("north")
    update = house.propose(house.member_now("north", keys=rb.keys("north:2"))).sign("north:recovery", "north:2")
    first, second = house.copy(), house.copy()
    first.merge(Proposal(first, result.files)).merge(Proposal(first, update.files))
    second.merge(Proposal(second, update.files))
    refused(Proposal(second, result.files), "signature", "unsigned")


def test_t63_a_withdrawn_approval_and_a_result_in_both_orders() -> None:
    house = settled()
    result = house.propose(house.result()).sign("north")
    withdrawal = house.propose(house.event("withdraw", by="north", subject=NORTH)).sign("north")
    first, second = house.copy(), house.copy()
    first.merge(Proposal(first, result.files)).merge(Proposal(first, withdrawal.files))
    second.merge(Proposal(second, withdrawal.files))
    refused(Proposal(second, result.files), "not-approved")


def test_t64_the_commitment_to_a_dataset_depends_on_the_salt() -> None:
    content = digest_of(b"a public data set")
    one, two = commitment(content, b"a" * 32), commitment(content, b"b" * 32)
    assert len({content, one, two}) == 3
    house = settled()
    private = house.dataset(Ref("south", "clinic", 1), content=models.Content("mgds-v1-salted", one))
    assert house.propose(private).sign("south").judge().outcome is Outcome.PASS


def test_t65_nine_cases_are_too_few() -> None:
    house = settled()
    refused(house.propose(house.result(values=rb.values(auroc=rb.value("0.9", n=9)))).sign("north"), "few-cases")
    assert (
        house.propose(house.result(values=rb.values(auroc=rb.value("0.9", n=10)))).sign("north").judge().findings == ()
    )
    held_back = models.MetricValue(n=9)
    kept = house.propose(house.result(values=rb.values(auroc=held_back))).sign("north")
    assert kept.judge().outcome is Outcome.PASS


def test_t65_a_site_may_ask_for_more_cases_than_the_benchmark() -> None:
    house = settled()
    careful = Ref("north", "careful", 1)
    limits = models.SiteDisclosure(min_cases=100, decimals=1)
    house.merge(house.propose(house.dataset(careful, disclosure=limits)).sign("north"))
    rb.join(house, careful)
    refused(house.propose(house.result(careful)).sign("north"), "few-cases", "decimals")


@pytest.mark.parametrize(("cases", "outcome"), [(59, Outcome.FAIL), (61, Outcome.FAIL), (70, Outcome.PASS)])
def test_t65_a_version_that_differs_by_few_cases_is_held_back(cases: int, outcome: Outcome) -> None:
    house = settled()
    house.merge(house.propose(house.result()).sign("north"))
    ref = Ref("north", "wards", 2)
    house.merge(house.propose(house.dataset(ref, cases=models.Cases(exact=cases))).sign("north"))
    rb.join(house, ref)
    values = rb.values(auroc=rb.value("0.9", n=cases), brier=rb.value("0.1", n=cases))
    result = house.result(ref, cases=models.Cases(exact=cases), values=values)
    assert house.propose(result).sign("north").judge().outcome is outcome


def with_second_version(house: House, cases: int) -> Proposal:
    """Return a result on an approved second version of the data of north, of this many cases."""
    ref = Ref("north", "wards", 2)
    house.merge(house.propose(house.dataset(ref, cases=models.Cases(exact=cases))).sign("north"))
    rb.join(house, ref)
    values = rb.values(auroc=rb.value("0.9", n=cases), brier=rb.value("0.1", n=cases))
    return house.propose(house.result(ref, cases=models.Cases(exact=cases), values=values)).sign("north")


def test_t65_withdrawing_the_first_value_does_not_make_it_unread() -> None:
    house = settled()
    house.merge(house.propose(house.result()).sign("north"))
    house.merge(house.propose(house.notice("withdraw", RESULT, by="north")).sign("north"))
    refused(with_second_version(house, 59), "differencing")


def test_t65_a_failed_run_published_nothing_to_compare_with() -> None:
    house = settled()
    house.merge(house.propose(house.result(outcome="failed", reason="timeout", values=None)).sign("north"))
    assert with_second_version(house, 59).judge().outcome is Outcome.PASS


def test_t68_what_is_gone_does_not_come_back_as_something_else() -> None:
    """Nothing is deleted; what is withdrawn keeps its name and number."""
    house = settled()
    path = layout.cube_path(MODEL)
    house.merge(house.propose(house.notice("withdraw", path, by="moa")).sign("moa"))
    refused(house.propose(house.result()).sign("north"), "withdrawn")
    other = house.propose(rb.cube(Ref("eve", "forest", 1)))
    refused(other.sign("eve"), "owner", "unsigned")
    assert house.propose(rb.cube(Ref("moa", "forest", 2))).sign("moa").judge().outcome is Outcome.PASS


@pytest.mark.parametrize(
    "name",
    ["LD_PRELOAD", "LD_LIBRARY_PATH", "NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "HTTPS_PROXY", "PATH", "HOME"],
)
def test_t75_a_record_does_not_reach_out_of_the_sandbox(name: str) -> None:
    house = settled()
    task = rb.task("data_path", environment={name: "evil"})
    record = rb.cube(Ref("moa", "tree", 1), tasks={"infer": task})
    refused(house.propose(record).sign("moa"), "cube-environment")
    hidden = {"infer": rb.task("data_path"), "other": task}
    refused(house.propose(rb.cube(Ref("moa", "tree", 1), tasks=hidden)).sign("moa"), "cube-environment")


def test_a_later_policy_does_not_touch_a_pending_request() -> None:
    house = settled()
    house.merge(house.propose(house.event("request", by="south")).sign("south"))
    always = models.AutoApprovals(models.AutoApproval("always"), models.AutoApproval("always"))
    house.merge(house.propose(house.policy_now(auto_approve=always)).sign("dora", "emil"))
    assert rb.status(house) == "pending"


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        (models.AutoApproval("never"), "pending"),
        (models.AutoApproval("always"), "approved"),
        (models.AutoApproval("list", (MemberName("south"),)), "approved"),
        (models.AutoApproval("list", (MemberName("moa"),)), "pending"),
    ],
)
def test_a_request_is_approved_at_once_only_where_the_policy_before_says_so(
    rule: models.AutoApproval, status: str
) -> None:
    house = settled()
    both = models.AutoApprovals(rule, models.AutoApproval("never"))
    house.merge(house.propose(house.policy_now(auto_approve=both)).sign("dora", "emil"))
    house.merge(house.propose(house.event("request", by="south")).sign("south"))
    assert rb.status(house) == status


def test_an_invitation_is_never_approved_at_once() -> None:
    house = settled()
    always = models.AutoApprovals(models.AutoApproval("always"), models.AutoApproval("always"))
    house.merge(house.propose(house.policy_now(auto_approve=always)).sign("dora", "emil"))
    house.merge(house.propose(house.event("request", by="emil", side="committee")).sign("emil"))
    assert rb.status(house) == "pending"


def test_a_dataset_travels_with_its_request() -> None:
    house = settled()
    ref = Ref("south", "clinic", 1)
    dataset = house.dataset(ref)
    request = house.event("request", by="south", subject=ref, digest=digest_of(write_record(dataset)))
    house.merge(house.propose(dataset, request).sign("south"))
    assert rb.status(house, ref) == "pending"
    result = house.result(ref)
    refused(house.propose(result).sign("south", "south:2"), "not-approved")


def test_a_request_under_a_policy_of_the_same_proposal_is_refused() -> None:
    house = settled()
    always = models.AutoApprovals(models.AutoApproval("always"), models.AutoApproval("always"))
    policy = house.policy_now(auto_approve=always)
    proposal = house.propose(policy)
    request = house.event("request", by="south", policy=digest_of(proposal.files[proposal.path]))
    proposal.add(request).sign("dora", "emil", only="benchmarks").sign("south", only="associations")
    refused(proposal, "association-request")


@pytest.mark.parametrize("name", list(RULE_EXAMPLES["private-text"].refused))
def test_t66_secrets_and_addresses_of_people_are_refused(name: str) -> None:
    refused(RULE_EXAMPLES["private-text"].refused[name](settled()), "private-text")


def test_t66_the_record_of_a_member_has_no_place_for_personal_data() -> None:
    about = {"member", "title", "country", "website", "status", "keys", "cosigning", "revoked", "pending", "recovered"}
    assert set(schema_of("member")["properties"]) - {"kind", "spec", "created", "previous"} == about


def test_t70_a_proposal_of_too_many_files_is_refused_before_they_are_verified() -> None:
    house = settled()
    proposal = house.propose(*(rb.cube(Ref("moa", f"tree{number}", 1)) for number in range(101))).sign("moa")
    started = time.perf_counter()
    refused(proposal, "limit")
    assert time.perf_counter() - started < 10
