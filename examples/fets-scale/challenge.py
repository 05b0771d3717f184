"""The simulated challenge: its sites, its models, its teams, and what goes wrong where. Everything here is made up.

Of the FeTS challenge itself come the numbers of sites (32), models (41) and cases (2 625: Zenk et al. 2025, Nature
Communications 16, 6274, table 3), and the sizes of eight sites, marked `published`. The sizes of the other 24 were
chosen so that the sum is right; which site lies in which country, and everything about models, was chosen as well.
"""

import json
import math
import random
from dataclasses import dataclass

SEED = 2022
COMMITTEE, MAINTAINER = "challenge-committee", "consortium"
BENCHMARK = f"{COMMITTEE}/tumours"
DATASET = "scans"
SLOW, IMPATIENT = "model-02", "1s"  # it takes longer than that
THICK = 5.0  # mm; slices that three models cannot read


@dataclass(frozen=True)
class Site:
    """A site: how large, where, how noisy its scans are, and what happens there.

    `slice_mm` above THICK crashes some models; `impatient` gives the slow model a second only, and `again` the time it
    needs afterwards; `left` are the last models that the site does not run.
    """

    number: int
    cases: int
    country: str
    published: bool = False
    slice_mm: float = 1.0
    impatient: bool = False
    again: bool = False
    left: int = 0

    @property
    def name(self) -> str:
        """The site's name as a member."""
        return f"site-{self.number:02d}"

    @property
    def title(self) -> str:
        """What people call it."""
        return f"Site {self.number:02d} (simulated)"

    @property
    def noise(self) -> float:
        """How much harder its scans are than ordinary ones: 1 is ordinary."""
        return round(math.exp(random.Random(f"{SEED}/noise/{self.name}").gauss(0, 0.22)), 3)


# The stories come first, so that a small run of `--sites 5` has each of them.
SITES = (
    Site(1, 11, "US", published=True, impatient=True, again=True),
    Site(2, 52, "IN", published=True, slice_mm=6.0),
    Site(3, 26, "DE", published=True),
    Site(4, 28, "BR", published=True, left=2),
    Site(5, 9, "AU", published=True),
    Site(6, 157, "US", published=True),
    Site(7, 130, "US", published=True, impatient=True),
    Site(8, 124, "CH", published=True),
    Site(9, 120, "US"), Site(10, 121, "CN"), Site(11, 118, "US"), Site(12, 95, "GB"), Site(13, 87, "NO", left=11),
    Site(14, 122, "US"), Site(15, 64, "KR"), Site(16, 115, "CA"), Site(17, 73, "ES"), Site(18, 58, "CO"),
    Site(19, 101, "IN", slice_mm=7.0), Site(20, 92, "IT"), Site(21, 88, "US"), Site(22, 41, "ZA"), Site(23, 110, "JP"),
    Site(24, 69, "TR"), Site(25, 47, "NG"), Site(26, 113, "US"), Site(27, 84, "AT"), Site(28, 36, "NZ"),
    Site(29, 77, "SG"), Site(30, 99, "CZ"), Site(31, 55, "AR"), Site(32, 103, "US"),
)  # fmt: skip


@dataclass(frozen=True)
class Model:
    """A simulated model: its name, whose it is, and the parameters that model/infer.py explains."""

    name: str
    owner: str
    parameters: dict[str, float]

    @property
    def title(self) -> str:
        """What people call it."""
        return f"Simulated {self.name}, error {self.parameters['error_mm']} mm"

    @property
    def text(self) -> str:
        """The parameters file."""
        return json.dumps(self.parameters, indent=1) + "\n"


def models(count: int = 41) -> tuple[Model, ...]:
    """Return the first models; the first is the committee's reference model, the others belong to ten teams."""
    return tuple(_model(number) for number in range(1, count + 1))


def _model(number: int) -> Model:
    chance = random.Random(f"{SEED}/model/{number}")
    parameters = {
        "seed": 1000 + number,
        "error_mm": round(2.8 * math.exp(chance.gauss(0, 0.16)), 2),
        "bias": round(chance.gauss(0, 0.025), 4),
        "transfer": round(chance.uniform(0.4, 1.4), 2),
        "strangeness": round(chance.uniform(0.03, 0.12), 3),
        "slip": round(chance.uniform(0.01, 0.06), 3),
        "lost": round(max(0.0, chance.uniform(-0.006, 0.006)), 4),
        "least_mm": round(chance.uniform(1.5, 4), 1),
        "thickest_mm": THICK if number in (3, 17, 29) else 20,
        "seconds": 1.3 if f"model-{number:02d}" == SLOW else 0,
    }
    owner = COMMITTEE if number == 1 else f"team-{(number - 2) // 4 + 1:02d}"
    return Model(f"model-{number:02d}", owner, parameters)
