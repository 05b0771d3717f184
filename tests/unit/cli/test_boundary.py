"""Every way a command can end, and nothing that looks like a traceback."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from medperf_git import errors
from medperf_git.cli import boundary, main
from tests.support.people import Human


@pytest.fixture
def ana(tmp_path: Path) -> Human:
    return Human("ana", tmp_path / "ana")


def ending_with(monkeypatch: pytest.MonkeyPatch, problem: BaseException) -> None:
    @click.command()
    @click.argument("words", nargs=-1)
    def broken(words: tuple[str, ...]) -> None:
        raise problem

    monkeypatch.setattr(main.LazyGroup, "get_command", lambda *_: broken)


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (errors.Refused("no", hint="mend it"), 1),
        (errors.UsageProblem("no", hint="say it"), 2),
        (errors.EnvironmentProblem("no", hint="install it"), 3),
        (errors.ContainerFailed("no", hint="look"), 4),
        (errors.IntegrityBroken("no", hint="stop"), 5),
        (errors.Interrupted("no", hint="again"), 130),
        (KeyboardInterrupt(), 130),
        (FileNotFoundError(2, "No such file", "x.yaml"), 3),
    ],
)
def test_each_kind_of_error_has_its_exit_code_and_says_what_to_do_now(
    ana: Human, monkeypatch: pytest.MonkeyPatch, problem: BaseException, code: int
) -> None:
    ending_with(monkeypatch, problem)
    said = ana.run("sync", code=code)
    assert said.err.lstrip().startswith("error: ")
    assert "do now: " in said.err
    assert "Traceback" not in said.err + said.out


@pytest.mark.parametrize("number", sorted(boundary.SYSTEM))
@pytest.mark.parametrize("where", [None, "/somewhere/file"])
def test_what_the_system_refuses_is_never_called_a_bug(
    ana: Human, monkeypatch: pytest.MonkeyPatch, number: int, where: str | None
) -> None:
    ending_with(monkeypatch, OSError(number, os.strerror(number), where))
    said = ana.run("sync", code=3)
    assert boundary.SYSTEM[number][0] in said.err
    assert (where or str(ana.home)) in said.err
    assert "do now: " in said.err


def test_an_error_of_the_system_that_nothing_outside_explains_is_a_bug(
    ana: Human, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending_with(monkeypatch, OSError(errno.EINVAL, "Invalid argument"))
    ana.run("sync", code=boundary.BUG)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full disk at hand")
def test_a_full_disk_is_told_wherever_the_write_failed(ana: Human, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def write() -> None:
        with Path("/dev/full").open("w", encoding="utf-8") as stream:
            stream.write("x")

    monkeypatch.setattr(main.LazyGroup, "get_command", lambda *_: write)
    assert "the disk is full" in ana.run("sync", code=3).err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full disk at hand")
def test_output_that_the_disk_does_not_take_is_no_success(ana: Human) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = ana.spawn("--help", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 3, done
    assert "the disk is full" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "argv",
    [
        ("check", "/nope.yaml"),
        ("fmt", "/nope.yaml"),
        ("fmt", "nope.yaml"),
        ("cube", "import", "/nope.yaml", "--role", "model", "--name", "x"),
        ("dataset", "hash", "/nope"),
        ("verify", "x", "--key", "/nope.pub"),
        ("init", "there", "--name", "heart", "--as", "ana", "--key", "/nope", "--yes"),
        ("doctor", "--install-hook", "/nope"),
        ("check", "--repo", "/nope", "--head", "main"),
        ("leaderboard", "build", "--repo", "/nope", "--out", "x"),
    ],
    ids=" ".join,
)
def test_a_path_that_the_person_typed_and_that_is_nothing_is_a_usage_problem(
    ana: Human, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    said = ana.run(*argv, code=2)
    assert "nope" in said.err


def test_a_bug_ends_with_70_and_a_report_to_paste(ana: Human, monkeypatch: pytest.MonkeyPatch) -> None:
    ending_with(monkeypatch, RuntimeError("a bug \x1b[31m"))
    said = ana.run("sync", "https://user:secret@example.org/r", code=boundary.BUG)
    assert "Traceback" not in said.err
    (report,) = (ana.home / "logs").glob("report-*.log")
    text = report.read_text(encoding="utf-8")
    assert str(report) in said.err
    assert "Traceback" in text
    assert "secret" not in text.splitlines()[1]


def test_an_unknown_command_names_the_nearest(ana: Human) -> None:
    said = ana.run("benchmrk", code=2)
    assert "Did you mean benchmark" in said.err


def test_a_missing_argument_is_a_usage_problem_with_the_help_to_read(ana: Human) -> None:
    said = ana.run("verify", code=2)
    assert "Missing argument" in said.err
    assert "medperf-git verify --help" in said.err


def test_without_a_registry_the_person_is_told_how_to_get_one(ana: Human) -> None:
    said = ana.run("sync", code=2)
    assert "registry add URL" in said.err


def test_a_question_without_a_terminal_is_told_and_does_not_hang(ana: Human, tmp_path: Path) -> None:
    done = ana.spawn("init", tmp_path / "r", "--name", "heart", "--as", "ana", stdin=subprocess.DEVNULL, timeout=30)
    assert done.returncode in (0, 3)  # a key is found in ~/.ssh, but the recovery key would need a passphrase
    assert "Traceback" not in done.stderr
    assert "no terminal to ask at" in done.stderr


def test_a_reader_that_goes_away_is_no_error(ana: Human) -> None:
    command = f"{sys.executable} -m medperf_git --help | head -1"
    done = subprocess.run(command, shell=True, env=ana.environ, capture_output=True, text=True, check=False, timeout=30)
    assert done.stdout.startswith("Usage:")
    assert "Traceback" not in done.stderr


def test_sigterm_ends_with_130_and_a_sentence(ana: Human, tmp_path: Path) -> None:
    script = "import time, medperf_git.cli.main as m, click\n"
    script += "c = click.Command('slow', callback=lambda: time.sleep(30))\n"
    script += "m.LazyGroup.get_command = lambda *_: c\n"
    script += "import sys; sys.argv = ['medperf-git', 'sync']\n"
    script += "from medperf_git.cli.boundary import run; print('ready', flush=True); run()\n"
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=ana.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    _out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "stopped by the system" in err
    assert "Traceback" not in err


def test_version_and_help_end_with_0(ana: Human) -> None:
    assert ana.run("--version").out.startswith("medperf-git, version ")
    assert "Usage: medperf-git" in ana.run("--help").out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_with_nothing_escaped(ana: Human, shell: str) -> None:
    script = ana.run("completion", shell).out
    assert "_MEDPERF_GIT_COMPLETE" in script
    assert "\\x" not in script
