"""Play the whole story of a federated evaluation on this machine: three hospitals, four models, one registry.

Everybody has a state folder and keys of their own, as on separate machines; all they share is a bare Git repository.
Every step says who does what, and shows the command that does it. Run it with `make demo`.
"""

import argparse
import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from kit.story import PROGRAM, ROOT, Story  # noqa: E402

HOSPITALS = {"hospital-north": 60, "hospital-east": 120, "hospital-south": 200}
BENCHMARK = "amara/breast-aspirates"


def main() -> None:
    """Play every chapter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "demo-out", help="where to play; emptied first")
    arguments = parser.parse_args()
    story = Story.at(arguments.out)
    for play in (open_registry, admit_members, open_benchmark, join_models, register_hospitals, evaluate, supersede):
        play(story)
    leaderboard(story)
    verification(story)
    epilogue(story)


def open_registry(story: Story) -> None:
    """A maintainer makes the registry."""
    story.chapter(
        "A registry is made",
        "A consortium makes a bare Git repository. Its identity is the digest of its "
        "first record; who has that identity cannot be shown another registry.",
    )
    title = "Breast aspirate evaluation"
    story.run(
        "consortium", "init", story.registry, "--name", "breast-eval", "--title", title, "--as", "consortium", "--yes"
    )


def admit_members(story: Story) -> None:
    """Everybody joins, the maintainer admits."""
    story.chapter(
        "Members join",
        "Everybody makes their own keys and asks to be admitted; the consortium signs each "
        "introduction. No account, no password: keys are who people are.",
    )
    titles = {
        "amara": "Amara, benchmark committee",
        "bruno": "Bruno, benchmark committee",
        "lab-linear": "Laboratory for linear models",
        "lab-trees": "Laboratory for trees",
    } | {name: f"{name.title().replace('-', ' ')}" for name in HOSPITALS}
    for number, (name, title) in enumerate(titles.items()):
        story.run(name, "join", story.registry, "--as", name, "--title", title, "--yes", quiet=number > 0)
    story.run("consortium", "inbox", show=12)
    for number, name in enumerate(titles):
        story.run("consortium", "admit", name, "--yes", quiet=number > 0)


def open_benchmark(story: Story) -> None:
    """The committee registers its containers and opens the benchmark, two of two signing."""
    story.chapter(
        "A benchmark is opened",
        "Amara registers the data preparator, the reference model and the metrics "
        "container, tries them on demo data, and proposes the benchmark. Its committee has two members and a "
        "threshold of two, so Bruno must sign as well, and a maintainer, because the name is new.",
    )
    parameters = HERE / "metrics/parameters.yaml"
    cubes = (
        ("preparator", "data-preparator", HERE / "preparator", ()),
        ("knn", "model", HERE / "models/knn", ()),
        ("metrics", "metrics", HERE / "metrics", ("--parameters", parameters)),
    )
    for number, (name, role, folder, more) in enumerate(cubes):
        import_cube(story, "amara", name, role=role, folder=folder, more=more, quiet=number > 0)
    for number, (name, *_) in enumerate(cubes):
        story.run("amara", "cube", "submit", name, "--yes", quiet=number > 0, show=2)
    story.script(sys.executable, HERE / "demo_data/make.py", "--out", story.out / "demo_data.tar.gz")
    story.run(
        "amara",
        "benchmark",
        "new",
        "--name",
        "breast-aspirates",
        "--data-preparator",
        "preparator",
        "--reference-model",
        "knn",
        "--metrics",
        "metrics",
        "--demo-data",
        "demo_data.tar.gz",
        "--demo-url",
        story.out / "demo_data.tar.gz",
        "--science",
        HERE / "benchmark.yaml",
        "--out",
        "benchmark.yaml",
    )
    story.run("amara", "benchmark", "test", "benchmark.yaml", show=10)
    story.run(
        "amara",
        "benchmark",
        "submit",
        "benchmark.yaml",
        "--committee",
        "amara,bruno",
        "--change-threshold",
        "2",
        "--min-cases",
        "10",
        "--yes",
        show=4,
    )
    story.run("bruno", "inbox", show=10)
    story.run("bruno", "sign", "--yes", story.proposal("bruno"))
    story.run("consortium", "sign", "--yes", story.proposal("consortium"))


def import_cube(
    story: Story, person: str, name: str, *, role: str, folder: Path, more: tuple[str | Path, ...] = (), quiet: bool
) -> None:
    """Turn a container configuration into a draft; the engine knows the image's digest."""
    title = {
        "preparator": "Table preparator",
        "metrics": "AUROC, sensitivity, specificity, Brier score",
        "knn": "Five nearest neighbours",
        "logreg": "Logistic regression",
        "forest": "Random forest",
        "concavity-baseline": "Logarithm of the concavity",
    }[name]
    story.run(
        person,
        "cube",
        "import",
        folder / "container_config.yaml",
        "--role",
        role,
        "--name",
        name,
        "--title",
        title,
        *more,
        quiet=quiet,
        show=2,
    )


