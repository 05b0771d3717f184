"""The site: the same bytes everywhere, nothing hostile alive in it, and what a reader must find."""

import base64
import csv
import hashlib
import html
import io
import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from medperf_git.errors import UsageProblem
from medperf_git.leaderboard.build import CSP, build_site, write_site
from medperf_git.leaderboard.embed_page import CSP as EMBED_CSP
from medperf_git.leaderboard.spreadsheet import safe_cell
from medperf_git.records.view import MemoryView
from tests.support import leaderboard_registry as lr

PAGE = "benchmarks/ana/breast/1/index.html"
STATUS = "benchmarks/ana/breast/1/status.html"
ROOT = Path(__file__).resolve().parents[3]
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' autofocus onfocus='alert(1)",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</desc></svg><iframe srcdoc='<script>alert(1)</script>'>",
    "javascript:alert(1)",
    "{{ 7*7 }}{% raw %}",
    "${alert(1)}",
    "<!-- --><b>",
    "&lt;script&gt;alert(1)",
    "[x](javascript:alert(1))",
    '=HYPERLINK("http://x","y")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "<a href=javascript:alert(1)>x</a>",
    "<base href=//evil.example>",
    "<meta http-equiv=refresh content=0>",
)
FIELDS = (
    *("registry", "model", "dataset", "benchmark", "description", "bias", "unit", "metric-auroc"),
    *("metric-sensitivity", "metric-brier", "engine", "client"),
)


def site_of(registry):
    return build_site(registry.view(), commit=lr.COMMIT, registry_id=lr.REGISTRY_ID, step_time=lr.STEP_TIME)


def fill(registry):
    for name, cases in (("north", 60), ("river", 120), ("summit", 200)):
        registry.site(name, cases=cases)
        registry.result("one-feature", name, {"auroc": 0.9, "sensitivity": 0.8, "brier": 0.1})
    registry.model("other", registry.text("model", "Other"))
    registry.result("other", "north", outcome="failed", reason="timeout")
    return registry


