"""Visits as a table for spreadsheets: CSV of RFC 4180, in which no field can be a formula."""

import csv
import datetime as dt
from collections.abc import Iterable
from io import StringIO

from turnstile.requests.answers import VisitEntry

COLUMNS = (
    *("time", "door", "verdict", "reason", "person", "distance", "limit", "margin", "votes", "of"),
    *("event", "number", "hash"),
)

_FORMULAS = (*"=+-@＝＋－＠", "\t", "\r", "\n")  # noqa: RUF001 - wide ones count in East Asia


def header() -> str:
    """Return the first line."""
    return _lines([COLUMNS])


def rows(visits: Iterable[VisitEntry], zone: dt.tzinfo | None) -> str:
    """Return a line a visit, its time in a zone."""
    return _lines(_fields(visit, zone) for visit in visits)


def harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: OWASP, "CSV Injection"."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULAS) else text


def _fields(visit: VisitEntry, zone: dt.tzinfo | None) -> list[str]:
    at = dt.datetime.fromtimestamp(visit.decided_ns / 1e9, dt.UTC).astimezone(zone)
    texts = (visit.camera, visit.verdict, visit.reason, visit.person or "unknown")
    distances = (visit.distance, visit.max_distance, visit.margin)
    return [
        at.isoformat(timespec="milliseconds"),
        *map(harmless, texts),
        *("" if one is None else f"{one:.4f}" for one in distances),
        str(visit.votes),
        str(visit.of),
        harmless(visit.event),
        str(visit.number),
        harmless(visit.hash),
    ]


def _lines(table: Iterable[Iterable[str]]) -> str:
    out = StringIO()
    csv.writer(out).writerows(table)
    return out.getvalue()
