"""Play the chest X-ray benchmark on four clouds: four hospitals, each with its own network, engine, keys and files.

Each cloud is a machine of its own on this computer (machines.py). All that they can reach is one Git host over SSH
(git_host.py), which judges every push. They work at the same time, and their proposals arrive at the same time.

    make clouds                                              # images, then this
    python examples/chest-xray/clouds/clouds.py --reduced    # few cases, as the tests play it
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # where the kit of the examples lies

import git_host
import leaks
import machines
import stage
import yaml
from git_host import GitHost
from machines import HOST_ADDRESS, PLACE, Machine

from kit.pilot import CONSORTIUM, Pilot, Site, join_models, open_benchmark
from kit.story import PROGRAM, ROOT, WIDTH, Story

OFFICE, READER, HOST = "office", "reader", "git-host"
MEGABYTE = 1_000_000


@dataclass
class CloudStory(Story):
    """A story whose people sit at different machines; several of them may act at once."""

    host: GitHost | None = None
    seats: dict[str, Machine] = field(default_factory=dict)
    printing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def registry(self) -> str:  # type: ignore[override]  # an address here, not a folder
        """The address of the registry."""
        assert self.host is not None
        return self.host.url

    def seat(self, person: str, machine: Machine, *, may: str = "all") -> None:
        """Give a person a home on a machine, and an SSH key that the Git host knows."""
        assert self.host is not None
        self.seats[person] = machine
        self.host.let_in(person, git_host.give_ssh(machine, PLACE / "people" / person, self.host), may=may)

    def run(
        self, person: str, *words: str | Path, code: int = 0, show: int = 6, quiet: bool = False, silent: bool = False
    ) -> str:
        """Let `person` run a command at their machine; its exit code must be `code`. Return what it printed."""
        done = self.call(person, PROGRAM, *words)
        if not silent:
            with self.printing:
                shown = " ".join(self._short(str(word)) for word in words)
                print(f"\n{self._ink('1;33', person)} {self._ink('2', '$')} medperf-git {shown}", flush=True)
                if done.returncode == code and not quiet:
                    self._excerpt(done.stdout, show)
        if done.returncode != code:
            raise RuntimeError(f"{person}: exit code {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def call(self, person: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Let `person` run any program at their machine."""
        home = PLACE / "people" / person
        machine = self.seats[person]
        path = f"{home / 'bin'}:{machines.SEARCH}"
        more = {"HOME": str(home), "MEDPERF_GIT_HOME": str(home / "state"), "COLUMNS": str(WIDTH), "PATH": path}
        return machine.run(*words, check=False, **more)

    def together(self, sites: Sequence[Site], *acts: Callable[[Site], object]) -> None:
        """Let all sites do `acts` side by side; each act begins at every site at the same moment."""
        gate = threading.Barrier(len(sites))

        def do(site: Site) -> None:
            try:
                for act in acts:
                    gate.wait()
                    act(site)
            except threading.BrokenBarrierError:
                return  # another site failed, and says why
            except BaseException:
                gate.abort()
                raise

        with ThreadPoolExecutor(len(sites)) as pool:
            for done in [pool.submit(do, site) for site in sites]:
                done.result()


@dataclass
class Play:
    """Everything that the chapters share."""

    story: CloudStory
    pilot: Pilot
    machines: dict[str, Machine]
    engines: dict[str, Future[None]]
    figures: dict[str, object] = field(default_factory=dict)

    @property
    def host(self) -> GitHost:
        """The Git host."""
        assert self.story.host is not None
        return self.story.host

    @property
    def name(self) -> str:
        """The name of the pilot, and of its registry."""
        return str(self.pilot.told["pilot"])

    @property
    def sites(self) -> tuple[Site, ...]:
        """The hospitals, each on a cloud of its own."""
        return self.pilot.sites

    def open_proposals(self) -> list[str]:
        """Return the proposals that wait at the Git host."""
        return self.host.git("for-each-ref", "--format=%(refname:lstrip=3)", "refs/heads/submit").split()


