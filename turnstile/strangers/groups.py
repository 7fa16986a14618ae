"""Visits of people whom nobody knows, sorted by whose face they show.

A visit is represented by the mean of its encodings. It joins the nearest group whose mean is near enough, or
begins one. Visits come in the order of time, so a group changes only when a visit joins or is removed.

Source of `SAME_FACE`: 3,443 pictures of the 2,132 people of LFW's development pairs (deep-funneled), encoded
by ``mirror``, one picture a visit, in halves by people, three splits, in random order
(`benchmarks.strangers`, November 2026). Lowest and highest of the six halves at 0.28:

- 99.8 to 100 % of visits are in a group mostly of their person;
- 98.8 to 100 % of groups of two or more are of one person;
- 48 to 53 % of pairs of one person's pictures, often years apart, are in one group; so there are 1.26 to 1.29
  groups a person.

At 0.30 these are 99.1 to 100, 97.1 to 100 and 66 to 68 %. The bound was chosen on all halves, so that is a
description, not a promise. Raw encodings have it longer by their length, which is unmeasured. Visits at one
door in one week are more alike than such pictures.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from turnstile.people.encodings import ENCODING_SIZE, Encodings, matrix
from turnstile.people.gallery import is_averaged

SAME_FACE, SAME_FACE_RAW = 0.28, 0.39
"""Largest distance of a visit's mean to that of the group that it joins."""


@dataclass(kw_only=True)
class FaceGroup:
    """Visits that show one face."""

    visits: dict[str, Encodings] = field(default_factory=dict)
    """Event → mean of its encodings `(128,)`, oldest first."""
    total: Encodings = field(default_factory=lambda: np.zeros(ENCODING_SIZE, np.float32))


class FaceGroups:
    """All groups. Their order is that of their first visits."""

    def __init__(self, engine: str, *, limit: float | None = None) -> None:
        """Begin with none; the bound is that of the engine's encodings, or another to compare with it."""
        self.groups: list[FaceGroup] = []
        self._limit = limit or (SAME_FACE if is_averaged(engine) else SAME_FACE_RAW)
        self._is_unit = is_averaged(engine)
        self._of: dict[str, FaceGroup] = {}
        self._means = np.zeros((0, ENCODING_SIZE), np.float32)

    def add(self, event: str, encoding: bytes) -> FaceGroup:
        """Put a visit into the group that it belongs to, and return that."""
        row = matrix(encoding)[0]
        at = self.nearest(row)
        if at is None:
            at = len(self.groups)
            self.groups.append(FaceGroup())
            if at >= len(self._means):
                room = np.zeros((max(64, 2 * at) - len(self._means), ENCODING_SIZE), np.float32)
                self._means = np.concatenate([self._means, room])
        group = self.groups[at]
        group.visits[event] = row
        group.total = group.total + row
        self._of[event] = group
        self._means[at] = self.mean(group)
        return group

    def nearest(self, row: Encodings) -> int | None:
        """Return the index of the group that an encoding `(128,)` belongs to; `None` if to none."""
        if not self.groups:
            return None
        apart = np.linalg.norm(self._means[: len(self.groups)] - row, axis=1)
        best = int(apart.argmin())
        return best if apart[best] <= self._limit else None

    def of(self, events: Iterable[str]) -> list[FaceGroup]:
        """Return the groups of some visits, each once; visits that are not there are left out."""
        found = {id(self._of[event]): self._of[event] for event in events if event in self._of}
        return list(found.values())

    def remove(self, events: Sequence[str]) -> None:
        """Forget visits."""
        gone = set(events) & self._of.keys()
        if not gone:
            return
        for event in gone:
            group = self._of.pop(event)
            group.total = group.total - group.visits.pop(event)
        self.groups = [group for group in self.groups if group.visits]
        self._means = np.array([self.mean(group) for group in self.groups], np.float32).reshape(
            -1, ENCODING_SIZE
        )

    def mean(self, group: FaceGroup) -> Encodings:
        """Return the mean of a group's visits `(128,)`, of unit length where encodings are."""
        mean = group.total / len(group.visits)
        if self._is_unit:
            mean = mean / max(float(np.linalg.norm(mean)), 1e-6)
        return np.asarray(mean, np.float32)
