"""The dispatch desk: frames and pictures come in, work for recognizers goes out.

Pure: times are arguments, monotonic nanoseconds. It returns what is to be sent and sends nothing itself.

Policy: frames of an empty, unchanged scene are answered here (`turnstile.dispatch.gate`). A frame must be a
baseline JPEG of the size it states, within the site's limits. A camera or a recognizer beyond the site's
limits is refused and counted; cameras of the site file always have a place.
"""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from turnstile.dispatch.dispatcher import Assignment, Dispatcher, Job
from turnstile.dispatch.gate import Gate
from turnstile.dispatch.hints import AtDoor, Hints
from turnstile.dispatch.incumbents import Incumbents
from turnstile.dispatch.round_trips import RoundTrips
from turnstile.errors import PictureError, WireError
from turnstile.people.encodings import Unencoded, is_encoding
from turnstile.protocol.fields import Timings
from turnstile.protocol.jpeg import SeenHeader, check_jpeg
from turnstile.protocol.messages import Frame, Picture, Result, Taken, Template, Work
from turnstile.protocol.topics import Outgoing, work_topic
from turnstile.site.recognition import RecognitionSettings
from turnstile.site.settings import BrokerSettings

PICTURE_LEASE_S = 20.0
FORGET_CAMERA_S = 3600.0

CONFIRM_EVERY_NS = 100_000_000
"""How often to confirm answers that no work has confirmed since; they are repeated after five times that."""


class Handout(NamedTuple):
    """Work to send, and the assignment that it is for."""

    assignment: Assignment
    message: Work | Picture


class Recognized(NamedTuple):
    """A result that was asked for."""

    result: Result
    """With the time that its frame bore, whatever the recognizer says."""
    assignment: Assignment
    now_ns: int

    @property
    def age_s(self) -> float:
        """Return how long the frame took from the broker and back."""
        return (self.now_ns - self.assignment.job.came_ns) / 1e9


