"""The decider: the doors, the rules, and each door's lockout. Pure: times are arguments."""

import datetime as dt
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from turnstile.access import lockout
from turnstile.access.advice import Guides, guide
from turnstile.access.door import Door, visits_of, without, without_visits_of
from turnstile.access.events import Circumstances, config_hash, to_access
from turnstile.access.lockout import Tries
from turnstile.access.rules import NO_RULES, Rules, judge
from turnstile.access.verdicts import Decision
from turnstile.access.visits import fold
from turnstile.access.votes import Conclusion
from turnstile.protocol.messages import Access, Guide, Result
from turnstile.protocol.reasons import Reason
from turnstile.site.settings import DecisionSettings


class Now(NamedTuple):
    """One moment on the broker's clocks."""

    wall_ns: int
    monotonic_ns: int
    local: dt.datetime
    """In the time zone of the rules."""


@dataclass(kw_only=True)
class Decider:
    """Folds every camera's results into decisions."""

    settings: DecisionSettings
    encoding: str
    """Weights and policy behind the distances."""
    rules: Rules | None = NO_RULES
    """`None` while nobody can tell what they are: then nobody enters."""
    clock_behind: bool = False
    """Whether the time of day cannot be right: then nobody enters."""
    doors: dict[str, Door] = field(default_factory=dict)
    tries: dict[str, Tries] = field(default_factory=dict)
    glimpses: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Camera → visit → the latest picture of somebody without a verdict."""
    counts: Counter[str] = field(default_factory=Counter)
    """What was considered and not decided: `visits_too_short` and `visits_joined` (`Folded`)."""
    _guides: Guides = field(default_factory=Guides)

    @property
    def config_hash(self) -> str:
        """Return a hash of the settings and rules that decide."""
        return config_hash(self.settings, *([] if self.rules is None else [self.rules]))

    def decide(self, result: Result, *, came_ns: int, age_s: float, now: Now) -> list[Access]:
        """Fold a result and return the events of its decisions, not numbered yet.

        Args:
            result: with encodings and thumbnails.
            came_ns: when its frame came, on the broker's running clock.
            age_s: how long its frame took from the broker and back.
            now: when it came back.
        """
        camera = result.camera
        tries = self.tries.get(camera, Tries())

        def objection(conclusion: Conclusion) -> Reason | None:
            person = conclusion.person
            if lockout.is_locked(tries, now.monotonic_ns) and not conclusion.beyond_doubt:
                return Reason.TOO_MANY_TRIES
            if person is None:
                return None
            if self.clock_behind:
                return Reason.CLOCK_BEHIND
            if self.rules is None:
                return Reason.RULES_UNKNOWN
            return judge(self.rules, person, camera, now.local)

        settings = self.settings_at(camera)
        self.doors[camera], decisions, too_short, joined = fold(
            self.doors.get(camera, Door()),
            result,
            settings,
            came_ns=came_ns,
            age_s=age_s,
            objection=objection,
        )
        if too_short or joined:
            self.counts.update(visits_too_short=too_short, visits_joined=joined)
        for decision in decisions:
            found = decision.conclusion
            tries = lockout.after(
                tries, found.verdict, found.reason, now.monotonic_ns, settings=self.settings.lockout
            )
        self.tries[camera] = tries
        if not decisions:
            self._keep_glimpses(camera, result)
            return []
        circumstances = Circumstances(
            decided_ns=now.wall_ns,
            valid_s=settings.grant_valid_s,
            encoding=self.encoding,
            config_hash=self.config_hash,
        )
        decisions = [self._with_picture(camera, decision) for decision in decisions]
        self._keep_glimpses(camera, result)
        return [to_access(decision, result, circumstances) for decision in decisions]

    def _with_picture(self, camera: str, decision: Decision) -> Decision:
        """Return the decision about somebody who has left, with the latest picture kept."""
        kept = self.glimpses.get(camera, {}).get(decision.visit, b"")
        if decision.face.thumbnail or not kept:
            return decision
        return decision._replace(face=msgspec.structs.replace(decision.face, thumbnail=kept))

    def _keep_glimpses(self, camera: str, result: Result) -> None:
        if not self.doors[camera].visits:
            self.glimpses[camera] = {}
            return
        pictures = {face.box_px: face.thumbnail for face in result.faces if face.thumbnail}
        before = self.glimpses.get(camera, {})
        self.glimpses[camera] = {
            visit.visit: pictures.get(visit.trail.box_px) or before.get(visit.visit, b"")
            for visit in self.doors[camera].visits
            if visit.verdict is None
        }

    def guide(self, result: Result, *, came_ns: int, now: Now) -> Guide | None:
        """Return the advice for the people in a result; `None` if it has been published already."""
        camera = result.camera
        door, tries = self.doors.get(camera, Door()), self.tries.get(camera, Tries())
        if came_ns < door.newest_ns:
            return None
        locked = lockout.is_locked(tries, now.monotonic_ns)
        said = guide(door, result, self.settings_at(camera), locked=locked)
        return self._guides.to_say(said, now.monotonic_ns)

    def locked_s(self, now_ns: int) -> dict[str, float]:
        """Return the doors that are locked out at a monotonic time, and for how many seconds more."""
        return {
            camera: (tries.locked_until_ns - now_ns) / 1e9
            for camera, tries in self.tries.items()
            if lockout.is_locked(tries, now_ns)
        }

    def unlock(self, camera: str) -> None:
        """End a door's lockout, and forget its denials."""
        self.tries.pop(camera, None)

    def settings_at(self, camera: str) -> DecisionSettings:
        """Return the site's settings with the rules of a door."""
        rule = None if self.rules is None else self.rules.doors.get(camera)
        if rule is None:
            return self.settings
        said = {
            "nearest_only": rule.nearest_only,
            "min_face_px": rule.min_face_px,
            "liveness": rule.liveness,
        }
        return msgspec.structs.replace(
            self.settings, **{name: value for name, value in said.items() if value is not None}
        )

    def forget(self, camera: str) -> None:
        """Drop what is held for a camera that is gone."""
        self.doors.pop(camera, None)
        self.tries.pop(camera, None)
        self._guides.forget(camera)
        self.glimpses.pop(camera, None)

    def close(self, visits: Collection[str]) -> list[str]:
        """End some visits without a word; return the cameras that had any."""
        found = [
            camera
            for camera, door in self.doors.items()
            if any(visit.visit in visits for visit in door.visits)
        ]
        for camera in found:
            self.doors[camera] = without(self.doors[camera], visits)
        return found

    def visits_of(self, person: str) -> int:
        """Return how many open visits name a person."""
        return sum(len(visits_of(person, door)) for door in self.doors.values())

    def forget_person(self, person: str) -> None:
        """Drop the open visits that name a person. That face then begins a visit like any other."""
        for camera, door in self.doors.items():
            self.doors[camera] = without_visits_of(person, door)
            open_now = {visit.visit for visit in self.doors[camera].visits}
            glimpses = self.glimpses.get(camera, {})
            self.glimpses[camera] = {name: one for name, one in glimpses.items() if name in open_now}
