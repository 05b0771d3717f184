"""What is printed acts on no terminal and no CI log (threat T25)."""

import io
import json
from contextlib import redirect_stdout

from hypothesis import given
from hypothesis import strategies as st

from medperf_git.cli.output import echo_findings, echo_json, echo_text, fold_columns, ranking_table, table
from medperf_git.flows.wording import cell, cut, escape, width
from medperf_git.records.findings import Finding

HOSTILE = st.text(
    alphabet=st.one_of(st.characters(), st.sampled_from(list("\x1b\r\n:#[]\x9b\u202e\u2066\u200b\ufeff")))
)
FORBIDDEN = {*range(0x20), *range(0x7F, 0xA0)} - {0x0A}


def printed(act: object, *arguments: object, **options: object) -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        act(*arguments, **options)  # type: ignore[operator]
    return out.getvalue()


def assert_harmless(text: str) -> None:
    assert not {ord(c) for c in text} & FORBIDDEN
    assert not any(line.lstrip().startswith("::") for line in text.split("\n"))
    assert "##[" not in text
    assert not set(text) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u200b\ufeff")


@given(HOSTILE)
def test_t25_printed_text_has_no_control_character_and_no_workflow_command(text: str) -> None:
    assert_harmless(printed(echo_text, text))


@given(HOSTILE, HOSTILE)
def test_t25_tables_are_harmless_whatever_stands_in_them(name: str, title: str) -> None:
    shown = printed(table, [{"name": name, "title": title}])
    assert_harmless(shown.replace("\x1b[1m", "").replace("\x1b[0m", ""))
    assert shown.count("\n") == 2


@given(HOSTILE, HOSTILE, HOSTILE)
def test_t25_findings_are_harmless(message: str, path: str, got: str) -> None:
    finding = Finding("rule", message, path=path, got=got, fix=message)
    assert_harmless(printed(echo_findings, [finding]))


@given(st.dictionaries(HOSTILE, HOSTILE, max_size=3))
def test_t25_json_comes_back_as_it_was_and_is_ascii(value: dict[str, str]) -> None:
    shown = printed(echo_json, value)
    assert shown.isascii()
    assert json.loads(shown) == value
    assert_harmless(shown)


def test_ordinary_text_stays_as_it_is() -> None:
    text = "Universitätsklinikum Zürich: 95 % – 12:30 [ok]\nsecond line"
    assert escape(text) == text


def test_an_empty_table_says_what_to_do() -> None:
    assert printed(table, [], empty="nothing yet: `medperf-git new`") == "nothing yet: `medperf-git new`\n"


@given(HOSTILE, st.integers(1, 80))
def test_a_cut_cell_takes_no_more_columns_than_it_may(text: str, most: int) -> None:
    assert width(cut(cell(text), most)) <= most


def test_a_cell_is_cut_with_an_ellipsis_and_a_short_one_is_left_alone() -> None:
    assert cut("a title that is too long", 10) == "a title t…"
    assert cut("short", 10) == "short"


def test_wide_letters_take_two_columns_and_accents_none() -> None:
    assert width("漢字") == 4
    assert width("e\u0301") == 1
    shown = printed(table, [{"name": "漢字", "title": "x"}, {"name": "abcd", "title": "y"}])
    assert [line.split("  ")[1] for line in shown.splitlines()[1:]] == ["x", "y"]


def test_accents_stacked_onto_other_lines_are_taken_down() -> None:
    assert cell("e" + "\u0301" * 50) == "e\u0301\u0301"


def test_a_wide_table_is_folded_behind_its_first_columns_and_a_narrow_one_stays_whole() -> None:
    widths = [4, 31, 7, 17, 5, 5, 14, 18]
    assert fold_columns(widths, keys=2, room=80) == [[0, 1, 2, 3, 4, 5], [0, 1, 6, 7]]
    assert fold_columns(widths, keys=2, room=10_000) == [list(range(8))]
    assert fold_columns(widths, keys=2, room=1) == [[0, 1, column] for column in range(2, 8)]
    assert fold_columns([9], keys=2, room=1) == [[0]]


@given(st.lists(st.integers(1, 40), min_size=3, max_size=12), st.integers(20, 200))
def test_every_column_of_a_folded_table_is_told_once(widths: list[int], room: int) -> None:
    parts = fold_columns(widths, keys=2, room=room)
    assert [column for part in parts for column in part[2:]] == list(range(2, len(widths)))
    for part in parts:
        assert len(part) == 3 or sum(widths[i] for i in part) + 2 * (len(part) - 1) <= room


def test_numbers_of_a_ranking_stand_to_the_right() -> None:
    rows = [["1", "a/b@1", "0.9"], ["10", "a/long@1", "0.123"]]
    shown = printed(lambda: ranking_table(["rank", "model", "auroc"], rows, [True, False, True], keys=2))
    assert shown.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines() == [
        *("RANK  MODEL     AUROC", "   1  a/b@1       0.9", "  10  a/long@1  0.123"),
    ]


@given(HOSTILE, HOSTILE)
def test_t25_a_ranking_is_harmless_whatever_stands_in_it(name: str, title: str) -> None:
    shown = printed(lambda: ranking_table([name, title], [[title, name]], [True, False], keys=1))
    assert_harmless(shown.replace("\x1b[1m", "").replace("\x1b[0m", ""))
