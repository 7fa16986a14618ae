"""Entries for other programs: as JSON, one object a line, or as CSV."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from io import StringIO
from typing import Any

import msgspec

from turnstile.log.chain import Link
from turnstile.log.notes import NoteLink, OperatorActed, words_of

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet runs a cell that begins with one of these (OWASP, CSV injection)."""

_FIELDS = (
    *("number", "time", "camera", "verdict", "person", "reason", "distance", "margin", "votes", "of"),
    *("max_distance", "nearest"),
    *("visit", "decided_ns", "captured_ns", "frame_seq", "left_px", "top_px", "right_px", "bottom_px"),
    *("expires_ns", "recognizer", "encoding", "gallery_version", "config_hash", "source", "seq"),
    *("thumbnail", "hash"),
)


def row(link: Link, *, at: datetime, thumbnail: str | None = None) -> Mapping[str, Any]:
    """Return an entry's fields; `at` is its `decided_ns` in a zone, `thumbnail` the name of its picture."""
    record, personal = link.record, link.personal
    given = {
        "time": at.isoformat(timespec="milliseconds"),
        "person": personal.pseudonym or personal.person,
        "nearest": personal.nearest,
        "thumbnail": thumbnail,
        "hash": link.hash.hex(),
    }
    return {name: given[name] if name in given else getattr(record, name) for name in _FIELDS}


def row_of_act(link: NoteLink, fact: OperatorActed, *, at: datetime) -> Mapping[str, Any]:
    """Return the fields of what an operator did; `at` is its `at_ns` in a zone. Its verdict is ``note``."""
    given = {
        "number": link.note.number,
        "time": at.isoformat(timespec="milliseconds"),
        "camera": fact.camera,
        "verdict": "note",
        "reason": words_of(fact, link.told),
        "visit": fact.act,
        "decided_ns": fact.at_ns,
        "source": fact.source,
        "seq": fact.seq,
        "hash": link.hash.hex(),
    }
    return {name: given.get(name) for name in _FIELDS}


def as_jsonl(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Give each row as one line of JSON; unknown values are null."""
    for one in rows:
        yield msgspec.json.encode(one).decode() + "\n"


def as_csv(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Give a line of headings, then each row (RFC 4180); unknown values are empty.

    A text that a spreadsheet would run as a formula is prefixed with ``'``.
    """
    yield _csv_line(_FIELDS)
    for one in rows:
        yield _csv_line([_harmless(one[name]) for name in _FIELDS])


def _csv_line(cells: Sequence[object]) -> str:
    line = StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
