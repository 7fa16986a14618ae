"""The access desk: results become decisions, and decisions become events once they are on disk.

It returns what is to be published and publishes nothing itself.

Policy: nobody hears of a decision before the journal has it. A change of the rules file holds from the next
result on.
"""

import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec

from turnstile.access.decider import Decider, Now
from turnstile.access.door import Door, asks_network, resumed
from turnstile.access.replay import taken, told
from turnstile.access.rules import Rules, unenrolled
from turnstile.counts import counted
from turnstile.dispatch.desk import Recognized
from turnstile.dispatch.hints import AtDoor
from turnstile.io.access.clock import TimeOfDay
from turnstile.io.access.recording import ResultFile
from turnstile.io.access.rules_file import RulesFile, places_of
from turnstile.io.journal.erasure import Erasure, ErasureAsked, ErasureRequest
from turnstile.io.journal.journal import DurableEvent, Fetched, Journal, SourceReplaced
from turnstile.io.metrics.hops import Meter
from turnstile.protocol.messages import Access, Fetch, Unlock
from turnstile.protocol.public import without_nearest
from turnstile.protocol.requests import Act
from turnstile.protocol.state import CLOCK_BEHIND, LOCKED_OUT
from turnstile.protocol.topics import Outgoing, log_topic, topic
from turnstile.site.settings import Site

UNLOCK = "unlock-door"
"""The deed of an account that ends a lockout."""

log = logging.getLogger("turnstile")


def _nobody_is_enrolled(_person: str) -> None:
    """Leave it at that."""


def _asked_by_nobody(_act: Act) -> None:
    """Leave it at that."""


class StrangerHearing(Protocol):
    """Who keeps unknown people."""

    def decided(self, events: Sequence[Access], before: Door, after: Door) -> None:
        """Hear what was decided, and the door's state before and after."""
        ...

    def recorded(self, event: Access) -> None:
        """Hear that a decision is on record, with its number."""
        ...


