"""A decision as the wall lists it, whether it came just now or stands in the log."""

import msgspec

from turnstile.protocol.messages import Access, Verdict
from turnstile.protocol.reasons import WORDS, Reason
from turnstile.requests.answers import VisitEntry


class DecisionLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list."""

    event: str
    """As at the end of a line of the log."""
    at_ns: int
    camera: str
    verdict: Verdict
    who: str
    why: str
    """Empty for a grant."""


def of_access(access: Access) -> DecisionLine:
    """Return the line of a decision that was just published."""
    return _line(
        access, event=f"{access.source}:{access.seq}", who=access.person, reason=WORDS[access.reason]
    )


def of_entry(entry: VisitEntry) -> DecisionLine:
    """Return the line of an entry of the log."""
    reasons = {one.value: words for one, words in WORDS.items()}
    return _line(entry, event=entry.event, who=entry.person, reason=reasons.get(entry.reason, entry.reason))


def _line(one: Access | VisitEntry, *, event: str, who: str | None, reason: str) -> DecisionLine:
    return DecisionLine(
        event=event,
        at_ns=one.decided_ns,
        camera=one.camera,
        verdict=one.verdict,
        who=who or "somebody unknown",
        why="" if one.reason == Reason.RECOGNISED else reason,
    )
