"""A camera as a node sees it: its newest frame, whether it is live, and how it is brought back."""

import logging
import math
import random
import time
from collections import Counter

import msgspec

from turnstile.backoff import delay_s
from turnstile.errors import CameraError
from turnstile.io.cameras.child import Over, ReaderProcess
from turnstile.io.cameras.pipe import Order, Shot
from turnstile.io.cameras.source import describe
from turnstile.protocol.state import State

OPEN_TIMEOUT_S = 15.0
"""Starting a reader, reaching the camera and waiting for its first key frame may take this long."""

FIRST_RETRY_S, LAST_RETRY_S = 1.0, 30.0
LIVED_S = 10.0
"""A camera that delivered for so long is not blamed for its failures before."""

NEVER_S = math.inf

log = logging.getLogger("turnstile")


class Feed:
    """Keeps a camera open and gives its newest frame. Belongs to one thread and never holds it up for long.

    A camera that fails, or is silent for `Order.read_timeout_s`, loses its reader and gets another one
    after 0.5 to 30 s. One whose pictures or time stamps stand still keeps its reader until then, and is
    back as soon as they move.

    Attributes:
        state: starting, live, lost or ended.
        detail: why it is lost.
        counts: totals: ``frames_in``, ``dropped_superseded`` (a newer frame came before this one was
            taken), ``dropped_frozen``, ``pictures_broken``, ``camera_lost``, ``camera_opened``.
    """

    def __init__(self, order: Order, *, name: str, open_timeout_s: float = OPEN_TIMEOUT_S) -> None:
        """Get ready; reading starts with the first `take`.

        Args:
            order: what to read.
            name: the camera's, for logs.
            open_timeout_s: how long opening may take.
        """
        self.state, self.detail = State.STARTING, ""
        self.counts: Counter[str] = Counter()
        self._order = order
        self._name = name
        self._what = describe(order)
        self._open_timeout_s = open_timeout_s
        self._failures = 0
        self._reader: ReaderProcess | None = None
        self._leaving: ReaderProcess | None = None
        self._start_s = self._since_s = time.monotonic()
        self._frozen_jpeg = b""
        self._broken: set[str] = set()

    @property
    def ended(self) -> bool:
        """Tell whether a recording has come to its end and its last frame was taken."""
        return self.state is State.ENDED

    @property
    def lost(self) -> bool:
        """Tell whether the camera does not deliver."""
        return self.state is State.LOST

    def next_shot(self, timeout_s: float) -> Shot | None:
        """Return the newest frame that was not taken yet, waiting at most `timeout_s` for one.

        Raises:
            CameraError: nothing ever came, and trying again would not help: a file without pictures, a
                library that is missing.
        """
        if self.ended:
            return None
        self._start_when_due()
        reader = self._reader
        if reader is None:
            time.sleep(min(timeout_s, max(0.0, self._start_s - time.monotonic())))
            return None
        shot = reader.next_shot(timeout_s)
        self._note_losses(reader)
        if shot is not None:
            return self._judged(shot)
        self._watch(reader)
        return None

    def close(self) -> None:
        """Let go of the camera."""
        if self._reader is not None:
            self._reader.stop()
            self._reader = None

    def _start_when_due(self) -> None:
        now_s = time.monotonic()
        if now_s < self._start_s:
            return
        if self._reader is not None:
            self._drop(self._reader)
        if self._leaving is not None and not self._leaving.gone:
            self._start_s = now_s + self._retry_after_s()
            return  # the kernel still holds it; one more would only join it there
        self._reader, self._leaving = ReaderProcess(self._order), None
        self._start_s = NEVER_S
        self.counts["camera_opened"] += 1

    def _retry_after_s(self, *, lived_s: float = 0.0) -> float:
        """Count a failure, and return how long to wait: not as long as the other cameras of one recorder."""
        self._failures = 1 if lived_s >= LIVED_S else self._failures + 1
        chance = random.random()  # noqa: S311 - no secret
        return delay_s(self._failures, first_s=FIRST_RETRY_S, longest_s=LAST_RETRY_S, chance=chance)

    def _judged(self, shot: Shot) -> Shot | None:
        """Return a frame, unless it shows that the camera stands still."""
        self.counts["frames_in"] += 1
        limit_s = self._order.read_timeout_s
        if shot.picture_age_s >= limit_s:
            self._lose(f"the picture has not changed for {limit_s:g} s")
        elif shot.position_age_s >= limit_s:
            self._lose(f"its time stamps have stood still for {limit_s:g} s")
        elif shot.jpeg != self._frozen_jpeg:
            self._gain(shot)
            return shot
        self._frozen_jpeg = shot.jpeg
        self.counts["dropped_frozen"] += 1
        return None

    def _watch(self, reader: ReaderProcess) -> None:
        """Act on a reader that ended, or from which nothing has come for too long."""
        over = reader.over
        if over is not None:
            self._drop(reader)
            self._after(over, reader)
            return
        limit_s = self._order.read_timeout_s if reader.opened else self._open_timeout_s
        if reader.silent_s() > limit_s:
            self._drop(reader, at_once=True)
            self._pass_over(reader)
            setting = f"cameras.{self._name}.read_timeout_s"
            late = f"read timed out after {limit_s:g} s ({setting}: raise it for a slower camera)"
            self._lose(late if reader.opened else f"it could not be opened within {limit_s:g} s")

    def _after(self, over: Over, reader: ReaderProcess) -> None:
        if over.ended:
            self.state, self.detail = State.ENDED, ""
            log.info("%s: %s is at its end", self._name, self._what)
        elif over.lasting and not self.counts["frames_in"]:
            raise CameraError(f"camera {self._name}: {over.reason}")
        else:
            if over.crashed:
                self._pass_over(reader)
            self._lose(over.reason)

    def _drop(self, reader: ReaderProcess, *, at_once: bool = False) -> None:
        reader.stop(at_once=at_once)
        self._reader, self._leaving = None, reader

    def _pass_over(self, reader: ReaderProcess) -> None:
        """Let the next reader begin after the picture that took this one down."""
        if self._order.kind != "pictures":
            return
        index = min(reader.next_index, len(self._order.places) - 1)
        self._note_broken(str(self._order.places[index]), "the reader hung or crashed on it")
        self._order = msgspec.structs.replace(self._order, first=index + 1)

    def _note_losses(self, reader: ReaderProcess) -> None:
        superseded, skipped = reader.losses()
        self.counts["dropped_superseded"] += superseded
        self.counts["frames_in"] += superseded
        for one in skipped:
            self._note_broken(one.place, one.reason)

    def _note_broken(self, place: str, reason: str) -> None:
        self.counts["pictures_broken"] += 1
        if place not in self._broken:
            self._broken.add(place)
            log.warning("%s: %s is left out: %s", self._name, place, reason)

    def _gain(self, shot: Shot) -> None:
        if self.state is State.LIVE:
            return
        now_s = time.monotonic()
        if self.lost:
            log.info("%s: camera back after %.1f s", self._name, now_s - self._since_s)
        else:
            log.info(
                "%s: live, %dx%d from %s%s",
                *(self._name, shot.width_px, shot.height_px, self._what, self._scaling(shot)),
            )
        self.state, self.detail, self._since_s = State.LIVE, "", now_s
        self._start_s, self._frozen_jpeg = NEVER_S, b""

    def _scaling(self, shot: Shot) -> str:
        """Say of a camera whose pictures are scaled without being asked why they are."""
        if shot.scaled_from_px is None or self._order.size_px is not None:
            return ""
        size = "{}x{}".format(*shot.scaled_from_px)
        return f", scaled from {size}: larger costs more, and cameras.{self._name}.size_px would allow it"

    def _lose(self, reason: str) -> None:
        """Say once that the camera is lost, and see that another attempt is due."""
        now_s = time.monotonic()
        lived_s = now_s - self._since_s if self.state is State.LIVE else 0.0
        if self._start_s == NEVER_S:
            self._start_s = now_s + self._retry_after_s(lived_s=lived_s)
        if not self.lost:
            log.warning(
                "%s: camera lost: %s; it is tried again every 0.5 to %g s",
                self._name,
                reason,
                LAST_RETRY_S,
            )
            self.counts["camera_lost"] += 1
            self._since_s = now_s
        self.state, self.detail = State.LOST, reason[:200]
