"""A registry of honest and hostile changes: the judge passes exactly what a small reference model allows."""

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from medperf_git.policy.verdict import Outcome
from medperf_git.records import layout, models
from medperf_git.records.folds import association_state, live_result, member_state, members, result_chain
from medperf_git.records.names import Ref
from medperf_git.registry.light_start import Proof
from tests.support import registry_builder as build

from .registry_model import BECOMES, FOLLOWS, Model, Need, Person, Status, fits, owner

NEWCOMERS = ("quartz", "violet", "bishop")
HOSPITALS = ("north", "south", *NEWCOMERS)
ROOMS = ("wards", "theatre", "kitchens")
EVERYBODY = (*build.MAINTAINERS, *build.COMMITTEE, "north", "south", "moa", *NEWCOMERS, "eve")
SEEDS = [seed for name in EVERYBODY for seed in (name, f"{name}:2", f"{name}:3", f"{name}:recovery")]
seeds = st.sampled_from(SEEDS)
refs = st.builds(Ref, st.sampled_from(HOSPITALS), st.sampled_from(ROOMS), st.just(1))
speakers = st.none() | st.none() | st.sampled_from(EVERYBODY)  # mostly who should
# How those who sign are chosen: those who must, one fewer, one more, or anybody.
wills = st.sampled_from([*["honest"] * 6, "fewer", "more", "anybody"])
TRICKS = ("drop", "flip", "other-name", "other-registry", "other-head", "old-bundle", "again", "gap", "other-reference")