def join_models(story: Story) -> None:
    """Model owners register their models and ask to take part."""
    story.chapter(
        "Models join",
        "Two laboratories test their models on the benchmark's demo data, register them and ask "
        "to take part. The committee decides.",
    )
    owners = (("lab-linear", "logreg"), ("lab-linear", "concavity-baseline"), ("lab-trees", "forest"))
    for number, (owner, name) in enumerate(owners):
        import_cube(story, owner, name, role="model", folder=HERE / "models" / name, quiet=number > 0)
        story.run(owner, "cube", "test", name, "--benchmark", BENCHMARK, show=8, quiet=number > 0)
        story.run(owner, "cube", "submit", name, "--request", BENCHMARK, "--yes", quiet=number > 0, show=3)
    story.run("bruno", "inbox", show=12)
    story.run("bruno", "approve", "--all", "--benchmark", BENCHMARK, "--yes", show=10)


def register_hospitals(story: Story) -> None:
    """Hospitals prepare their data and register what they choose to say about it."""
    story.chapter(
        "Hospitals prepare their data",
        "Each hospital's data lies in its own folder, written in its own way. The "
        "preparator brings it into one form, in a sandbox. Only a description is registered: no data. The reference "
        "model is tried on it at once, and what it made is kept for the run that the committee allows.",
    )
    split_data(story)
    for number, name in enumerate(HOSPITALS):
        raw = story.out / "raw" / name
        story.run(
            name,
            "dataset",
            "prepare",
            "--benchmark",
            BENCHMARK,
            "--data",
            raw,
            "--labels",
            raw,
            "--name",
            "aspirates",
            "--title",
            f"Aspirates of {name.replace('-', ' ')}",
            quiet=number > 0,
        )
        if number == 0:
            story.run(name, "dataset", "review", "aspirates", show=24)
        story.run(name, "dataset", "submit", "aspirates", "--request", BENCHMARK, "--yes", quiet=number > 0, show=3)
    story.run("amara", "approve", "--all", "--benchmark", BENCHMARK, "--yes", show=8)


def split_data(story: Story) -> None:
    """Divide the real table among the hospitals, in the image that has scikit-learn; this environment need not."""
    user = f"{os.getuid()}:{os.getgid()}"
    mounts = ("-v", f"{HERE}:/example:ro", "-v", f"{story.out}:/out")
    image = "medperf-git-demo/runtime:1"
    program = ("python3", "/example/split.py", "--out", "/out/raw")
    story.script("docker", "run", "--rm", "--network", "none", "--user", user, *mounts, image, *program)


def evaluate(story: Story) -> None:
    """Every hospital runs every model, reviews what would leave, and submits it."""
    story.chapter(
        "Every hospital runs every model",
        "No network, no write access to the data, limits on everything. One "
        "model takes the logarithm of a feature that is zero for 13 patients of hospital-south, and crashes "
        "there: that is a result too. hospital-north gave its first run so little memory that the forest does "
        "not fit. What would leave is one page to print, for the privacy officer: review.html.",
    )
    story.run(
        "hospital-north",
        "run",
        BENCHMARK,
        "--dataset",
        "aspirates",
        "--memory",
        "64m",
        "--model",
        "lab-trees/forest",
        code=4,
        show=14,
    )
    submit_results(story, "hospital-north", show=30)
    for name in HOSPITALS:
        story.run(name, "run", BENCHMARK, "--dataset", "aspirates", show=14)
        submit_results(story, name, show=0)