def main() -> None:
    """Refuse, or play everything in a process namespace of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "clouds-out", help="where to play; emptied first")
    parser.add_argument("--reduced", action="store_true", help="two models and few cases, as the tests play it")
    parser.add_argument("--pilot", default="chest-xray", help="another folder of examples/ with a pilot.yaml")
    parser.add_argument("--inside", metavar="GROUP", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        pilot = Pilot.load(arguments.pilot)
        play_inside(arguments.out, shorten(pilot) if arguments.reduced else pilot, arguments.inside)
        return
    if why := stage.refusal(ROOT, arguments.out):
        print(f"clouds: {why}", file=sys.stderr)
        raise SystemExit(stage.ENVIRONMENT)
    out = Story.at(arguments.out).out
    group = (
        f"medperf-git-clouds-{zlib.crc32(bytes(out)):08x}"  # so that the next story there removes what this one lost
    )
    command = [sys.executable, __file__, "--inside", group, "--pilot", arguments.pilot, "--out", out]
    raise SystemExit(
        stage.play([*command, *(["--reduced"] if arguments.reduced else [])], group=group, away=out / "machines")
    )


def shorten(pilot: Pilot) -> Pilot:
    """Return the pilot with two of its models, and few cases at each site where all of them have such a form."""
    other = next(model for model in pilot.models if model != pilot.reference)
    few = all(site.reduced for site in pilot.sites)
    return replace(pilot, models=(pilot.reference, other), reduced=few)


def play_inside(out: Path, pilot: Pilot, group: str) -> None:
    """Play every chapter; whatever is wrong is said in a sentence."""
    stage.die_at_once()
    story = CloudStory(out, color=sys.stdout.isatty())
    try:
        play = switch_on(story, pilot, group)
        for chapter in (
            look_around,
            open_benchmark_at_office,
            join_sites,
            register_sites,
            evaluate,
            push_by_hand,
            read,
        ):
            chapter(play)
        tell_figures(play)
    except (RuntimeError, subprocess.CalledProcessError) as problem:
        print(f"\nclouds: {problem}", file=sys.stderr, flush=True)
        os._exit(1)  # without waiting for engines that are still being filled; everything ends with this process


def switch_on(story: CloudStory, pilot: Pilot, group: str) -> Play:
    """Make all machines, their cables, and the engines with their images."""
    names = [OFFICE, *(site.name for site in pilot.sites), READER]
    story.chapter(
        f"{len(names) + 1} machines are switched on",
        "Each is a set of namespaces with an address, a name and files of its own; a hospital's has a container engine "
        "of its own too. The images were never pushed anywhere: each cloud loads them from one archive, as from a disk "
        "that somebody brought, and they are known by their ids.",
    )
    folder = story.out / "machines"
    folder.mkdir()
    host = machines.open_host(HOST, folder)
    made = {
        name: machines.open_machine(name, f"198.51.100.{4 * number + 2}", folder) for number, name in enumerate(names)
    }
    archive = save_images(pilot, story.out / "machines" / "images.tar")
    pool = ThreadPoolExecutor(2)
    engines = {name: pool.submit(bring_engine, made[name], group, archive) for name in names if name != READER}
    for machine in made.values():
        machines.connect(host, machine)
    give_data(pilot, made, story.out / "raw")
    print(f"\n  {HOST:24} {HOST_ADDRESS:16} sshd, one repository")
    for name, machine in made.items():
        print(f"  {name:24} {machine.address:16} {'an engine, images, ' if name in engines else ''}its own files")
    story.host = git_host.start_host(host, f"{pilot.told['pilot']}.git", PROGRAM)
    return Play(story, pilot, made, engines)


def save_images(pilot: Pilot, archive: Path) -> Path:
    """Write the images of the pilot, which were built here, into one archive."""
    configs = sorted(pilot.folder.glob("*/container_config.yaml")) + sorted(
        pilot.folder.glob("models/*/container_config.yaml")
    )
    names = [str(yaml.safe_load(path.read_text(encoding="utf-8"))["image"]) for path in configs]
    done = subprocess.run(["docker", "save", "-o", archive, *names], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the images are not here ({done.stderr.strip()}); `make clouds` builds them")
    return archive


def bring_engine(machine: Machine, group: str, archive: Path) -> None:
    """Start a machine's engine and load the images into it."""
    machines.start_engine(machine, group)
    with archive.open("rb") as file:  # the folder in which it lies is hidden from the machine
        machines.load_images(machine, file)


