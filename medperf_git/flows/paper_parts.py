"""Parts that the printed pages share: who receives what is published, the exact bytes, the lines to sign on.

The words are for a privacy officer and a physician: what is said is said once, and exactly.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medperf_git.flows.wording import visible
from medperf_git.leaderboard.paper import Bullets, Bytes, Facts, Section, SignHere, Text
from medperf_git.records.digests import Digest, digest_of
from medperf_git.records.folds import member_state, policy_state, registry_state
from medperf_git.records.layout import cube_path
from medperf_git.records.models import Benchmark, Cube, Reference
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView, record_at

WITHDRAWING = (
    "For ever. A published record is never changed and never deleted. It can be marked as withdrawn, with a reason; "
    "the mark does not take the record out of the registry, nor out of the copies that others have."
)


@dataclass(frozen=True, slots=True)
class Leaving:
    """One file as it would leave: where it goes, its bytes."""

    path: str
    data: bytes

    @property
    def digest(self) -> Digest:
        """The digest that a signature is about."""
        return digest_of(self.data)


@dataclass(frozen=True, slots=True)
class Where:
    """The registry that records go to: its address and its id."""

    url: str
    id: str


def recipients(view: RecordView, where: Where, benchmark: Benchmark | None) -> Section:
    """Say who receives what is published, for what, and for how long."""
    registry = registry_state(view)
    title = registry.title if registry else where.url
    sentences = [
        (
            "Everybody. There is no list of recipients: whoever can read the registry, a copy of it, or the "
            "leaderboard made from it, can read these records. Count on anybody in the world doing so."
        ),
        WITHDRAWING,
    ]
    pairs = [("Registry", f"{title}, at {where.url}")]
    if registry:
        pairs.append(("Looked after by", named(view, registry.maintainers)))
    if benchmark:
        sentences.append(f"What for: “{benchmark.title}”. {benchmark.description}")
        policy = policy_state(view, benchmark.ref)
        pairs.append(("Benchmark", f"{benchmark.title} ({benchmark.ref})"))
        if policy:
            pairs.append(("Decided by", named(view, policy.committee)))
            pairs += [("Takes results until", policy.closes)] if policy.closes else []
    exact = [("Id of the registry", where.id)]
    return Section("who", "Who receives it, and for how long", (Bullets(sentences), Facts(pairs, exact)))


def exact_bytes(leaving: Sequence[Leaving]) -> Section:
    """Show every file letter by letter, with the digest that will be signed."""
    words = (
        "This is all that would be sent, letter by letter, together with the signatures over it and the public key "
        "they are made with. The program signs these bytes and no others: if one letter differed, the SHA-256 would, "
        "and the sending would be refused."
    )
    files = [Bytes(one.path, len(one.data), bare(one.digest), shown(one.data.decode())) for one in leaving]
    return Section("bytes", "The exact bytes", (Text(words), *files), annex=True)


def decision(what: str, *, keys: int = 1) -> Section:
    """Return the lines on which people decide."""
    words = [f"I have read this page. {what}"]
    if keys > 1:
        words.append(f"This house asks for {keys} of its own keys: what is sent counts only when all have signed.")
    persons = ("For the data: privacy officer", "For the patients: physician in charge")
    return Section("sign", "Decision", (*map(Text, words), *map(SignHere, persons)))


def model_title(view: RecordView, ref: Ref) -> str:
    """Return what people call a container."""
    cube = record_at(view, cube_path(ref), Cube)
    return cube.title if cube else str(ref)


def container_facts(view: RecordView, what: str, reference: Reference, image: Digest | None) -> tuple[str, str]:
    """Say which container did something, and whose it is."""
    cube = record_at(view, cube_path(reference.ref), Cube)
    title = cube.title if cube else reference.ref.name
    licence = f", licence {cube.license}" if cube and cube.license else ""
    digest = image or (cube.image.id if cube else None)
    told = f"{title}: version {reference.ref.version} of {reference.ref.unversioned}{licence}"
    return what, f"{told}, by {named(view, [reference.ref.member])}; image {digest}"


def named(view: RecordView, members: Iterable[str]) -> str:
    """Return members by title and name."""
    told = []
    for name in members:
        state = member_state(view, name)
        told.append(f"{state.title} ({name})" if state and state.title != name else name)
    return ", ".join(told)


def bare(digest: str) -> str:
    """Return the hexadecimal digits of a digest."""
    return digest.partition(":")[2]


def shown(text: str) -> str:
    """Return text in which no character is hidden or turns the line round."""
    return visible(text)


def count(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun."""
    return f"{number} {one if number == 1 else many or one + 's'}"
