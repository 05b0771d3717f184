"""The Git host between the clouds: a real sshd that lets known keys run Git on one repository and nothing else.

Each push is judged by the product's `pre-receive` hook. The host writes down when whose session began and ended.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from machines import HOST_ADDRESS, PLACE, Machine, wait_until

_SESSIONS = "sessions"
_SERVE = f"""#!/bin/sh
# One session of somebody known ($1), who may do with this repository what $2 says.
begin=$(date +%s.%N)
case "$2 $SSH_ORIGINAL_COMMAND" in
  "all git-receive-pack "*) what=push ;;
  "all git-upload-pack "* | "read git-upload-pack "*) what=fetch ;;
  *) echo "this host does not let you do that" >&2; exit 1 ;;
esac
git-shell -c "$SSH_ORIGINAL_COMMAND"
code=$?
echo "$1 $what $begin $(date +%s.%N) $code" >>{PLACE}/{_SESSIONS}
exit $code
"""
_CONFIG = f"""Port 22
ListenAddress {HOST_ADDRESS}
HostKey {PLACE}/host_key
AuthorizedKeysFile {PLACE}/known_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
MaxStartups 100
PidFile none
"""
_SSH = """Host *
  IdentityFile {place}/key
  IdentitiesOnly yes
  UserKnownHostsFile {place}/known_hosts
  GlobalKnownHostsFile none
"""


@dataclass(frozen=True)
class Session:
    """One visit to the Git host: whose, what for, from when to when (seconds), and how it ended."""

    who: str
    what: str
    begin: float
    end: float
    code: int


@dataclass(frozen=True)
class GitHost:
    """The Git host: its machine and the repository on it."""

    machine: Machine
    repository: Path

    @property
    def url(self) -> str:
        """The address of the repository for everybody else."""
        return f"ssh://root@{HOST_ADDRESS}{self.repository}"

    @property
    def folder(self) -> Path:
        """The repository as this computer sees it."""
        return self.machine.folder / self.repository.name

    def let_in(self, name: str, key: str, *, may: str = "all") -> None:
        """Let somebody's key do all, or only read."""
        rule = f'restrict,command="{PLACE}/serve {name} {may}"'
        with (self.machine.folder / "known_keys").open("a") as file:
            file.write(f"{rule} {key.strip()}\n")

    def sessions(self) -> list[Session]:
        """Return every session that has ended."""
        path = self.machine.folder / _SESSIONS
        rows = (line.split() for line in path.read_text().splitlines()) if path.exists() else ()
        return [Session(who, what, float(begin), float(end), int(code)) for who, what, begin, end, code in rows]

    def git(self, *words: str) -> str:
        """Ask Git about the repository, on the host itself."""
        return self.machine.run("git", "--git-dir", self.repository, *words).stdout


def start_host(machine: Machine, name: str, program: Path) -> GitHost:
    """Make an empty repository that the product's hook guards, and start an sshd beside it."""
    host = GitHost(machine, PLACE / name)
    machine.run("git", "init", "-q", "--bare", "--initial-branch=main", host.repository)
    machine.run(
        program, "doctor", "--install-hook", host.repository, HOME=str(PLACE), MEDPERF_GIT_HOME=f"{PLACE}/state"
    )
    machine.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", PLACE / "host_key")
    for file, text in (("serve", _SERVE), ("sshd_config", _CONFIG), ("known_keys", ""), ("shadow", "root:*:::::::\n")):
        (machine.folder / file).write_text(text)
        (machine.folder / file).chmod(0o700 if file == "serve" else 0o600)
    machine.run("mount", "--bind", PLACE / "shadow", "/etc/shadow")  # sshd lets no locked account in, keys or not
    machine.run("mkdir", "-p", "/run/sshd")
    sshd = machine.run("sh", "-c", "command -v sshd").stdout.strip()
    process = machine.begin(sshd, "-D", "-e", "-f", PLACE / "sshd_config", log="sshd.log")
    wait_until(lambda: reaches(machine, HOST_ADDRESS, 22), process, machine, "sshd.log")
    return host


def give_ssh(machine: Machine, home: Path, host: GitHost) -> str:
    """Make a person's SSH key and tell their ssh the host's key; return the public key."""
    place = home / "ssh"
    machine.run("mkdir", "-p", "-m", "700", place, home / "bin")
    machine.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", home.name, "-f", place / "key")
    here = machine.folder / home.relative_to(PLACE)
    (here / "ssh/config").write_text(_SSH.format(place=place))
    known = (host.machine.folder / "host_key.pub").read_text().split()[:2]
    (here / "ssh/known_hosts").write_text(" ".join([HOST_ADDRESS, *known]) + "\n")
    ssh = machine.run("sh", "-c", "command -v ssh").stdout.strip()
    wrapper = here / "bin/ssh"  # ssh itself looks for its files where the account's home is, not where $HOME is
    wrapper.write_text(f'#!/bin/sh\nexec {ssh} -F {place}/config "$@"\n')
    wrapper.chmod(0o700)
    return (here / "ssh/key.pub").read_text()


def reaches(machine: Machine, address: str, port: int) -> bool:
    """Tell whether something answers at an address, seen from a machine."""
    return probe(machine, [(address, port)]) == [True]


def probe(machine: Machine, places: list[tuple[str, int]], seconds: float = 1.0) -> list[bool]:
    """Tell for several places, asked side by side, whether something answers there."""
    words = [f"timeout {seconds} bash -c 'echo >/dev/tcp/{address}/{port}' 2>/dev/null" for address, port in places]
    script = "".join(f"( {word}; echo {number} $? ) &\n" for number, word in enumerate(words)) + "wait\n"
    rows = sorted(tuple(map(int, line.split())) for line in machine.run("bash", "-c", script).stdout.splitlines())
    return [code == 0 for _, code in rows]


def listen(machine: Machine, port: int) -> subprocess.Popen[bytes]:
    """Let a machine answer at a port, as the control of what cannot be reached."""
    words = ("python3", "-m", "http.server", "--directory", PLACE / "tmp", str(port))
    process = machine.begin(*words, log="listen.log")
    wait_until(lambda: reaches(machine, machine.address, port), process, machine, "listen.log")
    return process


def most_at_once(sessions: list[Session]) -> int:
    """Return how many different people had a session at the same moment."""
    return max(
        (len({other.who for other in sessions if other.begin <= one.begin < other.end}) for one in sessions), default=0
    )