def give_data(pilot: Pilot, made: dict[str, Machine], raw: Path) -> None:
    """Make the synthetic data of every site, and move them to their machines; the committee gets the demo data."""
    command = [sys.executable, pilot.folder / "make_data.py", "--out", raw, *(["--reduced"] if pilot.reduced else [])]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    for site in pilot.sites:
        shutil.move(raw / site.name, made[site.name].folder / "raw")
    shutil.move(raw / "demo_data.tar.gz", made[OFFICE].folder / "demo_data.tar.gz")
    shutil.rmtree(raw)


def look_around(play: Play) -> None:
    """Every cloud reaches the Git host, and no other cloud; nothing of another's files is there."""
    story, sites = play.story, play.sites
    story.chapter(
        "Who reaches whom",
        "Every cloud lets something answer at port 8000. The Git host, which has a cable to each, reaches it. The "
        "others do not: the host forwards nothing.",
    )
    clouds = [play.machines[site.name] for site in sites]
    answering = [git_host.listen(cloud, 8000) for cloud in clouds]
    doors = [(HOST_ADDRESS, 22), *((cloud.address, 8000) for cloud in clouds)]
    with ThreadPoolExecutor(len(clouds) + 1) as pool:
        seen = dict(
            zip(
                [HOST, *(cloud.name for cloud in clouds)],
                pool.map(lambda one: git_host.probe(one, doors), [play.host.machine, *clouds]),
                strict=True,
            )
        )
    for process in answering:
        process.terminate()
    print(f"\n  {'from':24} {HOST:>16}" + "".join(f"{cloud.address:>16}" for cloud in clouds))
    for name, row in seen.items():
        print(f"  {name:24} " + "".join(f"{'yes' if one else '-':>16}" for one in row))
    expected = {HOST: [True] * len(doors)}
    expected |= {cloud.name: [True, *(other is cloud for other in clouds)] for cloud in clouds}
    insist(seen == expected, "somebody reaches what they must not, or does not reach what they must")
    for cloud in clouds:
        others = cloud.run("ls", "-A", story.out / "machines").stdout.split()
        insist(not others, f"{cloud.name} sees files of others: {others}")
    play.figures["reaches"] = seen


def open_benchmark_at_office(play: Play) -> None:
    """The consortium makes the registry over SSH; committee and laboratories work at the office's machine."""
    story, pilot, office = play.story, play.pilot, play.machines[OFFICE]
    story.chapter(
        "A registry is made on the Git host",
        "The repository there is empty, and guarded by the hook: it judges the first push as every later one. The host "
        "knows people by SSH keys; records are signed with other keys, which never leave their owners' machines.",
    )
    sites = {site.name for site in pilot.sites}
    staff = [(name, title) for name, title, _ in pilot.members if name not in sites]
    for person in (CONSORTIUM, *(name for name, _ in staff)):
        story.seat(person, office)
    for site in pilot.sites:
        story.seat(site.name, play.machines[site.name])
    story.seat(READER, play.machines[READER], may="read")
    title = ("--name", play.name, "--title", f"{play.name} on clouds (synthetic data)")
    story.run(CONSORTIUM, "init", story.registry, *title, "--as", CONSORTIUM, "--yes")
    for name, title in staff:
        story.run(name, "join", story.registry, "--as", name, "--title", title, "--yes", quiet=True)
        story.run(CONSORTIUM, "admit", name, "--yes", quiet=True)
    play.engines[OFFICE].result()
    open_benchmark(pilot, story, PLACE / "demo_data.tar.gz")
    join_models(pilot, story)


def join_sites(play: Play) -> None:
    """All hospitals ask to be admitted at the same moment."""
    story = play.story
    story.chapter("Four hospitals join at the same moment", "Each makes its keys on its own cloud.")

    def join(site: Site) -> None:
        about = ("--as", site.name, "--title", site.title, "--country", site.country)
        story.run(site.name, "join", story.registry, *about, "--yes", show=1)

    story.together(play.sites, join)
    insist(len(play.open_proposals()) == len(play.sites), "not every hospital's proposal is at the Git host")
    for site in play.sites:
        story.run(CONSORTIUM, "admit", site.name, "--yes", quiet=True)


