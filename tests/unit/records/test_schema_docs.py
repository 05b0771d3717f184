import runpy
from pathlib import Path

from medperf_git.records.schemas import KINDS

TOP = Path(__file__).resolve().parents[3]


def test_the_page_of_fields_is_what_the_schemas_say():
    script = runpy.run_path(str(TOP / "scripts" / "schema-docs.py"))
    page = (TOP / "registry_spec" / "records.md").read_text(encoding="utf-8")
    assert page == script["render_page"](TOP / "schemas"), "run scripts/schema-docs.py"


def test_the_page_knows_every_kind():
    script = runpy.run_path(str(TOP / "scripts" / "schema-docs.py"))
    assert script["KINDS"] == KINDS
