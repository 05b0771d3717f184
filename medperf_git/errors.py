"""The exception family: a broken promise of something outside this program's data.

Wrong *data* is never an exception but a `Finding` (`medperf_git.records.findings`). What is raised here
says what happened, and carries the sentence that says what to do now.
"""


class MedperfGitError(Exception):
    """The root of every error that this package raises on purpose.

    `exit_code` is what the command line ends with; `hint` is what the reader should do now.
    """

    exit_code = 70

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Refused(MedperfGitError):
    """What was given is understood and not acceptable: findings, or a state that forbids the wish (exit 1)."""

    exit_code = 1


class UsageProblem(MedperfGitError):
    """The request itself makes no sense: an unknown name, a missing option (exit 2)."""

    exit_code = 2


class EnvironmentProblem(MedperfGitError):
    """Something outside is missing or failed: engine, Git, network, disk, key file (exit 3)."""

    exit_code = 3


class ContainerFailed(MedperfGitError):
    """A container ended in a way that leaves no usable output (exit 4)."""

    exit_code = 4


class IntegrityBroken(MedperfGitError):
    """Bytes, digests, signatures or history are not what was promised (exit 5)."""

    exit_code = 5


class Interrupted(MedperfGitError):
    """The person or the system asked us to stop (exit 130)."""

    exit_code = 130
