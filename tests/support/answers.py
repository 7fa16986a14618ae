"""Builders of what the broker and loggers answer."""

from typing import Any

from tests.support.builders import a_jpeg
from turnstile.requests.answers import (
    ActEntry,
    EnrolledPictureState,
    PeopleFound,
    PersonEntry,
    UnknownPerson,
    VisitEntry,
)

AT_NS = 1_795_000_000_000_000_000
"""2026-11-18T11:06:40Z."""

A_JPEG = a_jpeg(8, 8)


def a_visit(**other: Any) -> VisitEntry:
    """Return an entry of the log: a grant, unless told otherwise."""
    fields: dict[str, Any] = {
        "number": 17,
        "event": "9f00:17",
        "camera": "front_door",
        "verdict": "granted",
        "reason": "recognised",
        "person": "Ann Lee",
        "distance": 0.24,
        "margin": 0.12,
        "max_distance": 0.31,
        "votes": 3,
        "of": 5,
        "visit": "v1",
        "decided_ns": AT_NS,
        "picture": A_JPEG,
        "hash": "ab" * 32,
    }
    return VisitEntry(**(fields | other))


def an_act(**other: Any) -> ActEntry:
    """Return what somebody did."""
    fields: dict[str, Any] = {"number": 16, "at_ns": AT_NS - 1, "words": "root enrolled Ann Lee"}
    return ActEntry(**(fields | other))


def a_person(**other: Any) -> PersonEntry:
    """Return somebody enrolled."""
    fields: dict[str, Any] = {
        "person": "Ann Lee",
        "pictures": (EnrolledPictureState(file="Ann_Lee.jpg", state="used"),),
        "limit": 0.31,
        "doors": ("front_door",),
    }
    return PersonEntry(**(fields | other))


def people(*persons: PersonEntry, **other: Any) -> PeopleFound:
    """Return everybody enrolled."""
    return PeopleFound(people=persons, **other)


def an_unknown(**other: Any) -> UnknownPerson:
    """Return somebody seen and not known."""
    fields: dict[str, Any] = {
        "id": "u1",
        "visits": 3,
        "cameras": ("front_door",),
        "first_ns": AT_NS,
        "last_ns": AT_NS + 60_000_000_000,
        "events": ("9f00:12",),
        "picture": A_JPEG,
    }
    return UnknownPerson(**(fields | other))
