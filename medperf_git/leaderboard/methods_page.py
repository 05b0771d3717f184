"""How everything is computed, rebuilt, verified and cited: the one page that other pages point to.

Rules kept here: titles and sentences of the rules come from the one table that ranking keeps; here stand only formula,
needs and source of each. The real commit stands here, so that the command to rebuild can be copied.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard import urls
from medperf_git.leaderboard.analysis import Analysis
from medperf_git.leaderboard.page import Page
from medperf_git.leaderboard.rules import in_order
from medperf_git.leaderboard.site_data import SiteData
from medperf_git.leaderboard.text import listing
from medperf_git.leaderboard.words import MISSING_RULES, Context

MOST_BENCHMARKS = 200  # in the table of limits; each page says its own
RECIPE = """\
git show HEAD:"$record" > record.yaml
git show HEAD:"$bundle" > bundle.json
jq -r .dsseEnvelope.payload bundle.json | base64 -d > statement.json
jq -r .dsseEnvelope.signatures[0].sig bundle.json | base64 -d > signature
# the statement is about these bytes: both lines are the same, and the page shows them too
jq -r .subject[0].digest.sha256 statement.json
sha256sum < record.yaml | cut -c 1-64
# and the key signed the statement
{ printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(wc -c < statement.json)"; cat statement.json; } > signed
{ printf '\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000'
  echo "$key" | cut -d ' ' -f 2 | base64 -d | tail -c 32; } > key.der
openssl pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in signed -sigfile signature"""


@dataclass(frozen=True, slots=True)
class Detail:
    """What the table of rules does not say: the formula, what it is computed from, who published it."""

    formula: str
    needs: str
    source: str


DETAILS = {
    "mean-of-sites": Detail(
        "score(m) = Σ w(s) · x(m, s) / Σ w(s), over the sites s that count; w(s) = 1, n(s), √n(s) or min(n(s), cap)",
        "one value for each model and site; numbers of cases where sites weigh by them",
        "the plain mean; weighting by sites keeps one large hospital from deciding alone",
    ),
    "mean-then-rank": Detail(
        "score(m) = Σ n(m, s) · x(m, s) / Σ n(m, s)",
        "one value and the number of cases for each model and site",
        "“aggregate then rank” in Maier-Hein et al. 2018, Nature Communications 9:5217",
    ),
    "rank-then-mean": Detail(
        "score(m) = mean over all cases c of rank(m | c); the smallest is first",
        "comparisons of the sites, which hold every model’s mean rank over the cases",
        "“rank then aggregate” in Maier-Hein et al. 2018, Nature Communications 9:5217",
    ),
    "fets-2022": Detail(
        "r(m, s, k) = rank of m by its mean rank over the cases of site s in metric k; score(m) = mean over s and k of "
        "r(m, s, k); the smallest is first",
        "comparisons of the sites in every ranking metric",
        "FeTS Challenge 2022, task 2 (Pati et al. 2021, arXiv:2105.05874); a missing value is the worst, and a site "
        "where a model failed is left out",
    ),
    "brats": Detail(
        "score(m) = mean over all cases c of the mean over metrics k of rank(m | c, k); the smallest is first",
        "comparisons of the sites in every ranking metric; its permutation test needs values by case, which stay at "
        "the sites",
        "BraTS challenges (Bakas et al. 2018, arXiv:1811.02629)",
    ),
    "test-then-rank": Detail(
        "score(m) = share of the other models that m beats: one-sided Wilcoxon signed-rank tests, stratified over "
        "sites: Z = Σ (W⁺(s) − n(s)(n(s)+1)/4) / √ΣV(s), with V(s) = Σr²/4; all k(k−1) p-values are adjusted together",
        "comparisons of the sites",
        "challengeR (Wiesenfarth et al. 2021, Scientific Reports 11:2369)",
    ),
    "meta": Detail(
        "score(m) = Σ x(m, s) / (v(m, s) + τ²) / Σ 1 / (v(m, s) + τ²), with v = sd² / n and τ² by DerSimonian–Laird or "
        "Paule–Mandel; with it I² and a 95 % prediction interval",
        "the mean, standard deviation and number of cases of each model and site",
        "DerSimonian & Laird 1986, Controlled Clinical Trials 7:177; Paule & Mandel 1982, J. Res. NBS 87:377",
    ),
}


def methods_pages(site: SiteData) -> Iterator[Page]:
    """Give the one page of methods."""
    yield Page(urls.METHODS, "methods.html", partial(methods_context, site))


def methods_context(site: SiteData) -> Context:
    """Say how everything here is made."""
    return {
        "trail": [{"url": "", "text": "Methods"}],
        "rules": [_rule(rule, site.analyses) for rule in in_order()],
        "missing": [{"name": name, "text": text} for name, text in MISSING_RULES.items()],
        "fewest": un.FEWEST_SITES,
        "exact_below": un.EXACT_BELOW,
        "draws": f"{un.DRAWS:,}".replace(",", "\N{NARROW NO-BREAK SPACE}"),
        "limits": [_limits(analysis) for analysis in site.analyses[:MOST_BENCHMARKS] if analysis.table.policy],
        "recipe": RECIPE,
        "embeds": [
            {"title": analysis.table.title, "url": urls.embed_url(analysis.table.ref)} for analysis in site.analyses
        ],
        "cite": _citation(site),
    }


def _rule(rule: rk.Rule, analyses: Sequence[Analysis]) -> Context:
    detail = DETAILS.get(rule.name, Detail("", "", ""))
    spec = [(one.table.title, one.table.ranking) for one in analyses]
    used = [title for title, ranking in spec if (ranking.rule, ranking.version) == (rule.name, rule.version)]
    return {
        "name": rule.name,
        "version": rule.version,
        "title": rule.title,
        "sentence": rule.sentence[:1].upper() + rule.sentence[1:],
        "formula": detail.formula,
        "needs": detail.needs,
        "source": detail.source,
        "used": listing(used, most=6),
    }


def _limits(analysis: Analysis) -> Context:
    table, policy = analysis.table, analysis.table.policy
    return {
        "title": table.title,
        "url": table.url,
        "cases": policy.min_cases if policy else 0,
        "decimals": policy.decimals if policy else 0,
        "number": "exact" if policy and policy.exact_n else "as a range",
    }


def _citation(site: SiteData) -> str:
    """Give a reference to this state of the registry, in words that a reader can paste."""
    year = site.step_time[:4]
    return (
        f"{site.tables.title} ({site.tables.name}), leaderboard as of {site.step_time}, commit {site.commit}, "
        f"registry {site.registry_id}. {year}. Built with medperf-git."
    )
