"""Play the whole story of a federated evaluation on this machine: three hospitals, four models, one registry.

Everybody has a state folder and keys of their own, as on separate machines; all they share is a bare Git repository.
Every step says who does what, and shows the command that does it. Run it with `make demo`.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROGRAM = Path(sys.executable).with_name("medperf-git")
HOSPITALS = {"hospital-north": 60, "hospital-east": 120, "hospital-south": 200}
BENCHMARK = "amara/breast-aspirates"
WIDTH = 100


@dataclass
class Story:
    """Where the story plays, how long each chapter took, and how it is told."""

    out: Path
    color: bool
    started: float = field(default_factory=time.monotonic)
    chapters: list[tuple[str, float]] = field(default_factory=list)

    @property
    def registry(self) -> Path:
        """The bare repository that everybody shares."""
        return self.out / "registry.git"

    def chapter(self, title: str, text: str) -> None:
        """Open a chapter: a title and what is about to happen."""
        self.chapters.append((title, time.monotonic()))
        print(f"\n{self._ink('1;36', f'— {len(self.chapters)}. {title} ' + '—' * (WIDTH - 8 - len(title)))}")
        self.say(text)

    def say(self, text: str) -> None:
        """Tell something."""
        print(textwrap.fill(textwrap.dedent(text).strip().replace("\n", " "), WIDTH), flush=True)

    def run(
        self, person: str, *words: str | Path, code: int = 0, show: int = 6, quiet: bool = False, silent: bool = False
    ) -> str:
        """Let `person` run a command; its exit code must be `code`. Return what it printed to standard output."""
        arguments = [str(word) for word in words]
        shown = " ".join(self._short(word) for word in arguments)
        if not silent:
            print(f"\n{self._ink('1;33', person)} {self._ink('2', '$')} medperf-git {shown}", flush=True)
        done = subprocess.run(
            [str(PROGRAM), *arguments],
            env=self._environment(person),
            cwd=self.out,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != code:
            print(done.stdout, done.stderr, sep="\n")
            raise SystemExit(f"demo: this ended with exit code {done.returncode}, not {code}; see above")
        if not quiet and not silent:
            self._excerpt(done.stdout, show)
        return done.stdout

    def script(self, *words: str | Path) -> None:
        """Show and run a helper program that is no part of the command line."""
        shown = " ".join(self._short(str(word)) for word in words)
        print(f"\n{self._ink('2', '$')} {shown}", flush=True)
        subprocess.run([str(word) for word in words], check=True, cwd=self.out)

    def git(self, *words: str) -> bytes:
        """Ask Git about the shared repository."""
        return subprocess.run(["git", "--git-dir", str(self.registry), *words], check=True, capture_output=True).stdout

    def timings(self) -> None:
        """Say how long each chapter took."""
        ends = [start for _, start in self.chapters[1:]] + [time.monotonic()]
        print(f"\n{self._ink('1', 'What took how long')}")
        for (title, start), end in zip(self.chapters, ends, strict=True):
            print(f"  {end - start:6.1f} s  {title}")
        print(f"  {time.monotonic() - self.started:6.1f} s  in all")

    def _environment(self, person: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "SSH_"))}
        home = self.out / "people" / person
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return kept | {"MEDPERF_GIT_HOME": str(home / "state"), "HOME": str(home), "COLUMNS": str(WIDTH)}

    def _excerpt(self, text: str, most: int) -> None:
        lines = [line for line in text.rstrip().splitlines() if line.strip()]
        hidden = len(lines) - most
        for line in lines if hidden <= 1 else lines[-most:]:
            print(f"  {self._ink('2', '│')} {line if len(line) <= WIDTH + 30 else line[: WIDTH + 29] + '…'}")
        if hidden > 1:
            print(f"  {self._ink('2', f'╵ ({hidden} lines before these)')}", flush=True)

    def _short(self, word: str) -> str:
        for folder, name in ((self.out, "."), (ROOT, "…"), (Path(sys.executable).parent, "")):
            word = word.replace(f"{folder}/", f"{name}/" if name else "")
        return f"'{word}'" if " " in word else word

    def _ink(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color else text


def main() -> None:
    """Play every chapter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "demo-out", help="where to play; emptied first")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    if out.exists() and not (out / ".medperf-git-demo").exists() and any(out.iterdir()):
        raise SystemExit(f"demo: {out} holds something else; choose another --out")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / ".medperf-git-demo").touch()
    story = Story(out, color=sys.stdout.isatty())
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
    story.run("bruno", "sign", "--yes", proposal(story, "bruno"))
    story.run("consortium", "sign", "--yes", proposal(story, "consortium"))


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
    story.script(sys.executable, HERE / "split.py", "--out", story.out / "raw")
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
    runs = json.loads(story.run(hospital, "runs", "ls", "--json", silent=True))
    if show:
        story.run(hospital, "review", runs[-1]["run"], "--out", story.out / "review.html")
    story.run(hospital, "review", runs[-1]["run"], show=show, quiet=not show)
    story.run(hospital, "result", "submit", runs[-1]["run"], "--yes", show=6)


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
    results = json.loads(story.run("reader", "result", "ls", "--json", silent=True))
    chosen = next(row for row in results if "hospital-north" in row["dataset"] and "logreg" in row["model"])
    evidence = story.out / "evidence"
    evidence.mkdir()
    folder, _, name = str(chosen["path"]).rpartition("/")
    for entry in story.git("ls-tree", "--name-only", "main", f"{folder}/").decode().split():
        if entry.rpartition("/")[2].startswith(name):
            (evidence / entry.rpartition("/")[2]).write_bytes(story.git("show", f"main:{entry}"))
    member = json.loads(story.run("reader", "member", "show", "hospital-north", "--json", silent=True))
    (evidence / "hospital-north.pub").write_text(member["signing"][0] + "\n")
    story.run("reader", "verify", chosen["path"])
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


def proposal(story: Story, person: str) -> str:
    """Return the one proposal that waits for a person's signature."""
    waiting = json.loads(story.run(person, "inbox", "--json", silent=True))
    return str(next(row["do"] for row in waiting if row["what"] == "sign").rsplit(" ", 1)[-1])


def epilogue(story: Story) -> None:
    """Say where everything is and what to try next."""
    story.timings()
    try_this(story)
    print(f"\nThe leaderboard is here: {story.out / 'site' / 'index.html'}")


if __name__ == "__main__":
    main()
