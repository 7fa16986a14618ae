"""`/enrol/camera`: walk to a camera to be enrolled. Whole frames with one face are judged, a second apart.

For `WATCH_S` the frames and results of one door are listened to. A frame whose result shows exactly one face,
wide enough, goes to the broker to be judged; the best of three poses are offered.
"""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from turnstile.errors import TurnstileError
from turnstile.io.bus.nodes import Heard
from turnstile.io.web.link import Asker, BusLink, RefusedWishError
from turnstile.protocol.messages import Frame, Result
from turnstile.protocol.names import same_name
from turnstile.requests.answers import PictureJudged
from turnstile.requests.wishes import JudgePicture
from turnstile.web.poses import Poses

WATCH_S = 20.0
APART_S = 1.0
JUDGE_S = 8.0
KEEP_S = 10 * 60.0
"""How long a walk can be looked at."""
MIN_FACE_PX = 80
MAX_WALKS = 8
"""At a time."""
HELD_FRAMES = 32
"""Whose results may still come."""


@dataclass
class Walk:
    """Somebody walks to a camera."""

    asker: Asker
    person: str
    camera: str
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    poses: Poses = field(default_factory=Poses)
    problem: str = ""
    """Why nothing can be judged; empty while it can."""
    seen: str = "Nobody is in view. Walk to the camera."
    begun_s: float = field(default_factory=time.monotonic)
    ended: bool = False
    newest: bytes = b""
    """The latest frame that was judged."""
    _frames: OrderedDict[tuple[int, int], Frame] = field(default_factory=OrderedDict)
    _candidate: asyncio.Queue[Frame] = field(default_factory=lambda: asyncio.Queue(1))

    @property
    def guidance(self) -> str:
        """Return one sentence for the person at the door."""
        if self.problem:
            return self.problem
        if self.ended and not self.poses.offered:
            return "No usable picture was taken. Try again with more light, nearer to the camera."
        if self.ended or self.poses.judged:
            return self.poses.guidance() if not self.ended else "Thank you. Choose what to keep."
        return self.seen

    @property
    def share(self) -> float:
        """Return how much of the time has passed, 0 to 1."""
        return 1.0 if self.ended else min(1.0, (time.monotonic() - self.begun_s) / WATCH_S)

    def take(self, message: Frame | Result) -> None:
        """Note a frame, or what was seen in one."""
        if message.camera != self.camera or self.ended:
            return
        if isinstance(message, Frame):
            self._frames[message.seq, message.captured_ns] = message
            while len(self._frames) > HELD_FRAMES:
                self._frames.popitem(last=False)
            return
        frame = self._frames.pop((message.seq, message.captured_ns), None)
        self.seen = _what_is_seen(message)
        if frame is not None and not self.seen and self._candidate.empty():
            self._candidate.put_nowait(frame)

    async def watch(self, link: BusLink, *, apart_s: float) -> None:
        """Have frames judged, so far apart, until there are enough or the time is over."""
        link.frames.need((self.camera,))
        try:
            async with asyncio.timeout(WATCH_S):
                while self.poses.wanted is not None:
                    frame = await self._candidate.get()
                    await self._judge(link, frame)
                    await asyncio.sleep(apart_s)
        except TimeoutError:
            pass
        except TurnstileError as error:
            self.problem = f"{error}."
        finally:
            self.ended = True
            self._frames.clear()
            link.frames.release((self.camera,))

    async def _judge(self, link: BusLink, frame: Frame) -> None:
        wish = JudgePicture(person=self.person, data=frame.jpeg)
        try:
            judged = await link.ask(wish, self.asker, within_s=JUDGE_S)
        except RefusedWishError as error:
            if error.refusal.forbidden:
                raise
            judged = PictureJudged(problem=str(error))
        if isinstance(judged, PictureJudged):
            self.newest = frame.jpeg
            self.poses.add(frame.jpeg, judged)


class Walks:
    """All walks of this process. Call from the server's event loop."""

    def __init__(self, link: BusLink, *, apart_s: float = APART_S) -> None:
        self._link, self._apart_s = link, apart_s
        self._walks: dict[str, Walk] = {}
        self._watching: set[asyncio.Task[None]] = set()

    def begin(self, asker: Asker, person: str, camera: str) -> Walk:
        """Begin to watch a door for a person."""
        walk = Walk(asker, person, camera)
        self._walks[walk.id] = walk
        loop = asyncio.get_running_loop()
        loop.call_later(KEEP_S, self.forget, walk.id)
        task = loop.create_task(walk.watch(self._link, apart_s=self._apart_s))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)
        return walk

    @property
    def are_full(self) -> bool:
        """Tell whether as many are watched as may be."""
        return sum(not one.ended for one in self._walks.values()) >= MAX_WALKS

    def find(self, id_: str, asker: Asker) -> Walk | None:
        """Return a walk of an account."""
        found = self._walks.get(id_)
        return found if found is not None and found.asker.name == asker.name else None

    def take(self, heard: Sequence[Heard]) -> None:
        """Hand frames and results to the walks at their doors."""
        watching = [one for one in self._walks.values() if not one.ended]
        if not watching:
            return
        for one in heard:
            message = one[1]
            if isinstance(message, Frame | Result):
                for walk in watching:
                    walk.take(message)

    def forget(self, id_: str) -> None:
        """Keep a walk no longer."""
        self._walks.pop(id_, None)

    def forget_person(self, person: str) -> None:
        """Keep no walk of a person; one that is watched just now ends by itself, and nobody finds it."""
        for id_ in [id_ for id_, walk in self._walks.items() if same_name(walk.person, person)]:
            self.forget(id_)


def _what_is_seen(result: Result) -> str:
    """Return what to change before a frame can be judged; empty if it can."""
    if not result.faces:
        return "Nobody is in view. Walk to the camera."
    if len(result.faces) > 1:
        return "One person at a time, please."
    if result.faces[0].box_px.width < MIN_FACE_PX:
        return "Come closer."
    return ""
