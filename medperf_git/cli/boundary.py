"""The only place that exits: every way a command can end becomes an exit code and a message, never a traceback.

0 fine, 1 findings or refused, 2 usage, 3 environment, 4 container failed, 5 integrity, 70 our bug, 130 interrupted.
"""

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click

from medperf_git import __version__
from medperf_git.cli.main import main as command_line
from medperf_git.cli.output import echo_findings, echo_text
from medperf_git.errors import EnvironmentProblem, Interrupted, MedperfGitError, UsageProblem

BUG = 70

# What the system refuses for reasons outside this program: what is said, and what to do about it.
SYSTEM: Mapping[int, tuple[str, str]] = {
    errno.ENOSPC: ("the disk is full", "make room on that disk, then run the same command again"),
    errno.EDQUOT: ("your quota of disk space is used up", "make room, or ask for more, then run it again"),
    errno.EROFS: ("the disk is mounted read-only", "mount it so that it can be written, or choose another folder"),
    errno.EIO: ("the disk failed to read or write", "look at the system's log; the disk may be broken"),
    errno.EACCES: ("permission denied", "check who owns it and who may read and write it"),
    errno.EPERM: ("the system does not permit it", "check who owns it and who may read and write it"),
    errno.EMFILE: ("too many files are open at once", "raise the limit (`ulimit -n 4096`), then run it again"),
    errno.ENFILE: ("too many files are open on this machine", "end other programs, then run it again"),
    errno.ENOMEM: ("the machine is out of memory", "end other programs, then run it again"),
}


def run() -> None:
    """Run the command line as a program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    signal.signal(signal.SIGTERM, _stop)
    _stop_on_hang_up()
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code; everything it has to say is said."""
    try:
        code = command_line.main(args=list(argv), prog_name="medperf-git", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as problem:
        return _usage(problem)
    except (click.Abort, KeyboardInterrupt):
        return _told(Interrupted("stopped", hint="nothing half-done is kept; the same command starts again"))
    except MedperfGitError as problem:
        return _told(problem)
    except BrokenPipeError:
        return _pipe_closed()
    except OSError as problem:
        _let_go_of_output()
        ours = _as_ours(problem, argv)
        return _told(ours) if ours else _unexpected(problem, argv)
    except Exception as bug:  # noqa: BLE001  (the last line of defence: nothing may escape as a traceback)
        return _unexpected(bug, argv)
    return code if isinstance(code, int) else 0


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted("stopped by the system", hint="what was finished is kept; run the same command again")


def _stop_on_hang_up() -> None:
    """Let a terminal that closes stop the command as SIGTERM does; under `nohup`, and detached, it goes on."""
    hang_up = getattr(signal, "SIGHUP", None)
    if hang_up is None or signal.getsignal(hang_up) is signal.SIG_IGN:
        return
    from medperf_git.runner.signals import Terminals  # noqa: PLC0415  (not on Windows)

    terminals = Terminals()

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # the system may say it twice
        terminals.let_go()
        _stop(number, frame)

    signal.signal(hang_up, stop)


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


def _as_ours(problem: OSError, argv: Sequence[str]) -> MedperfGitError | None:
    """Return what the system refused as a sentence; None for what only a fault of this program explains."""
    where = "" if problem.filename is None else f": {problem.filename}"
    if isinstance(problem, FileNotFoundError) and where and _was_typed(str(problem.filename), argv):
        return UsageProblem(f"there is no such file{where}", hint="check the path that you gave")
    known = SYSTEM.get(problem.errno or 0)
    if known is None and not where:
        return None
    said, hint = known or (problem.strerror or str(problem), "check that the file exists, and that you may use it")
    return EnvironmentProblem(f"{said}{where}", hint=hint if where else f"{hint} ({_places()})")


def _was_typed(filename: str, argv: Sequence[str]) -> bool:
    """Tell whether a path is one that the person wrote, as a word or as the value of an option."""
    words = [word.partition("=")[2] if word.startswith("--") else word for word in argv]
    return any(word and Path(word).absolute() == Path(filename).absolute() for word in words)


def _places() -> str:
    """Name where this program writes, for a refusal that does not say where."""
    import tempfile  # noqa: PLC0415  (only after a failure)

    from medperf_git.flows.home import home_folder  # noqa: PLC0415

    return f"it writes in {home_folder(os.environ)}, in {tempfile.gettempdir()}, and where you told it to"


def _pipe_closed() -> int:
    """End quietly when the reader of our output has gone, as `| head` does."""
    _let_go_of_output()
    return 0


def _let_go_of_output() -> None:
    """Where standard output takes no more, keep the interpreter from trying it again at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unexpected(bug: Exception, argv: Sequence[str]) -> int:
    path = _write_report(bug, argv)
    echo_text(f"error: something went wrong inside medperf-git: {type(bug).__name__}", err=True)
    where = f"the report is in {path}; it holds no data and no key" if path else "no report could be written"
    echo_text(f"do now: {where}. Please open an issue and paste it.", err=True)
    return BUG


def _write_report(bug: Exception, argv: Sequence[str]) -> Path | None:
    import platform  # noqa: PLC0415  (these three only after a failure)
    import tempfile  # noqa: PLC0415
    import traceback  # noqa: PLC0415

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