@dataclass(kw_only=True)
class AccessDesk:
    """What decides, and where decisions are kept until all loggers have them."""

    cameras: Collection[str]
    """Those of the site file, which are never forgotten."""
    decider: Decider
    rules: RulesFile
    journal: Journal
    clock: TimeOfDay
    recording: ResultFile | None
    meter: Meter
    unenrol: Callable[[str], None] = _nobody_is_enrolled
    """Called with the name of somebody who is erased."""
    acted: Callable[[Act], None] = _asked_by_nobody
    """Called with what an account did, once it is on record."""
    strangers: StrangerHearing | None = None
    """Hears of decisions, to keep who is unknown."""
    counts: Counter[str] = field(default_factory=Counter)
    locked: set[str] = field(default_factory=set)
    """The doors that were locked out when that was last looked at."""
    _decided: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Camera → its open visits that are decided."""
    _resumed: frozenset[str] = frozenset()
    """The visits that were open by the journal when it was opened."""
    _asked: set[str | None] = field(default_factory=set)
    """What the operator wants unlocked, while the journal does not have it."""
    _decided_ns: dict[str, int] = field(default_factory=dict)
    """Visit → when it was decided, while the journal does not have it."""
    _compared: tuple[Rules | None, Sequence[str]] | None = None
    """The rules and the enrolled people that were last compared."""
    _unenrolled: list[str] = field(default_factory=list)

    def gauges(self) -> dict[str, float]:
        """Return the present values for the beat."""
        return {
            **self.journal.gauges(),
            CLOCK_BEHIND: 1.0 if self.clock.problem else 0.0,
            "rules_refused": 1.0 if self.rules.standing.problem else 0.0,
            **{f"{LOCKED_OUT}{camera}": left_s for camera, left_s in self._locked_s().items()},
        }

    @property
    def locked_out(self) -> str:
        """Return which doors are locked out and until when; empty when none is."""
        return ", ".join(map(_until, self._locked_s().items()))

    @property
    def unrecorded(self) -> str:
        """Return why results are not recorded, though the site wants it; empty when they are."""
        return "" if self.recording is None else self.recording.problem

    @property
    def closed(self) -> str:
        """Return why nobody can enter; empty when they can."""
        rules = self.rules.standing.problem if self.rules.rules is None else ""
        return self.journal.problem or self.clock.problem or rules

    def take(self, message: Recognized | Fetch | Unlock) -> list[Outgoing]:
        """Decide upon a result, or do what a logger or operator asks; return advice for those at the door."""
        if isinstance(message, Fetch):
            self.journal.fetch(message)
            return []
        if isinstance(message, Unlock):
            self._put_act_on_record(message)
            return []
        if message.age_s > self.decider.settings.max_result_age_s:
            self.counts["results_too_old"] += 1
        return [] if message.result.problem else self._decide(message)

    def at_door(self, camera: str) -> AtDoor:
        """Return who is at a door after its latest result."""
        door = self.decider.doors.get(camera, Door())
        decided = [visit for visit in door.visits if visit.verdict is not None and visit.trail.in_view]
        return AtDoor(
            bool(door.visits),
            {visit.trail.box_px: visit.read_ns for visit in decided},
            asks_network(door, self.decider.settings_at(camera)),
            any(visit.verdict is None for visit in door.visits),
        )

    def due(self, *, enrolled: Sequence[str] | None) -> list[Outgoing]:
        """Take over new rules, and return the decisions that are on disk and what loggers asked for.

        Args:
            enrolled: who is, to compare the rules with; `None` while that is not known.
        """
        if self.rules.refresh():
            self.decider.rules = self.rules.rules
        self.journal.keep_newest(self.clock.look())
        self._tell_lockouts()
        if enrolled is not None:
            self._warn_of_unenrolled(enrolled)
        return self._outcomes()

    def recorded(self) -> list[Outgoing]:
        """Return the decisions that are on disk and what loggers asked for; free if there are none."""
        return self._outcomes() if self.journal.has_outcomes else []

    def _outcomes(self) -> list[Outgoing]:
        outgoing: list[Outgoing] = []
        for outcome in self.journal.outcomes():
            match outcome:
                case ErasureAsked(request):
                    self._erase(request)
                case SourceReplaced():
                    self._close_resumed()
                case DurableEvent(Act() as act):
                    self._do(act)
                case DurableEvent(Access() as event, at_ns):
                    if self.strangers is not None:
                        self.strangers.recorded(event)
                    outgoing.append(self._publish(event, at_ns))
                case Fetched(fetch, answer):
                    outgoing.append(Outgoing(log_topic(fetch.name, fetch.instance), answer))
        return outgoing

    def forget(self, camera: str) -> None:
        """Forget a camera that is gone, unless the site file names it."""
        if camera not in self.cameras:
            self.decider.forget(camera)
            self._decided.pop(camera, None)

    def close(self) -> None:
        """Stop looking at the rules file, and finish the journal and the recording."""
        self.rules.close()
        self.journal.close()
        if self.recording is not None:
            self.recording.close()

    def _decide(self, recognized: Recognized) -> list[Outgoing]:
        result, age_s, came_ns = recognized.result, recognized.age_s, recognized.assignment.job.came_ns
        wall_ns, began_ns = time.time_ns(), time.monotonic_ns()
        now = Now(wall_ns, recognized.now_ns, self.rules.local(wall_ns / 1e9))
        self.decider.clock_behind = self.clock.is_behind(wall_ns)
        before = self.decider.doors.get(result.camera, Door())
        events = self.decider.decide(result, came_ns=came_ns, age_s=age_s, now=now)
        if events and self.strangers is not None:
            self.strangers.decided(events, before, self.decider.doors[result.camera])
        self.counts |= self.decider.counts
        self.meter.decided(result.camera, time.monotonic_ns() - began_ns)
        if self.recording is not None:
            self.recording.write(taken(result, came_ns=came_ns, age_s=age_s, at_ns=wall_ns))
            for event in events:
                self.recording.write(told(event))
        self._put_on_record(result.camera, events)
        guide = self.decider.guide(result, came_ns=came_ns, now=now)
        return [] if guide is None else [Outgoing(topic("guide", guide.camera), guide)]

    def _put_on_record(self, camera: str, events: list[Access]) -> None:
        """Give the journal the decisions, and the door's open visits when a decided one has ended."""
        door = self.decider.doors[camera]
        for event in events:
            self._decided_ns[event.visit] = time.monotonic_ns()
            self.journal.record(event, door)
        decided = tuple(visit.visit for visit in door.visits if visit.verdict is not None)
        if not events and decided != self._decided.get(camera, ()):
            self.journal.keep_door(camera, door)
        self._decided[camera] = decided

    def _put_act_on_record(self, message: Unlock) -> None:
        """Have the journal take what an operator wants, before it is done."""
        camera = message.camera
        wanted = bool(self.clock.problem) if camera is None else camera in self._locked_s()
        if wanted and camera not in self._asked:
            self._asked.add(camera)
            act = Act(
                source="",
                seq=0,
                visit=f"act-{time.monotonic_ns()}-{secrets.token_hex(8)}",
                camera=camera,
                asker=message.asker,
                at_ns=time.time_ns(),
            )
            self.journal.record_act(act)

    def _do(self, act: Act) -> None:
        """Do what was waiting to be on record; whoever asked for something else learns that it is."""
        if act.deed in ("", UNLOCK):
            self._unlock(act)
        if act.deed:
            self.acted(act)

    def _unlock(self, act: Act) -> None:
        """End a door's lockout, or believe the clock, for an operator."""
        self._asked.discard(act.camera)
        self.counts["unlocked"] += 1
        if act.camera is None:
            log.warning("%s said that this machine's clock is right", act.asker)
            self.clock.accept()
        else:
            log.warning("%s: %s ended the lockout", act.camera, act.by or act.asker)
            self.decider.unlock(act.camera)

    def _close_resumed(self) -> None:
        """End the visits of a journal that was put back: those people may have left and come again."""
        for camera in self.decider.close(self._resumed):
            self.journal.keep_door(camera, self.decider.doors[camera])
        self._resumed = frozenset()

    def _publish(self, event: Access, recorded_ns: int) -> Outgoing:
        event = self._with_time_left(event)
        self.counts[event.verdict] += 1
        self.meter.published(event, recorded_ns=recorded_ns)
        return Outgoing(topic("access", event.camera), without_nearest(event))

    def _with_time_left(self, event: Access) -> Access:
        """Return an event for those who act on it: valid for less if it was long in coming to the disk."""
        decided_ns = self._decided_ns.pop(event.visit, None)
        waited_s = event.valid_s if decided_ns is None else (time.monotonic_ns() - decided_ns) / 1e9
        return msgspec.structs.replace(event, valid_s=max(0.0, event.valid_s - waited_s))

    def _erase(self, request: ErasureRequest) -> None:
        """Forget the open visits of a person, so that no later decision brings the name back."""
        visits = self.decider.visits_of(request.person)
        if not request.dry_run:
            self.unenrol(request.person)
            self.decider.forget_person(request.person)
        self.journal.erase(Erasure(request, visits))

    def _locked_s(self) -> dict[str, float]:
        return self.decider.locked_s(time.monotonic_ns())

    def _tell_lockouts(self) -> None:
        """Log once when a door is locked out, and when it is not any more."""
        locked_s = self._locked_s()
        for camera, left_s in locked_s.items():
            if camera not in self.locked:
                log.warning(
                    "%s after %s; `turnstile unlock %s` ends it",
                    _until((camera, left_s)),
                    counted(self.decider.settings.lockout.max_denials, "denial"),
                    camera,
                )
        for camera in self.locked - locked_s.keys():
            log.info("%s is not locked out any more", camera)
        self.locked = set(locked_s)

    def _warn_of_unenrolled(self, enrolled: Sequence[str]) -> None:
        """Warn once of people whom the rules name and nobody enrolled is called."""
        before, self._compared = self._compared, (self.decider.rules, enrolled)
        if self._compared == before:
            return
        missing = [] if self.decider.rules is None else unenrolled(self.decider.rules, enrolled)
        if missing and missing != self._unenrolled:
            log.warning("the rules name people who are not enrolled: %s", ", ".join(missing))
            self._unenrolled = missing


