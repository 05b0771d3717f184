"""Play one pilot from its `pilot.yaml`: benchmark, models, sites, runs and results, by the commands that people type.

A pilot's folder holds `pilot.yaml`, `benchmark.yaml`, `make_data.py`, `preparator/`, `metrics/` and `models/<name>/`.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kit.story import ROOT, Story

CONSORTIUM = "consortium"


@dataclass(frozen=True)
class Site:
    """A site: who it is, where, and with how many synthetic cases; `reduced` 0: the short form leaves it out."""

    name: str
    title: str
    country: str
    cases: int
    reduced: int


@dataclass(frozen=True)
class Model:
    """A model: whose it is, and the folder of its container."""

    name: str
    title: str
    owner: str
    owner_title: str
    parameters: str


@dataclass(frozen=True)
class Pilot:
    """What `pilot.yaml` says, and where it lies."""

    folder: Path
    told: dict[str, Any]
    models: tuple[Model, ...]
    sites: tuple[Site, ...]
    reduced: bool

    @classmethod
    def load(cls, name: str, *, reduced: bool = False) -> "Pilot":
        """Read the description of the pilot in `examples/<name>`; `reduced` is the short form that tests play."""
        folder = ROOT / "examples" / name
        told = yaml.safe_load((folder / "pilot.yaml").read_text(encoding="utf-8"))
        models = tuple(
            Model(row["name"], row["title"], row["owner"], row.get("owner_title", ""), row.get("parameters", ""))
            for row in told["models"]
        )
        sites = tuple(Site(**row) for row in told["sites"])
        return cls(folder, told, models, tuple(site for site in sites if site.reduced or not reduced), reduced)

    @property
    def committee(self) -> str:
        """The member who owns the benchmark."""
        return str(self.told["committee"])

    @property
    def benchmark(self) -> str:
        """The benchmark as commands name it."""
        return f"{self.committee}/{self.told['benchmark']}"

    @property
    def reference(self) -> Model:
        """The model that always runs."""
        return next(model for model in self.models if model.name == self.told["reference"])

    @property
    def members(self) -> list[tuple[str, str, str]]:
        """Everybody who takes part: name, title and country (empty: not said)."""
        people = {self.committee: (self.told["committee_title"], "")}
        people |= {model.owner: (model.owner_title, "") for model in self.models if model.owner != self.committee}
        people |= {site.name: (site.title, site.country) for site in self.sites}
        return [(name, title, country) for name, (title, country) in people.items()]

    @property
    def compares(self) -> bool:
        """Whether sites publish how models compare on the same cases."""
        science = yaml.safe_load((self.folder / "benchmark.yaml").read_text(encoding="utf-8"))
        return bool(science.get("comparisons"))


def play(pilot: Pilot, story: Story) -> None:
    """Play a pilot in a registry that the consortium has opened."""
    raw = story.out / "raw" / pilot.told["pilot"]
    program = [sys.executable, pilot.folder / "make_data.py", "--out", raw, *(["--reduced"] if pilot.reduced else [])]
    story.chapter(f"{pilot.told['pilot']}: data are made and members join", "All of it is synthetic: nobody's data.")
    subprocess.run([str(word) for word in program], check=True, stdout=subprocess.DEVNULL)
    admit(pilot, story)
    open_benchmark(pilot, story, raw / "demo_data.tar.gz")
    join_models(pilot, story)
    register_sites(pilot, story, raw)
    for site in pilot.sites:
        evaluate(pilot, story, site)


def admit(pilot: Pilot, story: Story) -> None:
    """Everybody joins, and the consortium admits."""
    for name, title, country in pilot.members:
        more = ("--country", country) if country else ()
        story.run(name, "join", story.registry, "--as", name, "--title", title, *more, "--yes", quiet=True)
        story.run(CONSORTIUM, "admit", name, "--yes", silent=True)


def import_cube(
    pilot: Pilot, story: Story, person: str, *, folder: str, name: str, role: str, title: str, parameters: str
) -> None:
    """Turn a container's configuration into a draft."""
    more = ("--parameters", pilot.folder / parameters) if parameters else ()
    config = pilot.folder / folder / "container_config.yaml"
    story.run(person, "cube", "import", config, "--role", role, "--name", name, "--title", title, *more, quiet=True)