class Skeleton(HTMLParser):
    """The elements and attribute names of a page, in order, without any text."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, tuple(name for name, _ in attrs)))

    def handle_comment(self, data):
        self.seen.append(("comment", ()))


def skeleton(page):
    parser = Skeleton()
    parser.feed(page.decode())
    return parser.seen


def test_a_site_has_index_benchmark_and_one_page_per_result():
    files = site_of(lr.demo())
    assert {"index.html", "index.json", PAGE, PAGE.replace("index.html", "table.json")} <= set(files)
    assert sum(name.startswith("results/") for name in files) == 14
    assert list(files) == sorted(files)


def test_an_empty_registry_builds():
    files = build_site(MemoryView({}), commit=lr.COMMIT, registry_id=lr.REGISTRY_ID, step_time=lr.STEP_TIME)
    assert b"0 benchmarks" in files["index.html"]


def test_a_benchmark_without_results_says_that_there_is_no_ranking_yet():
    registry = lr.Registry()
    registry.site("north", cases=20)
    page = site_of(registry)[PAGE].decode()
    assert "There is no ranking yet." in page
    assert "No model has a counted result yet." in page


def test_the_page_answers_who_is_first_and_how_sure_that_is():
    files = site_of(lr.demo())
    page = files[PAGE].decode()
    assert "Logistic regression is first of four, but not everywhere" in page
    assert "it needed more memory than it was given" in page
    assert "not ranked: no value at any site" in page
    for name in ("index.html", "methods.html"):
        assert f"medperf-git leaderboard build --at {lr.COMMIT}" in files[name].decode()


def test_only_the_index_the_methods_and_one_style_sheet_name_the_commit():
    files = site_of(lr.demo())
    naming = {name for name, data in files.items() if lr.COMMIT.encode() in data}
    assert naming == {"index.html", "index.json", "methods.html", "assets/as-of.css"}


def test_the_page_of_a_benchmark_does_not_depend_on_when_it_is_built():
    assert lr.STEP_TIME.encode() not in site_of(lr.demo())[PAGE]


def test_the_page_of_stages_says_who_must_act_next_as_of_the_commit_and_links_its_csv():
    registry = lr.demo()
    registry.site("east", cases=44, title="East Side Clinic", approved=False)
    files = build_site(registry.view(), commit=lr.COMMIT, registry_id=lr.REGISTRY_ID, step_time="2026-12-05T12:00:00Z")
    page = files[STATUS].decode()
    assert "1 of 4 sites have run every model." in page
    assert "Waited for: ana or ben; river; summit." in page
    assert "<span>medperf-git</span> <span>approve</span> <span>east/tumours@1</span>" in page
    assert '<time datetime="2026-11-25T10:00:00Z">2026-11-25</time><span class="of under">10 days before</span>' in page
    assert 'href="status.html"' in files[PAGE].decode()
    rows = list(csv.DictReader(io.StringIO(files[STATUS.replace(".html", ".csv")].decode())))
    assert [(row["name"], row["stage"], row["results"], row["of"], row["days_since"]) for row in rows[:3]] == [
        ("east/tumours@1", "pending", "0", "5", "10"),
        ("north/tumours@1", "done", "5", "5", "10"),
        ("river/tumours@1", "running", "4", "5", "10"),
    ]


def test_a_benchmark_without_sites_has_a_page_of_stages_too():
    page = site_of(lr.Registry())[STATUS].decode()
    assert "No site has asked to take part yet." in page
    assert "Nobody is waited for." in page
    assert "One feature" in page


def test_every_table_has_a_caption_and_every_heading_a_scope():
    for name, data in site_of(lr.demo()).items():
        if name.endswith(".html"):
            page = data.decode()
            assert len(re.findall(r"<table", page)) == len(re.findall(r"<caption>\S", page)), name
            assert all("scope=" in head for head in re.findall(r"<th\b[^>]*>", page)), name


@pytest.mark.parametrize("rule", ["mean-of-sites", "mean-then-rank"])
def test_both_rules_stand_on_the_page(rule):
    page = site_of(lr.demo(rule))[PAGE].decode()
    assert ">Mean of sites</th>" in page
    assert ">Mean over cases</th>" in page
    assert ("Mean of sites: a model" in page) == (rule == "mean-of-sites")


def test_bucketed_case_numbers_leave_out_the_rule_that_needs_them_with_the_reason():
    registry = lr.Registry(n="bucket")
    for name in ("north", "river"):
        registry.site(name, cases=50)
        registry.result("one-feature", name, {"auroc": 0.9})
    registry.model("other")
    for name in ("north", "river"):
        registry.result("other", name, {"auroc": 0.8})
    page = site_of(registry)[PAGE].decode()
    assert "Not ranked by Mean over cases, Mean rank over cases, FeTS 2022, BraTS, " in page
    assert "these rules need the number of cases, which the policy publishes only as a range" in page
    assert "published as ranges only, so nothing here is weighed by them" in page


def test_pages_hold_no_inline_script_or_style_and_point_nowhere_else():
    for name, data in site_of(lr.demo()).items():
        if not name.endswith(".html"):
            continue
        page = data.decode()
        tags = skeleton(data)
        assert not any(tag == "style" for tag, _ in tags), name
        assert not any(attr == "style" or attr.startswith("on") for _, attrs in tags for attr in attrs), name
        assert all("src" in attrs for tag, attrs in tags if tag == "script"), name
        policy = EMBED_CSP if name.endswith("/embed.html") else CSP
        assert policy.replace("'", "&#39;") in page
        for address in re.findall(r'(?:href|src)="([^"]*)"', page):
            assert not re.match(r"[a-z]+:|//", address), (name, address)


def test_every_link_of_the_site_leads_to_a_file_of_the_site():
    files = site_of(lr.demo())
    for name, data in files.items():
        if name.endswith(".html"):
            ids = set(re.findall(r'id="([^"]*)"', data.decode()))
            for address in re.findall(r'(?:href|src)="([^"]*)"', data.decode()):
                target, _, anchor = address.partition("#")
                if target:
                    assert posixpath.normpath(f"{name.rpartition('/')[0]}/{target}").lstrip("/") in files, (
                        name,
                        address,
                    )
                else:
                    assert anchor in ids, (name, address)


def test_ids_are_unique_in_every_page():
    for name, data in site_of(lr.demo()).items():
        if name.endswith(".html"):
            ids = re.findall(r'\sid="([^"]*)"', data.decode())
            assert len(ids) == len(set(ids)), name


def test_same_commit_gives_the_same_bytes_in_any_zone_locale_and_hash_order(tmp_path):
    program = (
        "import hashlib, json, time; time.tzset();"
        "from tests.support import leaderboard_registry as lr;"
        "from medperf_git.leaderboard.build import build_site;"
        "f = [build_site(r.view(), commit=lr.COMMIT, registry_id=lr.REGISTRY_ID, step_time=lr.STEP_TIME)"
        " for r in (lr.demo(), lr.wide(5, 11))];"
        "print(json.dumps([{n: hashlib.sha256(b).hexdigest() for n, b in s.items()} for s in f]))"
    )
    seen = set()
    for zone, locale, seed in (
        ("UTC", "C", "0"),
        ("Asia/Kathmandu", "de_DE.UTF-8", "1"),
        ("America/Lima", "tr_TR", "77"),
    ):
        env = {
            **os.environ,
            "TZ": zone,
            "LC_ALL": locale,
            "LANG": locale,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": str(ROOT),
        }
        done = subprocess.run([sys.executable, "-c", program], env=env, cwd=tmp_path, capture_output=True, check=True)
        seen.add(done.stdout)
    assert len(seen) == 1
    here = {name: hashlib.sha256(data).hexdigest() for name, data in site_of(lr.demo()).items()}
    assert json.loads(seen.pop())[0] == here


@pytest.mark.parametrize("payload", HOSTILE)
def test_t49_hostile_text_in_every_field_adds_no_node(payload):
    calm = site_of(fill(lr.Registry(texts=dict.fromkeys(FIELDS, "calm"))))
    hostile = site_of(fill(lr.Registry(texts=dict.fromkeys(FIELDS, payload))))
    assert {name.rpartition("/")[0] for name in calm} == {name.rpartition("/")[0] for name in hostile}
    for name, data in calm.items():
        if name.endswith(".html"):
            assert skeleton(hostile[name]) == skeleton(data), name


@pytest.mark.parametrize("payload", HOSTILE)
def test_t49_hostile_text_makes_no_formula_in_a_csv(payload):
    files = site_of(fill(lr.Registry(texts=dict.fromkeys(FIELDS, payload))))
    for name, data in files.items():
        if name.endswith(".csv"):
            for row in csv.reader(io.StringIO(data.decode())):
                assert not [cell for cell in row if cell[:1] in tuple("=+@\t\r") or (cell[:1] == "-")], name


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\t=1", "\r1", " =1", "\n=1", "\uff1d1"])
def test_text_that_looks_like_a_formula_is_quoted_and_numbers_stay_numbers(text):
    assert safe_cell(text) == "'" + text
    assert safe_cell(-0.5) == -0.5
    assert safe_cell(None) == ""
    assert safe_cell("plain") == "plain"


def test_json_and_csv_say_the_same_as_the_page():
    files = site_of(lr.demo())
    table = json.loads(files[PAGE.replace("index.html", "table.json")])
    rows = list(csv.DictReader(io.StringIO(files[PAGE.replace("index.html", "results.csv")].decode())))
    assert table["counts"] == {"results": 14, "shown": 13, "hidden": 1, "counted": 11}
    assert len(table["cells"]) == 15
    assert len(rows) == 15 * 3
    failed = next(row for row in rows if row["state"] == "failed")
    assert (failed["value"], failed["counted"]) == ("", "no")
    ranks = {row["model"]: row["rank"] for row in table["ranking"]["models"]}
    assert ranks == {"ben/logit@1": 1, "ben/forest@1": 2, "ben/near@1": 3, "ana/one-feature@1": 4, "ben/late@1": None}
    ranking = list(csv.DictReader(io.StringIO(files[PAGE.replace("index.html", "ranking.csv")].decode())))
    assert {row["model"]: row["rank"] for row in ranking if row["rank"]} == {m: str(r) for m, r in ranks.items() if r}


def test_a_result_page_shows_provenance_and_how_to_check_it():
    registry = lr.demo()
    path = "results/ana/breast/1/river.tumours.1/ben.forest.1/0002.yaml"
    files = site_of(registry)
    page = files[path.replace(".yaml", ".html")].decode()
    digest = hashlib.sha256(registry.files[path]).hexdigest()
    assert f"sha256:{digest}" in page
    assert f"medperf-git verify {digest[:12]}" in page
    assert lr.fingerprint("river") in page
    assert page.count("same bytes</span>") == 5
    assert "self-attested" in page.lower()
    old = files[path.replace("0002.yaml", "0001.html")].decode()
    assert "superseded by" in old


@pytest.mark.skipif(not all(map(shutil.which, ("openssl", "jq", "sha256sum"))), reason="needs openssl, jq, sha256sum")
def test_the_recipe_of_a_result_page_verifies_a_real_signature(tmp_path):
    registry = lr.demo()
    path = "results/ana/breast/1/north.tumours.1/ben.logit.1/0001.yaml"
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    (bundle_path,) = [name for name in registry.files if name.startswith(path + ".")]
    files = site_of(registry)
    own = re.findall(r"<pre><code>(record=.*?)</code>", files[path.replace(".yaml", ".html")].decode(), re.DOTALL)[0]
    common = re.findall(r"<pre><code>(git show .*?)</code>", files["methods.html"].decode(), re.DOTALL)[0]
    recipe = html.unescape(f"{own}\n{common}")
    bundle = json.loads(registry.files[bundle_path])
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"])
    signed = b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(payload), payload)
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(key.sign(signed)).decode()
    line = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + public).decode()
    recipe = recipe.replace(lr.key_of("north"), line)
    (tmp_path / "git").write_text(f'#!/bin/sh\ncase "$2" in *.json) cat {tmp_path}/b;; *) cat {tmp_path}/r;; esac\n')
    (tmp_path / "git").chmod(0o755)
    (tmp_path / "b").write_text(json.dumps(bundle))
    (tmp_path / "r").write_bytes(registry.files[path])
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-ec", recipe], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = done.stdout.split("\n")
    assert said[0] == said[1] == hashlib.sha256(registry.files[path]).hexdigest()
    assert "Signature Verified Successfully" in done.stdout


def test_writing_replaces_an_older_site_and_nothing_else(tmp_path):
    files, out = site_of(lr.demo()), tmp_path / "deep" / "site"
    write_site(files, out)
    (out / "models" / "stale.html").write_text("old")
    write_site(files, out)
    found = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert found == dict(files)
    assert [path.name for path in out.parent.iterdir()] == ["site"]


def test_writing_refuses_a_folder_that_is_no_site(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageProblem):
        write_site(site_of(lr.demo()), tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("start", ["x;", "x ; ", 'x;"', "x\t", "x|", ";;"])
@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\N{FULLWIDTH EQUALS SIGN}"])
def test_t49_a_spreadsheet_that_splits_at_semicolons_finds_no_formula_either(start: str, sign: str) -> None:
    assert safe_cell(f"{start}{sign}HYPERLINK(1)") == f"{start}'{sign}HYPERLINK(1)"
    assert safe_cell("models; sites | cases - all") == "models; sites | cases - all"
