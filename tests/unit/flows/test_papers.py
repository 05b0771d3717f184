"""The printed pages: exact values, whose limit held what back, the digest that is signed; nothing hostile acts."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

from medperf_git.errors import Refused, UsageProblem
from medperf_git.flows.paper_parts import Leaving
from medperf_git.flows.papers import dataset_paper, proposal_paper, proposal_sentences, review_paper, write_paper
from medperf_git.flows.results import refuse_unreviewed
from medperf_git.leaderboard.paper import CSP, render_paper
from medperf_git.records import layout
from medperf_git.records import models as m
from medperf_git.records.digests import digest_of
from medperf_git.records.record import write_record
from medperf_git.records.view import record_at
from medperf_git.runner.engine import Profile
from tests.support import comparison_builder as cb
from tests.support.paper_samples import WHERE, registry, review

ROOT = Path(__file__).parents[3]
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</pre></style><style>*{display:none}</style>",
    "<a href=javascript:alert(1)>x</a>",
    "<svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "<!--",
    "]]></textarea><iframe src=//e.example>",
    "&lt;b&gt; &#60;",
    "' onmouseover='alert(1)",
    "<meta http-equiv=refresh content=0>",
    "<base href=//e.example>",
)


class Nodes(HTMLParser):
    """Every element with its attributes' names, and the text between them."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[tuple[str, tuple[str, ...]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.nodes.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(page: bytes) -> Nodes:
    nodes = Nodes()
    nodes.feed(page.decode())
    return nodes


def page_of(*, models: int = 2, failed: int = 1, text: str = "") -> bytes:
    made = registry(models=models, text=text)
    return render_paper(review_paper(made.view, WHERE, [review(made, models=models, failed=failed, text=text)]))


def test_the_page_says_who_what_by_which_limit_and_what_is_signed() -> None:
    made = registry(models=3)
    shown = review(made, models=3, failed=1)
    text = " ".join(parsed(render_paper(review_paper(made.view, WHERE, [shown]))).text.split())
    for words in (
        "clinic would publish 3 results on “Cohort of 2025” (clinic/cohort@1), over 60 cases",
        "2 complete; 1 failed.",
        "rests on has 60 cases",
        "Everybody. There is no list of recipients",
        "For ever. A published record is never changed and never deleted",
        WHERE.id,
        "Fewest cases a value may rest on20 10 20",
        "Most decimals of a value2 3 2",
        "net-0: auroc: held back, it rests on 15 cases; at least 20 (your own limit)",
        "net-0, net-1: auroc: rounded to 2 decimals (your own limit)",
        "net-0, net-1, net-2: not declared by the benchmark, so it stays here: patient-7",
        "Sandbox “compat”, for net-1",
        "The container had no network at all",
        "docker 20.10",
        "before it ran: 2026-11-25T09:00:00Z; after it: 2026-11-25T12:00:00Z",
        "approved of this dataset and of every model on it",
        "one number over all cases, from 0 to 1; higher is better",
        "failed: it needed more memory than it was given",
        "it needed 5 GiB",
        str(digest_of(b"m")),
    ):
        assert words.replace(" ", "") in text.replace(" ", ""), words
    for one in shown.records:
        assert str(digest_of(one.data)).removeprefix("sha256:") in text
        assert " ".join(one.data.decode().split()) in text


@pytest.mark.parametrize("profile", list(Profile))
def test_the_page_describes_every_sandbox_that_a_model_may_have_run_in(profile: Profile) -> None:
    made = registry()
    shown = review(made)
    (one,) = shown.records
    record = replace(one.result, sandbox=profile.value)
    ran = replace(shown, records=(replace(one, draft=replace(one.draft, record=record), data=write_record(record)),))
    assert f"Sandbox “{profile}”" in parsed(render_paper(review_paper(made.view, WHERE, [ran]))).text


def test_the_page_is_one_file_without_a_script_and_asks_nobody() -> None:
    page = page_of()
    nodes = parsed(page)
    assert not {tag for tag, _ in nodes.nodes} & {"script", "img", "link", "iframe", "object", "form"}
    assert CSP.encode() in page.replace(b"&#39;", b"'")
    links = [attrs for tag, attrs in nodes.nodes if tag == "a"]
    assert page.count(b'<a href="#result-') == len(links) > 0
    assert b"http" not in page.replace(b"http-equiv", b"").replace(WHERE.url.encode(), b"")