def register_sites(play: Play) -> None:
    """All hospitals prepare and register their data side by side; the committee merges and approves."""
    story, pilot = play.story, play.pilot
    story.chapter(
        "Four hospitals prepare and register their data at the same time",
        "Each on its own engine. They leave it to the committee to merge, so four proposals wait side by side, all "
        "made on the same main. The committee merges each onto what the one before left.",
    )

    def prepare(site: Site) -> None:
        play.engines[site.name].result()
        labels = "raw/labels" if (play.machines[site.name].folder / "raw/labels").is_dir() else "raw/data"
        folders = ("--data", PLACE / "raw/data", "--labels", PLACE / labels)
        about = ("--name", pilot.told["dataset"], "--title", site.title, "--country", site.country)
        story.run(site.name, "registry", "use", play.name, "--merge", "manual", silent=True)
        story.run(site.name, "dataset", "prepare", "--benchmark", pilot.benchmark, *folders, *about, show=1)

    def submit(site: Site) -> None:
        words = ("dataset", "submit", pilot.told["dataset"], "--request", pilot.benchmark, "--yes")
        story.run(site.name, *words, show=2)

    story.together(play.sites, prepare, submit)
    waiting = play.open_proposals()
    play.figures["side_by_side"] = len(waiting)
    insist(len(waiting) == len(play.sites), f"{len(waiting)} proposals wait, not {len(play.sites)}")
    story.run(pilot.committee, "merge", show=8)
    story.run(pilot.committee, "approve", "--all", "--benchmark", pilot.benchmark, "--yes", show=len(play.sites))


def evaluate(play: Play) -> None:
    """All hospitals run every model and submit at the same moment; whoever loses the race for main tries again."""
    story, pilot = play.story, play.pilot
    story.chapter(
        "Four hospitals run every model and submit at the same moment",
        "Now each merges what passes by itself. Main can move for one of them only at a time: the others see that it "
        "moved, judge their results again on the new main, and push again.",
    )

    def run(site: Site) -> None:
        story.run(site.name, "registry", "use", play.name, "--merge", "auto", silent=True)
        story.run(site.name, "run", pilot.benchmark, "--dataset", pilot.told["dataset"], show=3)
        story.run(site.name, "review", quiet=True)

    before = time.time()
    story.together(play.sites, run, lambda site: story.run(site.name, "result", "submit", "--yes", show=2))
    if left := play.open_proposals():
        story.say(f"{len(left)} lost too often and wait; their owners send them again.")
        story.together(play.sites, lambda site: story.run(site.name, "submit", "--resume", show=2))
    if pilot.compares:
        compare = ("compare", pilot.benchmark, "--dataset", pilot.told["dataset"], "--yes")
        story.together(play.sites, lambda site: story.run(site.name, *compare, show=2))
    if play.open_proposals():
        story.run(pilot.committee, "merge", show=4)
    insist(not play.open_proposals(), f"these are still open: {play.open_proposals()}")
    sessions = [one for one in play.host.sessions() if one.begin > before]
    play.figures["at_the_git_host_at_once"] = git_host.most_at_once(sessions)
    play.figures["overtaken"] = overtaken(play)


def overtaken(play: Play) -> int:
    """Count the merges whose proposal was made on an older main than the one it was merged onto."""
    rows = [line.split() for line in play.host.git("rev-list", "--first-parent", "--parents", "main").splitlines()]
    merges = [row[1:] for row in rows if len(row) == 3]
    return sum(play.host.git("merge-base", main, proposal).strip() != main for main, proposal in merges)


