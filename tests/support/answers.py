"""Builders of what the broker and loggers answer."""

from typing import Any

from turnstile.protocol.fields import Looks
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


def looks(**other: Any) -> Looks:
    """Return what was measured of a good picture that looks straight at the camera."""
    fields: dict[str, Any] = {
        "width_px": 120,
        "sharpness": 200.0,
        "brightness": 120.0,
        "contrast": 40.0,
        "side_light": 0.1,
        "turn": 0.02,
        "nod": 0.75,
        "spread": 0.05,
    }
    return Looks(**(fields | other))


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


A_JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300" + "08" * 64 + "ffc0000b080001000101011100"
    "ffc4001400010000000000000000000000000000000009ffc40014100100000000000000000000000000000000"
    "00ffda0008010100003f0054ffd9"
)
"""One grey pixel."""
