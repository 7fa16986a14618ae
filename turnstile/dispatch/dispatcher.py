"""The dispatcher: a free recognizer gets the newest frame of the camera that has waited longest.

Cameras with somebody in view who is not decided about come first.

Pure: times and tokens are arguments, decisions are values, and the broker sends.

- One slot a camera holds only its newest frame. Older ones are dropped and counted.
- A second piece goes only to a recognizer with credits for it, and while nobody has nothing to do.
- Enrolment pictures take turns with frames. They take at most half of a pool of two or more. Who has one gets
  nothing besides: a frame would wait long behind it.
- Work is written off when its recognizer leaves or its lease ends. It is handed out again if the camera has
  no newer frame.
- A frame or picture that was written off twice is set aside, so that it cannot kill the whole pool.
- A recognizer that only lost its connection may still answer within the lease, unless another one has the
  work. An answer that comes twice is taken once.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

import msgspec

from turnstile.people.encodings import Unencoded
from turnstile.protocol.messages import Frame

URGENT_IN_A_ROW = 2
"""So many frames of urgent cameras are handed out before one of another, which may see somebody come."""

MAX_ATTEMPTS = 2
MAX_PICTURES = 100_000
MAX_FINISHED = 4096
"""Answered tokens remembered, to tell a repeated answer from one that nobody asked for."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A frame or an enrolment picture that waits for a recognizer."""

    kind: Literal["frame", "picture"]
    key: str
    """The camera's name, or the picture's hash."""
    seq: int
    body: Frame | Unencoded
    came_ns: int
    attempts: int = 0


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """A job that a recognizer has now."""

    token: str
    recognizer: str
    job: Job
    handed_ns: int
    expires_ns: int
    is_alone: bool = True
    """Whether its recognizer had nothing else when it was handed out."""


@dataclass(kw_only=True)
class _Recognizer:
    """A process that subscribed to its work topic.

    `credits` is 0 until it says that it is ready, and goes down as work ends: only its own word, which may be
    a goodbye instead, brings more.
    """

    credits: int = 0
    tokens: set[str] = field(default_factory=set)
    pictures: int = 0

    @property
    def free(self) -> int:
        return 0 if self.pictures else self.credits - len(self.tokens)


