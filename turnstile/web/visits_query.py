"""The form that searches visits: as a wish, and as an address that finds the same again."""

import datetime as dt
from collections.abc import Mapping
from typing import NamedTuple, Self
from urllib.parse import urlencode

from turnstile.protocol.reasons import Reason
from turnstile.requests.wishes import FindVisits
from turnstile.web.forms import FormError, wish_of

PAGE = 25
CSV_PAGE = 200


class VisitsQuery(NamedTuple):
    """The fields as somebody filled them in; an empty one does not restrict."""

    person: str = ""
    door: str = ""
    verdict: str = ""
    reason: str = ""
    since: str = ""
    until: str = ""
    logger: str = ""
    before: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> Self:
        """Return the fields of an address; others are passed over."""
        return cls(**{name: fields.get(name, "").strip() for name in cls._fields})

    def address(self, path: str = "/visits", **other: str) -> str:
        """Return the address of this search, with some fields changed."""
        filled = {name: value for name, value in self._replace(**other)._asdict().items() if value}
        return f"{path}?{urlencode(filled)}" if filled else path

    @property
    def restricts(self) -> bool:
        """Tell whether a field other than the page is filled in."""
        return any(self._replace(before="", logger=""))

    def wish(self, zone: dt.tzinfo | None, *, at_most: int = PAGE, pictures: bool = True) -> FindVisits:
        """Return the wish that these fields mean.

        Args:
            zone: that times without one are in; `None` is this machine's.
            at_most: as `FindVisits.at_most`.
            pictures: as `FindVisits.pictures`.

        Raises:
            FormError: a field cannot be used.
        """
        return wish_of(
            FindVisits,
            person=self.person or None,
            camera=self.door or None,
            verdict=self.verdict or None,
            reason=_reason(self.reason),
            since_ns=moment_ns(self.since, zone, of="From"),
            until_ns=moment_ns(self.until, zone, of="Until"),
            before=_number(self.before),
            at_most=at_most,
            pictures=pictures,
        )


def moment_ns(text: str, zone: dt.tzinfo | None, *, of: str) -> int | None:
    """Return the time that a field names, in nanoseconds since 1970; `None` for an empty one.

    Raises:
        FormError: it names no time.
    """
    if not text:
        return None
    try:
        at = dt.datetime.fromisoformat(text)
        at = at if at.tzinfo is not None else at.replace(tzinfo=zone)
        seconds = round(at.timestamp())
    except (ValueError, OverflowError, OSError) as error:
        raise FormError(f"{of}: {text!r:.40} is no time; one is 2026-11-22T08:30") from error
    if not 0 <= seconds < 2**33:
        raise FormError(f"{of}: {text!r:.40} is not within 1970 and 2242")
    return seconds * 1_000_000_000


def _reason(text: str) -> str | None:
    if text and text not in set(Reason):
        raise FormError(f"Reason: {text!r:.40} is none; one is unknown")
    return text or None


def _number(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise FormError(f"Page: {text!r:.40} is no number")
    return int(text)