def push_by_hand(play: Play) -> None:
    """Somebody who may push, but not change main like this, is refused by the hook."""
    story, site = play.story, play.sites[0]
    story.chapter(
        "A cloud pushes past the rules",
        f"{site.name} may push. It clones with plain Git, commits a page beside the records and pushes main, then asks "
        "the host for a shell.",
    )
    script = (
        f"git clone -q {story.registry} by-hand && cd by-hand && echo hello >anything.txt && git add . && "
        "git -c user.name=x -c user.email=x@x commit -qm anything && git push origin HEAD:main"
    )
    main = play.host.git("rev-parse", "main")
    pushed = story.call(site.name, "sh", "-c", script)
    print(f"\n{story._ink('1;33', site.name)} {story._ink('2', '$')} git push origin HEAD:main")
    story._excerpt(pushed.stderr, 8)
    insist(pushed.returncode != 0 and "anything.txt" in pushed.stderr, f"the hook let this pass:\n{pushed.stderr}")
    insist(play.host.git("rev-parse", "main") == main, "main moved")
    shell = story.call(site.name, "ssh", f"root@{HOST_ADDRESS}", "ls", "/")
    insist(shell.returncode != 0 and not shell.stdout, "the host gave a shell")


def read(play: Play) -> None:
    """A reader, from a machine and with a clone of their own, judges the whole history and builds the leaderboard."""
    story, pilot = play.story, play.pilot
    story.chapter(
        "A reader verifies everything",
        "The reader has a machine of their own and a key that may only read. They judge the history from its first "
        "commit and build the leaderboard.",
    )
    story.run(READER, "registry", "add", story.registry)
    story.run(READER, "audit", show=4)
    story.run(READER, "leaderboard", "show", pilot.benchmark, show=60)
    story.run(READER, "leaderboard", "build", "--out", PLACE / "site")
    results = story.rows(READER, "result", "ls")
    cells = {(str(row["dataset"]), str(row["model"])) for row in results}
    insist(len(cells) == len(play.sites) * len(pilot.models), f"{len(cells)} results, not sites × models: {cells}")
    play.figures["results"] = len(cells)
    look_for_leaks(play)
    shutil.copytree(play.machines[READER].folder / "site", story.out / "site")
    shutil.copytree(play.host.folder, story.out / play.host.folder.name)


def look_for_leaks(play: Play) -> None:
    """Nothing of a patient is on the Git host, at the reader's, or in the leaderboard; the search is tried too."""
    outside = [
        *leaks.objects_of(play.host.folder),
        *leaks.files_of(play.host.machine.folder),
        *leaks.files_of(play.machines[READER].folder),
    ]
    count = 0
    for site in play.sites:
        folder = play.machines[site.name].folder
        secrets = leaks.Secrets.of(folder / "raw")
        insist(bool(secrets.cases and secrets.pieces), f"{site.name} has nothing to look for")
        insist(
            set(secrets.found_in(leaks.files_of(folder / "raw"))) == secrets.cases | secrets.pieces,
            "the search is blind",
        )
        found = secrets.found_in(outside)
        insist(not found, f"of {site.name} this is outside: {found[:3]}")
        count += len(secrets.cases) + len(secrets.pieces)
    play.figures["looked_for"] = count
    play.story.say(
        f"{count} names of cases and pieces of raw files were looked for in every object on the Git host, in the "
        "reader's clone and in the leaderboard. None is there."
    )


def tell_figures(play: Play) -> None:
    """Print and keep what was measured."""
    story, figures = play.story, play.figures
    story.timings()
    engines = {name: machines.size_of(play.machines[name].folder) for name in play.engines}
    figures["disk"] = engines
    figures["repository"] = machines.size_of(play.host.folder)
    figures["seconds"] = round(time.monotonic() - story.started, 1)
    figures["sites"] = [site.name for site in play.sites]
    figures["models"] = [model.name for model in play.pilot.models]
    print(f"""
  {figures["side_by_side"]} proposals waited side by side for the committee
  {figures["at_the_git_host_at_once"]} hospitals were at the Git host at the same moment
  {figures["overtaken"]} proposals were overtaken and merged onto a newer main; none was lost
  {figures["results"]} results stand: {len(play.sites)} sites × {len(play.pilot.models)} models
  {max(engines.values()) / MEGABYTE:.0f} MB of disk for one cloud, which are given back
  {figures["repository"] / MEGABYTE:.1f} MB for the repository""")
    (story.out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(f"\nThe leaderboard is here: {story.out / 'site' / 'index.html'}")


def insist(holds: bool, otherwise: str) -> None:
    """Stop with a sentence where something does not hold."""
    if not holds:
        raise RuntimeError(otherwise)


if __name__ == "__main__":
    main()
