"""Who stands before which camera of a site, and whether the log tells it.

A visit counts as complete and seen when enough frames with the face were answered by the broker that ran at
its end, and enough observed absence followed. People stay for as long as that takes.
"""

import random
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from turnstile.commands.demo import clip, samples
from turnstile.log.lines import Entry
from turnstile.protocol.messages import Result
from turnstile.protocol.reasons import Reason

FRAMES_SEEN = 14
"""Results with the face, of one broker, that make a visit complete: 8 decide, and some may be late."""

ABSENCE_S = 3.0
"""Observed absence between visits; 2 s end one."""

MAX_STEP_S = 0.5
CLOCKS_S = (0.0, 1500.0, -1500.0, 3600.0, -3600.0, 3650 * 86_400.0, -3650 * 86_400.0)
"""By how much a machine's clock may be wrong: so far apart that a run of 20 minutes can tell them."""


@dataclass(kw_only=True)
class Visit:
    """Somebody before a camera."""

    person: str | None
    from_s: float
    """Wall clock."""
    until_s: float = 0.0


@dataclass(kw_only=True)
class Hall:
    """What one camera looks at, and how far the present visit or absence has come."""

    camera: str
    picture: Path
    views: dict[str | None, bytes]
    nobody: bytes
    dice: random.Random
    visits: list[Visit] = field(default_factory=list)
    occupied: bool = False
    seen: int = 0
    absent_s: float = 0.0
    last_s: float = 0.0

    def receive(self, result: Result) -> None:
        """Take in what the recognizers saw."""
        captured_s = on_the_right_clock(result.captured_ns / 1e9, near_s=time.time())
        step_s = min(MAX_STEP_S, max(0.0, captured_s - self.last_s)) if self.last_s else 0.0
        self.last_s = max(self.last_s, captured_s)
        if captured_s < (self.visits[-1].from_s if self.occupied else self._left_s()):
            return
        if self.occupied and result.faces:
            self.seen += 1
        elif not self.occupied and not result.faces:
            self.absent_s += step_s

    def forget(self) -> None:
        """A new broker has seen nothing of what is going on."""
        self.seen, self.absent_s = 0, 0.0

    def move(self, *, closing: bool) -> bool:
        """Let people come and go when it is time; return whether the hall is empty for good."""
        if self.occupied and self.seen >= FRAMES_SEEN:
            self.visits[-1].until_s = time.time()
            self._show(self.nobody)
            self.occupied = False
            self.forget()
        elif not self.occupied and self.absent_s >= ABSENCE_S:
            if closing:
                return True
            person = self.dice.choice(list(self.views))
            self._show(self.views[person])
            self.visits.append(Visit(person=person, from_s=time.time()))
            self.occupied = True
            self.forget()
        return False

    def _left_s(self) -> float:
        return self.visits[-1].until_s if self.visits else 0.0

    def _show(self, picture: bytes) -> None:
        fresh = self.picture.with_suffix(".new")
        fresh.write_bytes(picture)
        fresh.replace(self.picture)


def empty_hall(camera: str, *, folder: Path, dice: random.Random) -> Hall:
    """Return what a camera looks at, and write its first picture."""
    stills = samples.folder()
    hall = Hall(
        camera=camera,
        picture=folder / f"{camera}.jpg",
        views={one.person: _jpeg(clip.view(one, stills=stills)) for one in clip.APPEARANCES},
        nobody=_jpeg(clip.view(None, stills=stills)),
        dice=dice,
    )
    hall.picture.write_bytes(hall.nobody)
    return hall


def on_the_right_clock(at_s: float, *, near_s: float) -> float:
    """Return a time of a clock that may have been set, as the right clock had it, somewhere near a time."""
    return min((at_s - set_by_s for set_by_s in CLOCKS_S), key=lambda right_s: abs(right_s - near_s))


def tally(halls: dict[str, Hall], entries: Sequence[Entry]) -> Counter[str]:
    """Return how many visits were complete, and how many of them were lost, doubled or decided wrongly."""
    counts: Counter[str] = Counter(visits=0, lost=0, doubled=0, wrong=0, spurious=0)
    times_s = [visit.from_s for hall in halls.values() for visit in hall.visits]
    middle_s = (min(times_s, default=0.0) + max(times_s, default=0.0)) / 2
    by_visit: defaultdict[tuple[str, int], list[Entry]] = defaultdict(list)
    for entry in entries:
        hall = halls[entry.camera]
        at_s = on_the_right_clock(entry.at.timestamp(), near_s=middle_s)
        number = max((n for n, visit in enumerate(hall.visits) if visit.from_s <= at_s), default=-1)
        by_visit[entry.camera, number].append(entry)
    counts["spurious"] = sum(len(found) for (_, number), found in by_visit.items() if number < 0)
    for camera, hall in halls.items():
        for number, visit in enumerate(hall.visits):
            found = by_visit[camera, number]
            complete = visit.until_s > 0
            counts["visits"] += complete
            counts["lost"] += complete and not found
            counts["doubled"] += len(found) > 1
            counts["wrong"] += sum(not _is_right(entry, visit, near_s=middle_s) for entry in found)
    return counts


def _is_right(entry: Entry, visit: Visit, *, near_s: float) -> bool:
    """Tell whether a visitor was decided on rightly: nobody enters while the broker's clock is set back."""
    at_s = entry.at.timestamp()
    is_behind = at_s < on_the_right_clock(at_s, near_s=near_s)
    said = entry.verdict, entry.person, entry.reason == Reason.CLOCK_BEHIND
    if visit.person is None:
        return said == ("denied", None, False)
    return said == ("denied" if is_behind else "granted", visit.person, is_behind)


def _jpeg(picture: clip.Picture) -> bytes:
    return bytes(cv2.imencode(".jpg", picture)[1])