def test_the_same_review_gives_the_same_bytes_on_any_machine(tmp_path: Path) -> None:
    program = (
        "import hashlib\n"
        "from tests.unit.flows.test_papers import page_of\n"
        "print(hashlib.sha256(page_of()).hexdigest())\n"
    )
    seen = set()
    for zone, seed in (("UTC", "1"), ("Pacific/Apia", "7")):
        env = {**os.environ, "TZ": zone, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", program], env=env, cwd=tmp_path, capture_output=True, check=True)
        seen.add(done.stdout.decode().strip())
    assert seen == {str(digest_of(page_of())).removeprefix("sha256:")}


def test_forty_one_models_begin_with_a_summary_and_end_with_the_bytes() -> None:
    text = page_of(models=41, failed=3).decode()
    order = [
        text.index(f'id="{name}"') for name in ("summary", "who", "held-back", "stays", "sign", "results", "bytes")
    ]
    assert order == sorted(order)
    assert text.count('href="#result-') == 41


@pytest.mark.parametrize("payload", HOSTILE)
def test_t49_hostile_text_in_every_field_adds_no_node_to_a_printed_page(payload: str) -> None:
    calm, hostile = parsed(page_of(text="calm")), parsed(page_of(text=payload))
    assert hostile.nodes == calm.nodes
    assert payload in hostile.text


def test_t25_what_a_container_named_does_not_turn_the_line_round() -> None:
    made = registry(models=1)
    page = render_paper(review_paper(made.view, WHERE, [review(made, text="calm")])).decode()
    turned = render_paper(review_paper(made.view, WHERE, [review(made, failed=1, text="a\u202eb\x1b[2J")])).decode()
    assert "\u202e" not in page + turned
    assert "\x1b" not in turned
    assert "\\u202e" in turned


def test_the_digest_on_paper_is_the_one_that_may_be_submitted() -> None:
    made = registry(models=1)
    shown = review(made)
    (one,) = shown.records
    page = render_paper(review_paper(made.view, WHERE, [shown])).decode()
    digest = str(digest_of(one.data))
    refuse_unreviewed(one, {one.draft.path: digest}, shown.run_id)
    assert page.count(digest.removeprefix("sha256:")) == 2
    other = SimpleNamespace(draft=one.draft, result=one.result, data=one.data.replace(b"attempt: 1", b"attempt: 2"))
    assert other.data != one.data
    with pytest.raises(Refused, match="is not what was reviewed"):
        refuse_unreviewed(other, {one.draft.path: digest}, shown.run_id)  # type: ignore[arg-type]


def test_a_second_signer_sees_the_same_records_without_what_only_the_house_knows() -> None:
    made = registry(models=2)
    shown = review(made, models=2, failed=1)
    records = {one.draft.path: one.data for one in shown.records}
    text = parsed(render_paper(proposal_paper(made.view, WHERE, "0123456789ab", records))).text
    for one in shown.records:
        assert str(digest_of(one.data)).removeprefix("sha256:") in text
    assert "patient-7" not in text
    assert "5 GiB" not in text
    assert "net-0: auroc is held back; the record says so in its place" in text
    first, second = proposal_sentences(made.view, records)
    assert first == "result of net-0 (ana/net-0@1) on clinic/cohort@1: complete; AUROC held back"
    assert second.endswith("failed: it needed more memory than it was given")


def test_a_second_signer_sees_how_models_compare_and_every_published_number() -> None:
    house = cb.compared()
    compared = cb.comparison(house)
    result = cb.result(house, cb.TREE)
    entry = replace(result.values["dice"], quantiles=(Decimal("0.5"),), counts=(30, 31))  # type: ignore[index]  # it has values
    result = replace(result, values={**result.values, "dice": entry})  # type: ignore[dict-item]  # as above
    folder = "comparisons/dora/heart/2/north.wards.1/dice"
    records = {f"{folder}/0001.yaml": write_record(compared), f"{cb_folder(result)}/0001.yaml": write_record(result)}
    text = parsed(render_paper(proposal_paper(house.view, WHERE, "0123456789ab", records))).text
    assert "over the 60 cases that all of them have" in text
    assert f"{compared.pairs[0].wins}{compared.pairs[0].ties}{compared.pairs[0].losses}" in text.replace("\n", "")
    assert "quantile number 1" in text
    assert "30, 31" in text
    for data in records.values():
        assert str(digest_of(data)).removeprefix("sha256:") in text
    said = list(proposal_sentences(house.view, records))
    assert said[0].startswith("comparison of 2 models on north/wards@1 by Dice")
    assert said[1].startswith("result of The tree container")


def cb_folder(result: m.Result) -> str:
    return layout.result_folder(result.benchmark.ref, result.dataset.ref, result.model.ref)


@pytest.mark.parametrize(("method", "words"), [("mgds-v1", "not salted"), ("mgds-v1-salted", "salted commitment")])
def test_the_page_of_a_dataset_says_what_its_digest_tells(method: str, words: str) -> None:
    made = registry()
    path = "datasets/clinic/cohort/1.yaml"
    record = record_at(made.view, path, m.Dataset)
    assert record is not None
    content = m.Content(method, record.content.digest)  # type: ignore[arg-type]  # one of two words
    changed = m.Dataset(**{name: getattr(record, name) for name in record.__slots__} | {"content": content})
    benchmark = record_at(made.view, "benchmarks/ana/cells/1/benchmark.yaml", m.Benchmark)
    leaving = Leaving(path, write_record(changed))
    page = dataset_paper(made.view, WHERE, leaving, benchmark=benchmark, stays=("the statistics age",))
    text = parsed(render_paper(page)).text
    for said in (
        words,
        "The number of cases, and no other statistic.",
        "the statistics age",
        "privacy officer",
        "For ever",
        "a second record does so, which is shown before it is sent",
    ):
        assert said in text
    assert str(digest_of(leaving.data)).removeprefix("sha256:") in text


def test_a_page_is_written_over_an_older_one_and_over_nothing_else(tmp_path: Path) -> None:
    made = registry()
    paper = review_paper(made.view, WHERE, [review(made)])
    out = tmp_path / "review.html"
    write_paper(paper, out)
    write_paper(paper, out)
    assert out.read_bytes() == render_paper(paper)
    assert out.stat().st_mode & 0o077 == 0
    (tmp_path / "mine.html").write_text("<p>mine")
    for name, said in (
        ("mine.html", "no page that was made here"),
        ("a.pdf", "no web page"),
        ("no/b.html", "no folder"),
    ):
        with pytest.raises(UsageProblem, match=said):
            write_paper(paper, tmp_path / name)
    assert (tmp_path / "mine.html").read_text() == "<p>mine"


def test_nothing_that_leaves_gives_no_page() -> None:
    made = registry()
    shown = review(made, models=0)
    with pytest.raises(UsageProblem, match="nothing would leave"):
        review_paper(made.view, WHERE, [shown])
    assert json.dumps(shown.as_value()["records"]) == "[]"