@dataclass(kw_only=True)
class DispatchDesk:
    """What waits for recognizers, what they have in hand, and what needs no recognizer."""

    limits: BrokerSettings
    recognition: RecognitionSettings
    cameras: Collection[str]
    """Those of the site file."""
    new_token: Callable[[], str]
    dispatcher: Dispatcher = field(init=False)
    gate: Gate = field(init=False)
    hints: Hints = field(init=False)
    incumbents: Incumbents = field(default_factory=Incumbents)
    _unchanged: dict[str, tuple[Frame, int]] = field(default_factory=dict)
    """Camera → its newest frame that needs no look and is not answered yet, and when that came."""
    _asking: set[str] = field(default_factory=set)
    """Cameras of doors that want to know how likely the faces of the next frame are alive."""
    _unconfirmed: dict[str, list[str]] = field(default_factory=dict)
    """Recognizer → the tokens of its answers that it does not know of yet."""
    _confirm_ns: int = 0
    """When to confirm what is left."""
    _trips: dict[str, RoundTrips] = field(default_factory=dict)
    """Of each recognizer that listens."""
    _headers: dict[str, SeenHeader] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with no recognizers and nothing to do."""
        self.gate = Gate(self.recognition)
        self.hints = Hints(confirm_every_s=self.recognition.confirm_every_s)
        self.dispatcher = Dispatcher(
            lease_ns=round(self.limits.lease_s * 1e9),
            picture_lease_ns=round(PICTURE_LEASE_S * 1e9),
            new_token=self.new_token,
        )

    @property
    def counts(self) -> Counter[str]:
        """Return the totals for the beat."""
        return self.dispatcher.counts

    def gauges(self) -> dict[str, float]:
        """Return the present values for the beat."""
        return {
            "recognizers": len(self.dispatcher.recognizers),
            "cameras": len(self.dispatcher.cameras),
        }

    def take(self, frame: Frame, now_ns: int) -> bool:
        """Queue a frame, or let `unchanged` answer it; return False if it is refused.

        It is if there are too many cameras, or if two processes are this one.

        Raises:
            PictureError: it is not a baseline JPEG of the size it states, or larger than allowed.
        """
        limits, seen = self.limits, self._headers.get(frame.camera)
        size = check_jpeg(frame.jpeg, max_bytes=limits.max_frame_bytes, max_px=limits.max_frame_px, seen=seen)
        if size != (frame.width_px, frame.height_px):
            raise PictureError("a frame whose picture is not of the size it says")
        known = frame.camera in self.dispatcher.cameras or frame.camera in self.cameras
        if not known and len(self.dispatcher.cameras) >= limits.max_cameras:
            self.counts["refused_cameras"] += 1
            return False
        if not self.incumbents.hear(frame.camera, frame.instance, now_ns):
            self.counts["refused_second_of_a_name"] += 1
            return False
        if seen is None:
            self._headers[frame.camera] = SeenHeader()
        self.counts["frames_in"] += 1
        if self.gate.needs_look(frame, now_ns):
            self.dispatcher.offer_frame(_job(frame, now_ns))
        else:
            self.dispatcher.heard_of(frame.camera, now_ns)
            self.counts["looks_saved"] += 1
            self._unchanged[frame.camera] = (frame, now_ns)
        return True

    def can_wait(self, camera: str) -> bool:
        """Tell whether a camera's next frame is not needed yet, neither by recognizers nor by the gate."""
        return self.dispatcher.can_wait(camera) and not self.gate.needs_each(camera)

    def unchanged(self, now_ns: int) -> list[Recognized]:
        """Return answers to frames that needed no look: nobody is there."""
        if not self._unchanged:
            return []
        frames, self._unchanged = self._unchanged.values(), {}
        return [_nobody_in(frame, came_ns, now_ns) for frame, came_ns in frames]

    def note_door(self, camera: str, at_door: AtDoor) -> None:
        """Note who is at a door, after each of its results."""
        self.gate.note_visits(camera, any_open=at_door.any_open)
        self.hints.note_decided(camera, at_door.read_ns)
        self.dispatcher.note_urgent(camera, is_urgent=at_door.any_undecided)
        (self._asking.add if at_door.asks_network else self._asking.discard)(camera)

    def confirm(self, answer: Result | Template) -> None:
        """Let a recognizer know that its answer came, even if it is not wanted any more."""
        recognizer = work_topic(answer.name, answer.instance)
        self._unconfirmed.setdefault(recognizer, []).append(answer.token)

    def confirmations(self, now_ns: int) -> list[Outgoing]:
        """Return what to tell recognizers that got no work for a while, which would say it too."""
        if now_ns < self._confirm_ns or not self._unconfirmed:
            return []
        self._confirm_ns = now_ns + CONFIRM_EVERY_NS
        unsaid, self._unconfirmed = self._unconfirmed, {}
        return [Outgoing(one, Taken(token=token)) for one, tokens in unsaid.items() for token in tokens]

    def due(self, now_ns: int) -> list[Handout]:
        """Return the work to send now."""
        return [self._handout(assignment, now_ns) for assignment in self.dispatcher.assign(now_ns)]

    def joined(self, recognizer: str) -> None:
        """Note that a recognizer listens to its work topic, if there is room for one more."""
        if len(self.dispatcher.recognizers) < self.limits.max_recognizers:
            self.dispatcher.joined(recognizer)
            self._trips.setdefault(recognizer, RoundTrips())
        else:
            self.counts["refused_recognizers"] += 1

    def ready(self, recognizer: str, *, most: int, now_ns: int) -> bool:
        """Note that a recognizer takes up to `most` pieces; return False while its subscription is not seen.

        How many it gets depends on how long the way to it is.
        """
        trips = self._trips.get(recognizer)
        return self.dispatcher.ready(recognizer, credits=trips.credits(most, now_ns) if trips else 1)

    def left(self, recognizer: str) -> list[Job]:
        """Write off what a recognizer had whose connection closed; return what is now set aside."""
        self._trips.pop(recognizer, None)
        return self.dispatcher.left(recognizer)

    def recognized(self, result: Result, now_ns: int) -> Recognized | None:
        """Return a result if it is still wanted, and learn from it where the faces are.

        Raises:
            WireError: it is for other work than its token's, or has an encoding that is none.
        """
        assignment = self._finish(result)
        if assignment is None:
            return None
        frame = assignment.job.body
        if not isinstance(frame, Frame) or (result.camera, result.seq) != (frame.camera, frame.seq):
            raise WireError("a result for other work than its token's")
        if any(face.encoding and not is_encoding(face.encoding) for face in result.faces):
            raise WireError("a face whose encoding is not 128 finite numbers")
        self.counts["results"] += 1
        if (trips := self._trips.get(assignment.recognizer)) is not None:
            trips.note(assignment, result.timings.total_ms, now_ns)
        result = msgspec.structs.replace(result, captured_ns=frame.captured_ns, credits=0)
        if result.problem:
            self.counts["bad_frames"] += 1
        else:
            self.hints.learn(result, assignment.job.came_ns)
        self.gate.learn(result, assignment.job.came_ns)
        return Recognized(result, assignment, now_ns)

    def encoded(self, template: Template) -> Unencoded | None:
        """Return the picture that a template is of, if it is still wanted.

        Raises:
            WireError: it is for other work than its token's.
        """
        assignment = self._finish(template)
        if assignment is None:
            return None
        if not isinstance(assignment.job.body, Unencoded):
            raise WireError("a template for other work than its token's")
        return assignment.job.body

    def forget_silent(self, now_ns: int) -> list[str]:
        """Forget the cameras that sent nothing for an hour, and return their names."""
        gone = self.dispatcher.silent_cameras(now_ns - round(FORGET_CAMERA_S * 1e9))
        for camera in gone:
            self.dispatcher.forget_camera(camera)
            self.gate.forget(camera)
            self.hints.forget(camera)
            self.incumbents.forget(camera)
            self._asking.discard(camera)
            self._headers.pop(camera, None)
        return gone

    def _finish(self, answer: Result | Template) -> Assignment | None:
        return self.dispatcher.finish(answer.token, work_topic(answer.name, answer.instance))

    def _handout(self, assignment: Assignment, now_ns: int) -> Handout:
        job, token = assignment.job, assignment.token
        lease_s = (assignment.expires_ns - assignment.handed_ns) / 1e9
        if isinstance(job.body, Unencoded):
            picture = Picture(token=token, lease_s=lease_s, file=job.body.file, data=job.body.data)
            return Handout(assignment, picture)
        answered = self._unconfirmed.get(assignment.recognizer)
        work = Work(
            token=token,
            lease_s=lease_s,
            camera=job.body.camera,
            seq=job.body.seq,
            captured_ns=job.body.captured_ns,
            waited_ms=(now_ns - job.came_ns) / 1e6,
            jpeg=job.body.jpeg,
            hint=self.hints.hint(job.body.camera, job.came_ns),
            taken=answered.pop() if answered else "",
            check_alive=job.body.camera in self._asking,
        )
        return Handout(assignment, work)


def _job(frame: Frame, came_ns: int) -> Job:
    return Job(kind="frame", key=frame.camera, seq=frame.seq, body=frame, came_ns=came_ns)


def _nobody_in(frame: Frame, came_ns: int, now_ns: int) -> Recognized:
    """Return the answer to a look that was not needed."""
    result = Result(
        token="",
        name="broker",
        instance="broker",
        camera=frame.camera,
        seq=frame.seq,
        captured_ns=frame.captured_ns,
        gallery_version="",
        faces=(),
        timings=Timings(),
    )
    at_once = Assignment(
        token="", recognizer="", job=_job(frame, came_ns), handed_ns=now_ns, expires_ns=now_ns
    )
    return Recognized(result, at_once, now_ns)