def open_benchmark(pilot: Pilot, story: Story, demo_data: Path) -> None:
    """The committee registers its containers, tries the whole chain on demo data and opens the benchmark."""
    story.chapter(
        f"{pilot.told['pilot']}: the benchmark opens",
        "The committee tries preparator, reference model and metrics on demo data, and proposes the benchmark; the "
        "consortium signs, because the name is new.",
    )
    person, reference = pilot.committee, pilot.reference
    for name, role in (("preparator", "data-preparator"), ("metrics", "metrics")):
        told = pilot.told[name]
        title, parameters = told["title"], told.get("parameters", "")
        import_cube(pilot, story, person, folder=name, name=name, role=role, title=title, parameters=parameters)
    import_model(pilot, story, reference)
    for name in ("preparator", "metrics", reference.name):
        story.run(person, "cube", "submit", name, "--yes", quiet=True)
    draft = f"{pilot.told['pilot']}.yaml"
    parts = ("--data-preparator", "preparator", "--reference-model", reference.name, "--metrics", "metrics")
    demo = ("--demo-data", demo_data, "--demo-url", demo_data)
    science = ("--science", pilot.folder / "benchmark.yaml")
    story.run(
        person,
        "benchmark",
        "new",
        "--name",
        pilot.told["benchmark"],
        *parts,
        *demo,
        *science,
        "--out",
        draft,
        quiet=True,
    )
    story.run(person, "benchmark", "test", draft, show=10)
    limit = ("--min-cases", str(pilot.told["min_cases"]))
    story.run(person, "benchmark", "submit", draft, "--committee", person, *limit, "--yes", show=4)
    story.run(CONSORTIUM, "sign", "--yes", story.proposal(CONSORTIUM), quiet=True)


def import_model(pilot: Pilot, story: Story, model: Model) -> None:
    """Its owner drafts a model."""
    folder = f"models/{model.name}"
    more = {"title": model.title, "parameters": model.parameters}
    import_cube(pilot, story, model.owner, folder=folder, name=model.name, role="model", **more)


def join_models(pilot: Pilot, story: Story) -> None:
    """Owners test their models on the demo data, register them and ask to take part."""
    story.chapter(f"{pilot.told['pilot']}: models join", "Owners test on demo data; the committee decides.")
    for model in pilot.models:
        if model == pilot.reference:
            continue
        import_model(pilot, story, model)
        story.run(model.owner, "cube", "test", model.name, "--benchmark", pilot.benchmark, show=4)
        story.run(model.owner, "cube", "submit", model.name, "--request", pilot.benchmark, "--yes", quiet=True)
    story.run(pilot.committee, "approve", "--all", "--benchmark", pilot.benchmark, "--yes", show=4)


def register_sites(pilot: Pilot, story: Story, raw: Path) -> None:
    """Every site prepares its data and registers what it chooses to say about them."""
    story.chapter(f"{pilot.told['pilot']}: sites prepare their data", "Only descriptions are registered: no data.")
    name = pilot.told["dataset"]
    for number, site in enumerate(pilot.sites):
        data = raw / site.name / "data"
        labels = raw / site.name / "labels"
        folders = ("--data", data, "--labels", labels if labels.is_dir() else data)
        about = ("--name", name, "--title", site.title, "--country", site.country)
        story.run(
            site.name, "dataset", "prepare", "--benchmark", pilot.benchmark, *folders, *about, quiet=number > 0, show=8
        )
        story.run(site.name, "dataset", "submit", name, "--request", pilot.benchmark, "--yes", quiet=True)
    story.run(pilot.committee, "approve", "--all", "--benchmark", pilot.benchmark, "--yes", show=len(pilot.sites))


def evaluate(pilot: Pilot, story: Story, site: Site) -> None:
    """A site runs every model, reviews what would leave, and submits it; it compares models where that is asked."""
    story.chapter(f"{pilot.told['pilot']}: {site.name} runs every model", "No network, nothing written to the data.")
    story.run(site.name, "run", pilot.benchmark, "--dataset", pilot.told["dataset"], show=12)
    run = str(story.rows(site.name, "runs", "ls")[-1]["run"])
    story.run(site.name, "review", run, show=0, quiet=True)
    story.run(site.name, "result", "submit", run, "--yes", show=4)
    if pilot.compares:
        story.run(site.name, "compare", pilot.benchmark, "--dataset", pilot.told["dataset"], "--yes", show=3)
