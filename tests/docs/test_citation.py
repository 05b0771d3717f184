"""The citation in the top folder is valid, and names MedPerf's paper beside this program."""

import jsonschema
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema

from tests.support.pages import ROOT

CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_it_keeps_the_schema_of_the_citation_file_format() -> None:
    schema = get_builtin_schema("vendor.citation-file-format")
    checked = jsonschema.Draft7Validator(schema, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER)
    assert [error.message for error in checked.iter_errors(CITATION)] == []


def test_it_names_the_paper_of_medperf_and_so_does_the_page() -> None:
    (paper,) = CITATION["references"]
    assert paper["doi"] == "10.1038/s42256-023-00652-2"
    assert (paper["authors"][0]["family-names"], paper["year"], paper["start"], paper["end"]) == (
        "Karargyris",
        2023,
        799,
        810,
    )
    page = (ROOT / "docs/citing.md").read_text(encoding="utf-8")
    assert page.count(paper["doi"]) == 2
    assert paper["title"] in page.replace("\n", " ")