class Dispatcher:
    """Who waits for what. All times are monotonic nanoseconds."""

    def __init__(self, *, lease_ns: int, picture_lease_ns: int, new_token: Callable[[], str]) -> None:
        self.counts: Counter[str] = Counter()
        self._lease_ns = {"frame": lease_ns, "picture": picture_lease_ns}
        self._new_token = new_token
        self._slots: dict[str, Job] = {}
        self._newest_ns: dict[str, int] = {}
        self._turns: dict[str, None] = {}
        """The cameras, those that were served longest ago first."""
        self._urgent: set[str] = set()
        self._urgent_in_a_row = 0
        self._pictures: deque[Job] = deque()
        self._frames_turn = False
        self._recognizers: dict[str, _Recognizer] = {}
        self._idle: dict[str, None] = {}
        """The recognizers that are ready and have nothing, those that have been for longest first."""
        self._partly: dict[str, None] = {}
        """Those that have something and can take more, in the same order."""
        self._out: dict[str, Assignment] = {}
        self._cameras_out: Counter[str] = Counter()
        """How many frames of each are being recognized."""
        self._cut_off: dict[str, Assignment] = {}
        self._finished: dict[str, None] = {}

    @property
    def recognizers(self) -> tuple[str, ...]:
        """Return who is listening, ready or not."""
        return tuple(self._recognizers)

    @property
    def cameras(self) -> Collection[str]:
        """Return the cameras that a frame came from, until they are forgotten."""
        return self._newest_ns.keys()

    def silent_cameras(self, since_ns: int) -> list[str]:
        """Return the cameras whose newest frame came before a time."""
        return [camera for camera, came_ns in self._newest_ns.items() if came_ns < since_ns]

    @property
    def waiting_frames(self) -> int:
        """Return how many cameras' frames wait; each has one at most."""
        return len(self._slots)

    @property
    def waiting_pictures(self) -> int:
        """Return how many pictures wait or are being encoded."""
        return len(self._pictures) + sum(one.job.kind == "picture" for one in self._out.values())

    @property
    def room(self) -> int:
        """Return how many pieces of work recognizers can take."""
        return sum(self._recognizers[one].free for one in (*self._idle, *self._partly))

    @property
    def without_work(self) -> int:
        """Return how many recognizers would have nothing to do if all that waits were handed out."""
        return max(0, len(self._idle) - len(self._slots) - len(self._pictures))

    def can_wait(self, camera: str) -> bool:
        """Tell whether a camera's next frame is not needed yet.

        An earlier one waits, or is being recognized and no recognizer is free for the next.
        """
        return camera in self._slots or (not (self._idle or self._partly) and self._cameras_out[camera] > 0)

    def due_cameras(self) -> list[str]:
        """Return the cameras whose frames are handed out next, if no pictures are."""
        return list(islice(self._in_turn(), self.room)) if self._slots else []

    def offer_frame(self, job: Job) -> None:
        """Put a camera's newest frame into its slot; the one it replaces is dropped."""
        self.counts["frames_offered"] += 1
        if job.key in self._slots:
            self.counts["dropped_newer_came"] += 1
        self._slots[job.key] = job
        self._turns.setdefault(job.key)
        self.heard_of(job.key, job.came_ns)

    def note_urgent(self, camera: str, *, is_urgent: bool) -> None:
        """Note whether a camera's frames come before those of others."""
        (self._urgent.add if is_urgent else self._urgent.discard)(camera)

    def heard_of(self, camera: str, came_ns: int) -> None:
        """Note that a frame came, to be handed out or not."""
        self._newest_ns[camera] = came_ns

    def offer_picture(self, job: Job) -> None:
        """Queue a picture to be encoded for enrolment."""
        if len(self._pictures) < MAX_PICTURES:
            self._pictures.append(job)
        else:
            self.counts["dropped_pictures"] += 1

    def withdraw_picture(self, key: str) -> None:
        """Forget a picture that is no longer wanted; an answer to it will be refused."""
        self._pictures = deque(job for job in self._pictures if job.key != key)
        self._cut_off = {token: one for token, one in self._cut_off.items() if not _is_picture(one.job, key)}
        for token, one in list(self._out.items()):
            if _is_picture(one.job, key):
                self._use_up_credit(self._release(token))

    def joined(self, recognizer: str) -> None:
        """Note that a recognizer listens to its work topic."""
        self._recognizers.setdefault(recognizer, _Recognizer())

    def ready(self, recognizer: str, *, credits: int) -> bool:  # noqa: A002 - the term of the field
        """Note how much a recognizer takes at a time; return False while its subscription is not seen."""
        if recognizer not in self._recognizers:
            return False
        self._recognizers[recognizer].credits = credits
        self._note_free(recognizer)
        return True

    def resting(self, recognizer: str) -> None:
        """Give no more work to a recognizer that says goodbye; what it holds may still come."""
        if recognizer in self._recognizers:
            self._recognizers[recognizer].credits = 0
            self._note_free(recognizer)

    def left(self, recognizer: str) -> list[Job]:
        """Write off what a recognizer had whose connection closed; return what is now set aside."""
        if recognizer not in self._recognizers:
            return []
        tokens = sorted(self._recognizers[recognizer].tokens)
        for token in tokens:
            if self._out[token].job.attempts + 1 < MAX_ATTEMPTS:
                self._cut_off[token] = self._out[token]
        given_up = [aside for token in tokens for aside in self._write_off(token)]
        del self._recognizers[recognizer]
        self._idle.pop(recognizer, None)
        self._partly.pop(recognizer, None)
        return given_up

    def expire(self, now_ns: int) -> list[Job]:
        """Write off work whose lease has ended, and return what is now set aside.

        Who had it gets no more until it says that it is ready.
        """
        self._cut_off = {token: one for token, one in self._cut_off.items() if one.expires_ns > now_ns}
        late = [token for token, one in self._out.items() if one.expires_ns <= now_ns]
        self.counts["leases_ended"] += len(late)
        for token in late:
            self.resting(self._out[token].recognizer)
        return [aside for token in late for aside in self._write_off(token)]

    def finish(self, token: str, recognizer: str) -> Assignment | None:
        """Take work back as done; `None` if it is done already, late, or somebody else's."""
        assignment = self._out.get(token) or self._cut_off.get(token)
        if assignment is None or assignment.recognizer != recognizer:
            self.counts["repeated_answers" if token in self._finished else "refused_tokens"] += 1
            return None
        if token in self._out:
            self._use_up_credit(self._release(token))
        else:
            self.counts["answered_after_reconnect"] += 1
            self._stop_waiting(token)
        self._finished[token] = None
        if len(self._finished) > MAX_FINISHED:
            del self._finished[next(iter(self._finished))]
        return assignment

    def assign(self, now_ns: int) -> list[Assignment]:
        """Hand out as much as there are jobs and credits, and return what to send to whom."""
        made: list[Assignment] = []
        while (free := self._idle or self._partly) and (job := self._next_job()) is not None:
            made.append(self._hand_out(job, next(iter(free)), now_ns))
        return made

    def forget_camera(self, camera: str) -> None:
        """Drop what is held for a camera that is gone."""
        self._slots.pop(camera, None)
        self._newest_ns.pop(camera, None)
        self._turns.pop(camera, None)
        self._urgent.discard(camera)

    def _note_free(self, recognizer: str) -> None:
        """Note whether a recognizer can take something, after anything that may have changed it."""
        worker = self._recognizers[recognizer]
        here, elsewhere = (self._partly, self._idle) if worker.tokens else (self._idle, self._partly)
        elsewhere.pop(recognizer, None)
        if worker.free > 0:
            here.setdefault(recognizer)
        else:
            here.pop(recognizer, None)

    def _next_job(self) -> Job | None:
        frames_turn = not self._idle or (self._frames_turn and self._slots)
        if self._pictures and not frames_turn and self._has_room_for_picture():
            self._frames_turn = True
            return self._pictures.popleft()
        self._frames_turn = False
        return self._next_frame() if self._slots else None

    def _has_room_for_picture(self) -> bool:
        out = sum(one.pictures for one in self._recognizers.values())
        return out < max(1, len(self._recognizers) // 2)

    def _in_turn(self) -> Iterator[str]:
        """Give the cameras whose frames wait: urgent ones first, and those that were served longest ago."""
        waiting = (name for name in self._turns if name in self._slots)
        if self._urgent.isdisjoint(self._slots):
            yield from waiting
            return
        urgent, others = deque[str](), deque[str]()
        for name in waiting:
            (urgent if name in self._urgent else others).append(name)
        in_a_row = self._urgent_in_a_row
        while urgent or others:
            is_urgent = bool(urgent) and (in_a_row < URGENT_IN_A_ROW or not others)
            in_a_row = in_a_row + 1 if is_urgent else 0
            yield (urgent if is_urgent else others).popleft()

    def _next_frame(self) -> Job:
        camera = next(self._in_turn())
        self._urgent_in_a_row = self._urgent_in_a_row + 1 if camera in self._urgent else 0
        self._turns[camera] = self._turns.pop(camera)
        return self._slots.pop(camera)

    def _hand_out(self, job: Job, recognizer: str, now_ns: int) -> Assignment:
        worker = self._recognizers[recognizer]
        assignment = Assignment(
            token=self._new_token(),
            recognizer=recognizer,
            job=job,
            handed_ns=now_ns,
            expires_ns=now_ns + self._lease_ns[job.kind],
            is_alone=not worker.tokens,
        )
        self._out[assignment.token] = assignment
        if job.kind == "frame":
            self._cameras_out[job.key] += 1
        if self._cut_off:
            self._cut_off = {token: one for token, one in self._cut_off.items() if not _same(one.job, job)}
        worker.tokens.add(assignment.token)
        worker.pictures += job.kind == "picture"
        self._partly.pop(recognizer, None)
        self._note_free(recognizer)
        self.counts[f"{job.kind}s_handed_out"] += 1
        return assignment

    def _release(self, token: str) -> Assignment:
        assignment = self._out.pop(token)
        worker = self._recognizers[assignment.recognizer]
        worker.tokens.remove(token)
        if assignment.job.kind == "picture":
            worker.pictures -= 1
        else:
            self._cameras_out[assignment.job.key] -= 1
            if not self._cameras_out[assignment.job.key]:
                del self._cameras_out[assignment.job.key]
        self._note_free(assignment.recognizer)
        return assignment

    def _use_up_credit(self, assignment: Assignment) -> None:
        worker = self._recognizers[assignment.recognizer]
        worker.credits = max(0, worker.credits - 1)
        self._note_free(assignment.recognizer)

    def _stop_waiting(self, token: str) -> None:
        """Do not hand out again what a recognizer that was cut off has answered."""
        job = self._cut_off.pop(token).job
        if job.kind == "picture":
            self._pictures = deque(one for one in self._pictures if not _same(one, job))
        elif job.key in self._slots and _same(self._slots[job.key], job):
            del self._slots[job.key]

    def _write_off(self, token: str) -> list[Job]:
        job = self._release(token).job
        self.counts[f"{job.kind}s_written_off"] += 1
        again = msgspec.structs.replace(job, attempts=job.attempts + 1)
        if again.attempts >= MAX_ATTEMPTS:
            self.counts[f"{job.kind}s_set_aside"] += 1
            return [again]
        if job.kind == "picture":
            self._pictures.append(again)
        elif job.key not in self._slots and job.came_ns == self._newest_ns.get(job.key):
            self._slots[job.key] = again
        else:
            self.counts["dropped_newer_came"] += 1
        return []


def _same(one: Job, other: Job) -> bool:
    """Tell whether two are one frame or picture, handed out once or again."""
    return (one.kind, one.key, one.came_ns) == (other.kind, other.key, other.came_ns)


def _is_picture(job: Job, key: str) -> bool:
    return job.kind == "picture" and job.key == key