def _until(locked: tuple[str, float]) -> str:
    camera, left_s = locked
    return f"{camera} is locked out until {time.strftime('%H:%M:%S', time.localtime(time.time() + left_s))}"


def open_access_desk(
    site: Site,
    site_path: Path,
    journal: Journal,
    meter: Meter,
    *,
    unenrol: Callable[[str], None] = _nobody_is_enrolled,
) -> AccessDesk:
    """Read the rules, begin the recording if the site wants one, and show what Prometheus may ask for."""
    rules = RulesFile(places_of(site, site_path), doors=site.cameras)
    desk = AccessDesk(
        cameras=site.cameras.keys(),
        decider=Decider(
            settings=site.decision,
            encoding=site.recognition.encoding,
            rules=rules.rules,
            doors={camera: resumed(door) for camera, door in journal.doors.items()},
        ),
        rules=rules,
        journal=journal,
        clock=TimeOfDay(newest_ns=journal.newest_ns),
        recording=ResultFile(Path(site.decision.record)) if site.decision.record else None,
        meter=meter,
        unenrol=unenrol,
        _resumed=frozenset(visit.visit for door in journal.doors.values() for visit in door.visits),
    )
    meter.show("turnstile_journal_writable", "1 when decisions can be recorded.", lambda: not journal.problem)
    locked_out = "Doors that are locked out after too many denials."
    meter.show("turnstile_doors_locked_out", locked_out, lambda: len(desk.locked))
    meter.show_readers(
        "turnstile_journal_backlog",
        "Events that a logger or webhook has not fetched.",
        {name: partial(_backlog, journal, name) for name in (*site.loggers, *site.webhooks)},
    )
    return desk


def _backlog(journal: Journal, reader: str) -> float:
    return float(journal.backlog.get(reader, 0))