class Registry(RuleBasedStateMachine):
    """Proposes one change after another to both, and compares verdicts and states."""

    @initialize()
    def begin(self) -> None:
        self.house, self.model = build.settled(), Model.settled()

    # --- one change

    def judged(self, data: Any, needs: list[Need], *records: models.Record, allowed: bool, **options: Any) -> bool:
        """Propose records signed as `data` wills; compare, merge what passes, and tell whether it did."""
        proposal = self.house.propose(*records)
        signers = self._signers(data, needs)
        for seed in signers:
            proposal.sign(seed, **options)
        expected = allowed and fits(needs, signers)
        verdict = proposal.judge()
        assert (verdict.outcome is Outcome.PASS) == expected, (expected, signers, verdict)
        if expected:
            self.house.merge(proposal)
        return expected

    def _signers(self, data: Any, needs: list[Need]) -> list[str]:
        will = data.draw(wills)
        if will == "anybody":
            return data.draw(st.lists(seeds, min_size=1, max_size=3, unique=True))
        chosen: list[str] = []
        for need in needs:
            able = (
                sorted(need.seeds) if need.keys else sorted({owner(seed): seed for seed in sorted(need.seeds)}.values())
            )
            if able and not need.met(chosen):
                chosen += data.draw(st.permutations(able))[: need.count]
        chosen = list(dict.fromkeys(chosen))
        if will == "fewer" and chosen:
            chosen.remove(data.draw(st.sampled_from(chosen)))
        if will == "more":
            chosen.append(data.draw(seeds))
        return list(dict.fromkeys(chosen))

    def _somebody(self, data: Any) -> tuple[str, Person]:
        """Return an active member: one time in two somebody who can do something in this play."""
        active = sorted(name for name, person in self.model.people.items() if person.active)
        hospitals = [name for name in active if name in HOSPITALS]
        name = data.draw(st.sampled_from(hospitals if hospitals and data.draw(st.booleans()) else active))
        return name, self.model.people[name]

    # --- people

    @precondition(lambda self: set(NEWCOMERS) - set(self.model.people))
    @rule(data=st.data(), key=st.none() | st.none() | seeds)
    def join(self, data: Any, key: str | None) -> None:
        """Somebody asks to be admitted, with a key of their own or with somebody else's."""
        name = data.draw(st.sampled_from(sorted(set(NEWCOMERS) - set(self.model.people))))
        first = key or name
        record = build.member(name, keys=build.keys(first, recovery=[f"{name}:recovery"]))
        fresh = not {first, f"{name}:recovery"} & self.model.used and first != f"{name}:recovery"
        needs = [self.model.any_of(build.MAINTAINERS), Need(frozenset([first])), Need(frozenset([f"{name}:recovery"]))]
        # The judge is given a signature by the key; in whose name it was made is what the key says.
        if first != name and owner(first) != name:
            needs, fresh = needs[:1], False
        if self.judged(data, needs, record, allowed=fresh):
            self.model.admit(name, [first], [f"{name}:recovery"])

    @rule(data=st.data(), tail=st.sampled_from(["", ":2", ":3", ":4"]))
    def add_key(self, data: Any, tail: str) -> None:
        """A member adds a signing key: never one that anybody has or had."""
        name, person = self._somebody(data)
        key = name + tail
        if key in person.signing or len(person.signing) == 3:
            return
        record = self.house.member_now(name, keys=build.keys(*person.signing, key, recovery=person.recovery))
        needs = [self.model.for_update(name), Need(frozenset([key]))]
        if person.cosigning > 1:  # it lowers what protects the member
            needs.append(Need(self.model.any_of(build.MAINTAINERS).seeds.union(person.recovery)))
        if self.judged(data, needs, record, allowed=key not in self.model.used):
            person.signing.append(key)
            self.model.used.add(key)

    @rule(data=st.data())
    def take_key(self, data: Any) -> None:
        """A member lists a key that is somebody else's, or that it gave up: never."""
        name, person = self._somebody(data)
        others = sorted(seed for seed in self.model.used if owner(seed) != name)
        given_up = sorted(self.model.used - {*person.signing, *person.recovery} - set(others))
        key = data.draw(st.sampled_from(given_up or others))
        record = self.house.member_now(name, keys=build.keys(*person.signing, key, recovery=person.recovery))
        self.judged(data, [self.model.for_update(name)], record, allowed=False)

    @rule(data=st.data())
    def drop_key(self, data: Any) -> None:
        """A member gives up a signing key, which never comes back."""
        name, person = self._somebody(data)
        if len(person.signing) <= person.cosigning:
            return
        record = self.house.member_now(name, keys=build.keys(*person.signing[1:], recovery=person.recovery))
        if self.judged(data, [self.model.for_update(name)], record, allowed=True):
            person.signing.pop(0)

    @rule(data=st.data(), maintainer=st.sampled_from([None, None, *build.MAINTAINERS]))
    def retire(self, data: Any, maintainer: str | None) -> None:
        """A member stops taking part; the maintainers must still be able to decide."""
        name, person = (maintainer, self.model.people[maintainer]) if maintainer else self._somebody(data)
        if name in build.COMMITTEE or not person.active or (name in HOSPITALS and data.draw(st.integers(0, 3))):
            return
        record = self.house.member_now(name, status="retired")
        if self.judged(data, [self.model.for_update(name)], record, allowed=self.model.can_retire(name)):
            person.active = False

    @rule(data=st.data(), wish=st.integers(1, 4))
    def cosign(self, data: Any, wish: int) -> None:
        """A member wants so many of its own keys on each result: not more than it has."""
        name, person = self._somebody(data)
        if wish < person.cosigning:
            return  # it lowers what protects the member, which needs more than one of its keys
        record = self.house.member_now(name, cosigning=models.Cosigning(dataset=1, result=wish))
        if self.judged(data, [self.model.for_update(name)], record, allowed=wish <= len(person.signing)):
            person.cosigning = wish

    # --- datasets, associations, results

    @rule(data=st.data(), version=st.sampled_from([1, 1, 1, 1, 2]))
    def register(self, data: Any, version: int) -> None:
        """A dataset is registered; version 2 needs version 1."""
        hospitals = sorted(set(HOSPITALS) & set(self.model.people)) * 3 + ["eve", "bishop"]
        ref = Ref(data.draw(st.sampled_from(hospitals)), data.draw(st.sampled_from(ROOMS)), 1)
        if ref in self.model.associations:
            return
        record = self.house.dataset(replace(ref, version=version))
        if self.judged(data, [self.model.own(ref.member)], record, allowed=version == 1):
            self.model.register(ref)

    @rule(data=st.data(), sensible=st.integers(0, 2), by=speakers)
    def say(self, data: Any, sensible: int, by: str | None) -> None:
        """Somebody asks, approves, rejects or withdraws; mostly what can follow."""
        ref = data.draw(st.sampled_from(sorted(self.model.associations)))
        state = self.model.associations[ref]
        event = data.draw(st.sampled_from([name for name in FOLLOWS if not sensible or state.status in FOLLOWS[name]]))
        side = data.draw(st.sampled_from(["owner", "committee"]))
        speaker = by or (ref.member if side == "owner" else data.draw(st.sampled_from(build.COMMITTEE)))
        record = self.house.event(event, by=speaker, side=side, subject=ref)
        allowed = state.status in FOLLOWS[event] and speaker in ((ref.member,) if side == "owner" else build.COMMITTEE)
        signing_side = side
        if event == "approve":
            allowed = allowed and side != state.initiator
            signing_side = "owner" if state.initiator == "committee" else "committee"
        needs = [self.model.own(ref.member)]
        if signing_side == "committee":
            needs = [self.model.any_of(build.COMMITTEE), self.model.own(speaker)]
        if self.judged(data, needs, record, allowed=allowed):
            state.status = BECOMES[event]
            state.initiator = side if event == "request" else state.initiator

    @rule(data=st.data(), counted=st.sampled_from([True, True, True, False]))
    def submit(self, data: Any, counted: bool) -> None:
        """A result is submitted: of an approved dataset, by its owner's keys, with its attempts counted."""
        ref = data.draw(st.sampled_from(sorted(self.model.results)))
        results = self.model.results[ref]
        record = self.house.result(ref, attempt=results.count + 1 if counted or not results.count else results.count)
        allowed = self.model.associations[ref].status is Status.APPROVED and record.attempt > results.count
        needs = [self.model.own(ref.member, self.model.people[ref.member].cosigning)]
        if self.judged(data, needs, record, allowed=allowed):
            results.count, results.withdrawn = results.count + 1, False

    @precondition(lambda self: any(results.count for results in self.model.results.values()))
    @rule(
        data=st.data(),
        event=st.sampled_from(["withdraw", "reinstate"]),
        by=st.none() | st.none() | st.sampled_from(EVERYBODY),
    )
    def mark(self, data: Any, event: Any, by: str | None) -> None:
        """An owner withdraws their newest result, or takes that back."""
        ref = data.draw(st.sampled_from(sorted(ref for ref, results in self.model.results.items() if results.count)))
        results = self.model.results[ref]
        path = layout.numbered(layout.result_folder(build.BENCHMARK, ref, build.MODEL), results.count)
        record = self.house.notice(event, path, by=by or ref.member)
        allowed = (by or ref.member) == ref.member and results.withdrawn == (event == "reinstate")
        needs = [self.model.own(ref.member, self.model.people[ref.member].cosigning)]
        if self.judged(data, needs, record, allowed=allowed):
            results.withdrawn = event == "withdraw"

    # --- forgery

    @rule(ref=refs, trick=st.sampled_from(TRICKS), byte=st.integers(0, 10_000))
    def forge(self, ref: Ref, trick: str, byte: int) -> None:
        """A change that its owner would have signed was tampered with: it never passes."""
        signers = sorted(self.model.speaks(ref.member))
        if not signers or ref in self.model.associations:
            return
        record_of = self.house.dataset(ref)
        if trick == "other-reference":
            reference = self.house.cube_reference(build.PREPARATOR)
            record_of = replace(record_of, preparator=replace(reference, digest=build.IMAGE))
        proposal = self.house.propose(record_of)
        path, seed = proposal.path, signers[0]
        if trick == "other-registry":
            proposal.sign(seed, registry="mg1:" + "0" * 64)
        elif trick == "other-head":
            proposal.sign(seed, head=build.OTHER_HEAD)
        elif trick == "other-name":
            proposal.sign_as("eve", seed, path)
        else:
            proposal.sign(seed)
        record = proposal.files[path]
        if trick == "drop":
            proposal = proposal.without(*(name for name in proposal.files if name != path))
        elif trick == "flip":
            at = byte % len(record)
            proposal.put(path, record[:at] + bytes([record[at] ^ 1 << byte % 8]) + record[at + 1 :])
        elif trick == "old-bundle":
            proposal.put(path, record.replace(b"exact: 60", b"exact: 61"))
        elif trick == "again":
            proposal.put(path.replace("/1.yaml", "/2.yaml"), record)
        elif trick == "gap":
            files = {name.replace("/1.yaml", "/3.yaml"): data for name, data in proposal.files.items()}
            proposal.files = files
        assert proposal.judge().outcome is not Outcome.PASS

    @rule(data=st.data(), how=st.sampled_from(["unlinked", "linked to another", "too far"]))
    def break_chain(self, data: Any, how: str) -> None:
        """A member's update does not follow the record before it: it never passes."""
        name, person = self._somebody(data)
        record = self.house.member_now(name, title="Another Institute", previous=None)
        proposal = build.Proposal(self.house)
        if how == "linked to another":
            record = replace(record, previous=build.IMAGE)
        proposal.add(record, link=how == "too far")
        if how == "too far":
            place = build.there(layout.place_of(proposal.path))
            proposal.files = {layout.member_path(name, place.number + 1): proposal.files[proposal.path]}
        assert proposal.sign(person.signing[0]).judge().outcome is not Outcome.PASS

    # --- both tell the same

    @invariant()
    def one_tree_proves_who_decides(self) -> None:
        if hasattr(self, "house") and self.house.files != getattr(self, "proved", None):
            self.proved = dict(self.house.files)
            files = {
                path: data for path, data in self.house.files.items() if path.startswith(("registry/", "members/"))
            }
            Proof.of(files, self.house.id).complete()

    @invariant()
    def states_agree(self) -> None:
        if not hasattr(self, "model"):
            return
        view = self.house.view
        assert set(members(view)) == set(self.model.people)
        for name, person in self.model.people.items():
            state = build.there(member_state(view, name))
            assert [entry.key for entry in state.keys.signing] == [build.key(seed).key for seed in person.signing]
            assert (state.status == "active") == person.active
        for ref, association in self.model.associations.items():
            assert association_state(view, build.BENCHMARK, "dataset", ref).status is association.status
        for ref, results in self.model.results.items():
            assert len(result_chain(view, build.BENCHMARK, ref, build.MODEL)) == results.count
            live = live_result(view, build.BENCHMARK, ref, build.MODEL) is not None
            assert live == (results.count > 0 and not results.withdrawn)


Registry.TestCase.settings = settings(
    max_examples=200, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
test_the_judge_passes_what_the_model_allows = Registry.TestCase
