"""Mutated messages through the broker's and each node's decoder: no crash, no hang, memory flat.

Every kind of message is encoded and then damaged: bits flipped, parts cut out, doubled, put in from another
message, lengths and numbers replaced by extremes. Each goes the way it would in the broker (decode, rules of
each role, header of the picture) and in a node (decode, gallery). What comes out is a message, a `WireError`
or a `PictureError`; any other exception ends the run with the bytes that caused it.

    python -m benchmarks.fuzz [--quick] [--json FILE]
"""

import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence

from benchmarks.report import Goal, Report, parse
from benchmarks.samples import one_of_each
from turnstile.errors import PictureError, WireError
from turnstile.gallery import from_message
from turnstile.jpeg import check_jpeg
from turnstile.messages import Frame, People, Work, decode, encode
from turnstile.roles import ROLES, Identity, may_hear, why_not_say

MESSAGES, QUICK_MESSAGES = 1_000_000, 20_000
SLOW_S = 0.1
"""Of processor time: other programs do not count."""

EXTREMES = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\xc1", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff")
"""MessagePack's longest arrays and maps, its unused byte, and the ends of the ranges."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; return 1 if anything but a refusal came of a message."""
    options = parse(__doc__, argv)
    report = Report("fuzz", options)
    count = QUICK_MESSAGES if options.quick else MESSAGES
    chance = random.Random(7)
    seeds = [encode(message) for message in one_of_each()]
    outcomes: Counter[str] = Counter()
    slowest_s, rss_then_mb = 0.0, 0.0
    began_s = time.perf_counter()
    for number in range(count):
        body = mutate(chance, chance.choice(seeds), seeds)
        started_s = time.process_time()
        try:
            outcomes[feed(body)] += 1
        except Exception as error:  # noqa: BLE001 - what is looked for
            print(f"{type(error).__name__}: {error}\n{body!r}")
            return 1
        slowest_s = max(slowest_s, time.process_time() - started_s)
        if number == count // 10:
            rss_then_mb = _rss_mb()
    took_s = time.perf_counter() - began_s
    report.table("Mutated messages", ("outcome", "messages"), sorted(outcomes.items()))
    report.note(
        f"{count / took_s:,.0f} messages a second, mutation included; slowest {slowest_s * 1e3:.1f} ms."
    )
    growth_mb = _rss_mb() - rss_then_mb
    report.goal(Goal(what="memory gained after the first tenth", unit="MB", measured=growth_mb, at_most=8.0))
    report.goal(
        Goal(what="processor time of the slowest message", unit="s", measured=slowest_s, at_most=SLOW_S)
    )
    return report.finish()


def feed(body: bytes) -> str:
    """Take a body as the broker and as nodes do, and return what came of it."""
    try:
        message = decode(body)
    except WireError:
        return "refused: not a message"
    allowed = sum(
        not why_not_say(Identity(role, "front_door"), "frame.front_door.", message) for role in ROLES
    )
    may_hear(Identity("observer", "front_door"), str(getattr(message, "camera", "")))
    if isinstance(message, Frame | Work):
        try:
            check_jpeg(message.jpeg, max_bytes=4 * 2**20, max_px=9_000_000)
        except PictureError:
            return "refused: the picture's header"
    if isinstance(message, People):
        try:
            from_message(message)
        except WireError:
            return "refused: the gallery"
    return "decoded, and nobody may say it" if not allowed else "decoded, and its role may say it"


def mutate(chance: random.Random, body: bytes, others: Sequence[bytes]) -> bytes:
    """Return a body with one to four kinds of damage."""
    damaged = bytearray(body)
    for _ in range(chance.randrange(1, 5)):
        at = (
            chance.randrange(len(damaged) + 1)
            if chance.random() < 0.3
            else chance.randrange(len(damaged[:400]) + 1)
        )
        match chance.randrange(6):
            case 0 if damaged:
                damaged[min(at, len(damaged) - 1)] ^= 1 << chance.randrange(8)
            case 1:
                del damaged[at : at + chance.randrange(1, 40)]
            case 2:
                damaged[at:at] = damaged[at : at + chance.randrange(1, 40)]
            case 3:
                other = chance.choice(others)
                start = chance.randrange(len(other))
                damaged[at : at + chance.randrange(40)] = other[start : start + chance.randrange(1, 40)]
            case 4:
                damaged[at : at + 1] = chance.choice(EXTREMES)
            case _:
                del damaged[chance.randrange(len(damaged) + 1) :]
    return bytes(damaged)


def _rss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
