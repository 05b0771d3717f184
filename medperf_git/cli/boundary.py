"""The only place that exits: every way a command can end becomes an exit code and a message, never a traceback.

0 fine, 1 findings or refused, 2 usage, 3 environment, 4 container failed, 5 integrity, 70 our bug, 130 interrupted.
"""

import contextlib
import os
import platform
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click

from medperf_git import __version__
from medperf_git.cli.main import main as command_line
from medperf_git.cli.output import echo_findings, echo_text
from medperf_git.errors import EnvironmentProblem, Interrupted, MedperfGitError

BUG = 70


def run() -> None:
    """Run the command line as a program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code; everything it has to say is said."""
    try:
        code = command_line.main(args=list(argv), prog_name="medperf-git", standalone_mode=False)
    except click.ClickException as problem:
        return _usage(problem)
    except (click.Abort, KeyboardInterrupt):
        return _told(Interrupted("stopped", hint="nothing half-done is kept; the same command starts again"))
    except MedperfGitError as problem:
        return _told(problem)
    except BrokenPipeError:
        return _pipe_closed()
    except OSError as problem:
        return _told(_as_ours(problem)) if problem.filename is not None else _unexpected(problem, argv)
    except Exception as bug:  # noqa: BLE001  (the last line of defence: nothing may escape as a traceback)
        return _unexpected(bug, argv)
    return code if isinstance(code, int) else 0


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted("stopped by the system", hint="what was finished is kept; run the same command again")


def _usage(problem: click.ClickException) -> int:
    context = getattr(problem, "ctx", None)
    if context is not None:
        echo_text(context.get_usage(), err=True)
    if message := problem.format_message():
        echo_text(f"error: {message}", err=True)
    if context is not None:
        echo_text(f"help: {context.command_path} --help", err=True)
    return 2


def _told(problem: MedperfGitError) -> int:
    findings = getattr(problem, "findings", ())
    if findings:
        echo_findings(findings, err=True)
    echo_text(f"error: {problem.message}", err=True)
    if problem.hint:
        echo_text(f"do now: {problem.hint}", err=True)
    return problem.exit_code


def _as_ours(problem: OSError) -> EnvironmentProblem:
    hint = "check that the file exists, that you may read and write it, and that the disk is not full"
    return EnvironmentProblem(f"{problem.strerror or problem}: {problem.filename}", hint=hint)


def _pipe_closed() -> int:
    """End quietly when the reader of our output has gone, as `| head` does."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _unexpected(bug: Exception, argv: Sequence[str]) -> int:
    path = _write_report(bug, argv)
    echo_text(f"error: something went wrong inside medperf-git: {type(bug).__name__}", err=True)
    where = f"the report is in {path}; it holds no data and no key" if path else "no report could be written"
    echo_text(f"do now: {where}. Please open an issue and paste it.", err=True)
    return BUG


def _write_report(bug: Exception, argv: Sequence[str]) -> Path | None:
    lines = [
        f"medperf-git {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"command: {' '.join(word if not _is_secret(word) else '…' for word in argv)}",
        "",
        *traceback.format_exception(bug),
    ]
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    for folder in (_log_folder(), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f"report-{stamp}-", suffix=".log", dir=folder)
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write("\n".join(lines))
        except OSError:
            continue
        return Path(name)
    return None


def _log_folder() -> Path:
    from medperf_git.flows.home import home_folder  # noqa: PLC0415

    return home_folder(os.environ) / "logs"


def _is_secret(word: str) -> bool:
    """Tell whether a word may carry credentials, as a URL with a password does."""
    return "://" in word and "@" in word