def submit_results(story: Story, hospital: str, *, show: int) -> None:
    """Review the exact bytes, sign and submit them; what the judge passes merges by itself."""
    runs = story.rows(hospital, "runs", "ls")
    if show:
        story.run(hospital, "review", str(runs[-1]["run"]), "--out", story.out / "review.html")
    story.run(hospital, "review", str(runs[-1]["run"]), show=show, quiet=not show)
    story.run(hospital, "result", "submit", str(runs[-1]["run"]), "--yes", show=6)


def supersede(story: Story) -> None:
    """A failed run is run again; both results stay in the history."""
    story.chapter(
        "A result is superseded",
        "hospital-north runs the forest again, with the memory it needs. The new result "
        "continues the chain of the old one: attempts are counted, and nothing is deleted.",
    )
    story.run("hospital-north", "run", BENCHMARK, "--dataset", "aspirates", "--model", "lab-trees/forest", show=8)
    submit_results(story, "hospital-north", show=0)


def leaderboard(story: Story) -> None:
    """Anybody builds the leaderboard from the registry, after judging its whole history."""
    story.chapter(
        "The leaderboard",
        "A reader who is no member adds the registry, judges its whole history from the first "
        "commit on, and builds the leaderboard: a pure function of a commit.",
    )
    story.run("reader", "registry", "add", story.registry)
    story.run("reader", "audit", show=4)
    story.run("reader", "leaderboard", "show", BENCHMARK, show=20)
    story.run("reader", "leaderboard", "build", "--out", story.out / "site")


def verification(story: Story) -> None:
    """Verify one number, with this program and without it."""
    story.chapter(
        "A number is verified",
        "The reader takes one result, its signature and the hospital's public key out of "
        "the registry, and verifies them twice: with medperf-git, and with openssl, jq and sha256sum alone.",
    )
    results = story.rows("reader", "result", "ls")
    chosen = next(row for row in results if "hospital-north" in str(row["dataset"]) and "logreg" in str(row["model"]))
    evidence = story.out / "evidence"
    evidence.mkdir()
    folder, _, name = str(chosen["path"]).rpartition("/")
    for entry in story.git("ls-tree", "--name-only", "main", f"{folder}/").decode().split():
        if entry.rpartition("/")[2].startswith(name):
            (evidence / entry.rpartition("/")[2]).write_bytes(story.git("show", f"main:{entry}"))
    member = json.loads(story.run("reader", "member", "show", "hospital-north", "--json", silent=True))
    (evidence / "hospital-north.pub").write_text(member["signing"][0] + "\n")
    story.run("reader", "verify", str(chosen["path"]))
    bundle = next(evidence.glob("*.sigstore.json"))
    story.script(ROOT / "scripts/verify-result.sh", evidence / name, bundle, evidence / "hospital-north.pub")


def try_this(story: Story) -> None:
    """Print three things to try."""
    record = next((story.out / "evidence").glob("*.yaml"))
    reader = f"MEDPERF_GIT_HOME={story.out}/people/reader/state {PROGRAM}"
    you = f"MEDPERF_GIT_HOME={story.out}/people/you/state {PROGRAM}"
    consortium = f"MEDPERF_GIT_HOME={story.out}/people/consortium/state {PROGRAM}"
    print(f"""
Three things to try

  1. Change one digit of a result, and verify it: it is no longer what the hospital signed.
     sed -i 's/value: 0.996/value: 0.999/' {record}
     {reader} verify {record}

  2. Be a Git host that turns the registry back by one merge, and let the reader look again.
     git --git-dir {story.registry} update-ref refs/heads/main main~1
     {reader} sync
     {reader} log | head -n 3     # undo: git --git-dir {story.registry} update-ref refs/heads/main HASH-ABOVE

  3. Join as somebody new, and be admitted.
     {you} join {story.registry} --as you --title "You" --yes
     {consortium} admit you""")


def epilogue(story: Story) -> None:
    """Say where everything is and what to try next."""
    story.timings()
    try_this(story)
    print(f"\nThe leaderboard is here: {story.out / 'site' / 'index.html'}")


if __name__ == "__main__":
    main()
