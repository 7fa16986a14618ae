"""A question to a log: which entries are wanted, and what "2h" means."""

import re
from datetime import datetime, time, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from turnstile.errors import LogError
from turnstile.protocol.messages import Verdict

_AGO = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
TIMES = "2h (ago; s, m, h, d, w), 2026-11-22, 2026-11-22T08:30 or 2026-11-22T08:30+01:00"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are wanted; a field that is `None` does not restrict."""

    person: str | None = None
    """A name in any case, or a pseudonym; ``unknown`` is everybody who was not recognised."""
    camera: str | None = None
    verdict: Verdict | None = None
    reason: str | None = None
    since_ns: int | None = None
    until_ns: int | None = None
    """Exclusive."""
    at_most: Annotated[int, Meta(ge=1)] | None = None
    """Only this many of the newest."""


def moment(text: str, *, now: datetime, end: bool = False) -> int:
    """Return the time that a text names, in nanoseconds since 1970.

    Args:
        text: see `TIMES`. Without a zone it is in the zone of `now`.
        now: the time now, with its zone.
        end: whether a bare date means the end of that day, not its beginning.

    Raises:
        LogError: it names no time.
    """
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            at = now - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])
        else:
            at = datetime.fromisoformat(text)
            if len(text) == len("2026-11-22") and end:
                at = datetime.combine(at.date() + timedelta(days=1), time())
            at = at if at.tzinfo is not None else at.replace(tzinfo=now.tzinfo)
        return round(at.timestamp()) * 1_000_000_000
    except (ValueError, OverflowError, OSError) as error:
        raise LogError(f"the time {text!r} is not one of: {TIMES}") from error
