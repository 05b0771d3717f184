"""Run changed inputs through a target, keep those that bring news, stop at the first that breaks a promise."""

import faulthandler
import hashlib
import random
import time
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).with_name("corpus")
HANGS_AFTER = 20.0  # seconds; then the tracebacks are printed and the process ends
POOL = 2000  # inputs kept in memory; then news takes the last place
GROWTH = 256 * 1024  # KiB that one target may add to the process at its largest


class Broken(AssertionError):
    """An input broke a promise; the message names the target and the file that holds it."""


@dataclass
class Tally:
    """What a campaign did."""

    runs: int = 0
    slowest: float = 0.0
    outcomes: int = 0


def corpus_of(name: str) -> list[Path]:
    """Return the kept inputs of a target, sorted."""
    return sorted(path for path in (CORPUS / name).glob("*") if path.is_file())


def run_one(name: str, data: bytes) -> tuple[str, float]:
    """Run one input; return what came of it and the CPU seconds it took. `Broken` says how a promise was broken."""
    target = TARGETS[name]
    start = time.process_time()
    try:
        outcome = target.run(data)
    except Exception as error:
        raise Broken(f"{name}: {type(error).__name__}: {error}") from error
    took = time.process_time() - start
    if took > target.seconds:
        raise Broken(f"{name}: {took:.2f} s of CPU for {len(data)} bytes, more than {target.seconds}")
    return outcome, took


def fuzz(name: str, *, seconds: float, seed: int, keep: Path | None = None) -> Tally:
    """Fuzz one target for a time; the same seed tries the same inputs in the same order.

    With `keep` what brings news is written there, as a file named by its digest. An input that breaks a promise is
    always written to `CORPUS`, where the replay finds it until it is mended.
    """
    target, chance, tally = TARGETS[name], random.Random(f"{name} {seed}"), Tally()
    pool = [*target.seeds(), *(path.read_bytes() for path in corpus_of(name))]
    seen: set[str] = set()
    before, end = largest_kib(), time.monotonic() + seconds
    waiting = list(pool)
    while time.monotonic() < end or waiting:
        data = waiting.pop() if waiting else mutated(chance.choice(pool), chance, pool=pool, words=target.words)
        data = data[: target.size]
        faulthandler.dump_traceback_later(HANGS_AFTER, exit=True)
        try:
            outcome, took = run_one(name, data)
            if largest_kib() - before > GROWTH:
                raise Broken(f"{name}: {largest_kib() - before} KiB more memory")
        except Broken as broken:
            raise Broken(f"{broken}\nthe input is {_write(CORPUS / name, data)}") from broken
        finally:
            faulthandler.cancel_dump_traceback_later()
        tally.runs, tally.slowest = tally.runs + 1, max(tally.slowest, took)
        if outcome not in seen:
            seen.add(outcome)
            pool[POOL:] = [data]
            if keep is not None and tally.runs > len(pool):
                _write(keep / name, data)
    tally.outcomes = len(seen)
    return tally


def mutated(data: bytes, chance: random.Random, *, pool: list[bytes], words: tuple[bytes, ...]) -> bytes:
    """Return an input changed in one to six places."""
    content = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        at = chance.randint(0, len(content))
        length = min(chance.choice((0, 1, 1, 2, 4, 16, 64)), len(content) - at)
        match chance.randrange(8):
            case 0 if content:
                content[at - 1] ^= 1 << chance.randrange(8)
            case 1:
                del content[at : at + length]
            case 2:
                content[at : at + length] = chance.randbytes(max(length, 1))
            case 3:
                content[at:at] = bytes(content[at : at + length]) * chance.choice((1, 2, 40, 2000))
            case 4:
                other = chance.choice(pool)
                begin = chance.randint(0, len(other))
                content[at : at + length] = other[begin : begin + chance.choice((4, 32, 400))]
            case 5 if words:
                content[at:at] = chance.choice(words) * chance.choice((1, 1, 1, 2, 25, 5000))
            case _ if words:
                content[at : at + length] = chance.choice(words)
    return bytes(content)


def largest_kib() -> int:
    """Return the largest size of this process so far in KiB; 0 where the system does not say."""
    try:
        import resource  # noqa: PLC0415  (POSIX only)
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _write(folder: Path, data: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(data).hexdigest()[:16]
    path.write_bytes(data)
    return path
