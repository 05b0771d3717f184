"""The registry a command works on: its verified copy, who I am there, and my key.

Nothing of a registry is believed that was not judged here, step by step, since the last verified commit.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, Refused, UsageProblem
from medperf_git.flows.config import Config, Known
from medperf_git.flows.context import Context
from medperf_git.flows.home import locked, private_folder
from medperf_git.flows.keyring import gather_keys
from medperf_git.flows.strays import remove_strays
from medperf_git.forge.choice import forge_for
from medperf_git.forge.credentials import find_credential
from medperf_git.forge.port import Forge
from medperf_git.policy.verdict import Outcome
from medperf_git.records.findings import Finding
from medperf_git.records.folds import member_state, registry_state
from medperf_git.registry.bare import open_copy
from medperf_git.registry.batches import prefetch_proposals
from medperf_git.registry.history import iter_ids, line_between
from medperf_git.registry.light import LightSupply
from medperf_git.registry.light_start import begin_at
from medperf_git.registry.objects import Store
from medperf_git.registry.pulls import proposal_at
from medperf_git.registry.quarantine import standing_behind
from medperf_git.registry.remotes import Remote
from medperf_git.registry.snapshot import Snapshot
from medperf_git.registry.standing import SOUND
from medperf_git.registry.steps import Judgement, judge_proposal
from medperf_git.registry.sync import SyncReport, read_pin, sync, write_pin
from medperf_git.registry.transport import (
    UPSTREAM_MAIN,
    UPSTREAM_PROPOSALS,
    UPSTREAM_PULLS,
    Access,
    light_depth,
    mark_light,
)
from medperf_git.signing.signers import FileSigner, Signer

_PROPOSAL = re.compile(r"[0-9a-f]{32}")


class InvalidHistory(IntegrityBroken):
    """A step of main is not valid; carries which, and the findings of its judge."""

    def __init__(self, commit: str, findings: tuple[Finding, ...]) -> None:
        super().__init__(
            f"commit {commit[:12]} of main is not valid; nothing after it is believed",
            hint="do not go on with this registry; tell its maintainers which commit it is. They run "
            f"`medperf-git withdraw {commit[:12]}`, which sets it aside or says what else heals it",
        )
        self.commit = commit
        self.findings = findings


class Workspace:
    """Guards the local copy of one registry and the signer of one command."""

    def __init__(self, context: Context, alias: str, known: Known) -> None:
        self.context = context
        self.alias = alias
        self.known = known
        Remote.parse(known.url)
        self.store: Store = self._open_copy()
        self.online = True
        self._signer: Signer | None = None
        self._head = ""
        self._view: Snapshot | None = None
        self._healing = False
        self.broken: InvalidHistory | None = None
        self.freshness = ""
        self._standing = SOUND
        self._proposals: tuple[Mapping[str, str], str, dict[str, str]] = ({}, "", {})

    def _open_copy(self) -> Store:
        """Open the local copy; a light one knows where to ask for what it lacks."""
        store = open_copy(copy_folder(self.context.home, self.alias))
        pin = read_pin(self.pin_file)
        light = self.known.light and (pin is None or pin.trusted is not None)
        if light and light_depth(store.path) is None:
            mark_light(store.path)
        elif not light and light_depth(store.path) is not None:
            hint = f"move {self.pin_file.parent} away, then add the registry again"
            raise EnvironmentProblem(f"the copy of {self.alias} is a light one, and is not known as such", hint=hint)
        if light:
            store.supply = LightSupply(store, Remote.parse(self.known.url), lambda: self._access, say=self.context.say)
        return store

    @cached_property
    def _access(self) -> Access:
        return Access(find_credential(Remote.parse(self.known.url), self.context.environ, self.known.kind))

    @cached_property
    def forge(self) -> Forge:
        """Who speaks to the place where the registry lies; its token is looked for when first needed."""
        known, context = self.known, self.context
        return forge_for(
            known.url, context.environ, host=known.kind, fork=known.fork, patience=context.patience, say=context.say
        )

    def judge(self, commit: str, *, at: datetime | None = None) -> Judgement:
        """Judge an open proposal, or one about to be sent, against main as it stands."""
        moment = at or self.context.clock()
        return judge_proposal(self.store, self.base, commit, at=moment, standing=self._standing)

    @classmethod
    def open(cls, context: Context, *, healing: bool = False) -> "Workspace":
        """Open the chosen registry as last verified; the first time it is fetched.

        `healing`: an invalid step does not end the command, which works on what was valid before it (`broken`).
        """
        alias, known = Config.load(context.home).choose(context.registry)
        workspace = cls(context, alias, known)
        workspace._healing = healing
        pin = read_pin(workspace.pin_file)
        if pin is None or not workspace.store.has_commit(pin.commit):
            workspace.refresh()
        else:
            workspace._stand_on(pin.commit)
        return workspace

    @property
    def url(self) -> str:
        """Where the registry lies."""
        return self.known.url

    @property
    def registry_id(self) -> str:
        """The registry's id, `mg1:` and 64 hexadecimal digits."""
        return self.known.id

    @property
    def member(self) -> str | None:
        """Who I am in this registry, None before `join`."""
        return self.known.member

    @property
    def head(self) -> str:
        """The last verified commit of main, 40 hexadecimal digits."""
        return self._head

    @property
    def base(self) -> str:
        """On which commit of main a proposal stands: `head`, and behind an invalid step the newest, to mend it."""
        return self.store.ref(UPSTREAM_MAIN) or self._head if self.broken is not None else self._head

    @property
    def view(self) -> Snapshot:
        """The records at `head`."""
        if self._view is None:
            raise UsageProblem("the registry has no verified state yet", hint="run `medperf-git sync`")
        return self._view

    @property
    def copy(self) -> Path:
        """The folder of the local copy."""
        return self.store.path

    @property
    def pin_file(self) -> Path:
        """The file that says how far was verified."""
        return registry_folder(self.context.home, self.alias) / "pin.json"

    def require_member(self) -> str:
        """Return who I am here; UsageProblem before `join`."""
        if self.known.member is None:
            hint = f"run `medperf-git join {self.url} --as NAME --title …`; reading and trying out need no membership"
            raise UsageProblem(f"nobody has joined {self.alias} from this machine yet", hint=hint)
        return self.known.member

    def refresh(self) -> SyncReport | None:
        """Fetch and verify what is new; None when the registry cannot be reached and an older state serves.

        InvalidHistory: a step of main is not valid. EnvironmentProblem: unreachable, and nothing verified yet.
        """
        with locked(self.pin_file.with_name("lock")):
            first = self.store.ref(UPSTREAM_MAIN) is None
            remove_strays(self.context.home, copy=self.copy)
            try:
                self.forge.fetch(self.copy)
            except EnvironmentProblem as problem:
                self.online = False
                if not self._head:
                    raise
                self.context.say(f"{problem.message}; working with what was verified before ({self._head[:12]})")
                return None
            self.online, self.broken, self._standing = True, None, SOUND
            self._begin_light(first=first)
            return self._verify()

    def proposals(self) -> dict[str, str]:
        """Return the open proposals as last fetched: id → commit.

        A branch of the registry is named by its id. A pull request is named by its content; where several hold the
        same records, the one that comes furthest with the judge counts.
        """
        refs = {**self.store.refs(UPSTREAM_PROPOSALS), **self.store.refs(UPSTREAM_PULLS)}
        known, base, found = self._proposals
        if known != refs or base != self.base:
            found = self._read_proposals(refs)
            self._proposals = (refs, self.base, found)
        return dict(found)

    def _read_proposals(self, refs: Mapping[str, str]) -> dict[str, str]:
        heads: dict[str, set[str]] = {}
        prefetch_proposals(self.store, [commit for name, commit in refs.items() if name.startswith(UPSTREAM_PULLS)])
        for name, commit in refs.items():
            named = name.removeprefix(UPSTREAM_PROPOSALS)
            if _PROPOSAL.fullmatch(named):
                heads.setdefault(named, set()).add(commit)
            elif name.startswith(UPSTREAM_PULLS) and self._head:
                read = proposal_at(self.store, self.base, commit, at=self.context.clock())
                heads.setdefault(read or "", set()).add(commit)
        heads.pop("", None)
        return {proposal: self._furthest(commits) for proposal, commits in sorted(heads.items())}

    def _furthest(self, commits: set[str]) -> str:
        """Return the head that needs least to be merged, of equals always the same."""
        if len(commits) == 1:
            return next(iter(commits))
        weights = {Outcome.PASS: 0, Outcome.NEEDS_PERSON: 1}
        judged = {commit: self.judge(commit) for commit in sorted(commits)}
        return min(judged, key=lambda commit: (weights.get(judged[commit].outcome, 2), len(judged[commit].findings)))

    def signer(self) -> Signer:
        """Return who signs for me here; the key is looked for once, its passphrase asked at most once."""
        if self._signer is None:
            self._signer = self._find_signer()
        return self._signer

    def act_as(self, member: str | None, key: Path | None) -> None:
        """Sign as a member, or with a key, for this command alone: for a key that is about to become somebody's."""
        if member is not None:
            self.remember(replace(self.known, member=member), only_here=True)
        if key is not None:
            ask = self.context.person.passphrase
            self._signer = FileSigner.load(key, passphrase=lambda path: ask(f"Passphrase of {path}"))

    def settle_as(self, member: str, key: Path | None) -> None:
        """Be a member here for good, with the key that signed last: for whoever holds a second key of a member."""
        fingerprint, file = self.signer().public.fingerprint, str(key.absolute()) if key else None
        self.remember(replace(self.known, member=member, key=fingerprint, key_file=file))

    def remember(self, known: Known, *, only_here: bool = False) -> None:
        """Keep who I am in this registry; with `only_here` for this command alone."""
        if (known.url, known.host, known.fork) != (self.known.url, self.known.host, self.known.fork):
            self.__dict__.pop("forge", None)  # who speaks to the place is found anew
        self.known = known
        self._signer = None
        if only_here:
            return
        Config.load(self.context.home).with_registry(self.alias, known, current=False).save(self.context.home)

    def _begin_light(self, *, first: bool) -> None:
        """Let a light copy begin at main as it stands; EnvironmentProblem where the `first` fetch left nothing out."""
        tip = self.store.ref(UPSTREAM_MAIN)
        if self.store.supply is None or tip is None or read_pin(self.pin_file) is not None:
            return
        if first and self.store.has(self.store.commit(tip).tree):
            hint = "add the registry without --light; its host would have to set uploadpack.allowFilter"
            raise EnvironmentProblem("its host does not leave out anything that is not asked for", hint=hint)
        write_pin(self.pin_file, begin_at(self.store, tip, expected=self.known.id, now=self.context.clock()))
        self.context.say(
            f"a light copy: main is believed as it stood at {tip[:12]}, the history before it is not verified; "
            "`medperf-git sync --full` does that"
        )

    def _verify(self) -> SyncReport:
        tip = self.store.ref(UPSTREAM_MAIN)
        if tip is None:
            hint = "check the address; a new registry is made with `medperf-git init`"
            raise UsageProblem(f"{self.url} holds no registry: it has no branch main", hint=hint)
        now = self.context.clock()
        report = sync(self.store, tip, pin_file=self.pin_file, expected=self.known.id, progress=self._progress, now=now)
        if report.pin is not None:
            self._stand_on(report.pin.commit)
            registry = registry_state(self.view)
            if registry is not None and report.stopped is None:
                from medperf_git.flows.freshness import check_freshness  # noqa: PLC0415  (few registries ask for it)

                line = list(iter_ids(line_between(self.store, self._head, None))) if registry.checkpoint else []
                seen, step = self.pin_file.with_name("checkpoint.json"), self.store.commit(report.pin.commit).time
                pin = replace(report.pin, steps=len(line)) if report.pin.trusted else report.pin
                self.freshness = check_freshness(registry, pin, line=line, step=step, seen_file=seen, now=now)
        if report.stopped is not None:
            self.broken = InvalidHistory(report.stopped.commit, report.stopped.judgement.findings)
            self._standing = standing_behind(self.store, tip, broken=report.stopped.commit)
            if not self._healing:
                raise self.broken
        return report

    def _stand_on(self, commit: str) -> None:
        if commit != self._head:
            self._head = commit
            self._view = Snapshot.at(self.store, commit)

    def _progress(self, done: int, steps: int) -> None:
        if steps > 200 and (done % 200 == 0 or done == steps):
            self.context.say(f"verified {done} of {steps} steps of main")

    def _find_signer(self) -> Signer:
        member = self.require_member()
        state = member_state(self.view, member)
        keys = gather_keys(self.context, extra=self.known.key_file)
        if state is None:
            if self.known.key is None:
                raise Refused(f"{member} is no member of {self.alias}", hint="run `medperf-git join`")
            return keys.find(self.known.key)
        own = [entry.key for entry in state.keys.signing]
        present = {signer.public.openssh: signer for signer in keys.signers if signer.public.openssh in own}
        preferred = [s for s in present.values() if s.public.fingerprint == self.known.key]
        return next(iter([*preferred, *present.values()]), None) or keys.find(own[0])


def registry_folder(home: Path, alias: str) -> Path:
    """Return the folder of one registry below the home folder."""
    return home / "registries" / alias


def copy_folder(home: Path, alias: str) -> Path:
    """Return the bare repository that is the local copy of a registry."""
    return private_folder(registry_folder(home, alias)) / "repo.git"
