"""The process that reads a camera, from the node's side: started, listened to, stopped or killed."""

import contextlib
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from turnstile.errors import WireError
from turnstile.io.cameras import pipe
from turnstile.io.cameras.source import without_secrets
from turnstile.io.runner.worker import Worker

COMMAND = (sys.executable, "-P", "-m", "turnstile.io.cameras.reader")
ROOT = Path(__file__).resolve().parents[3]

STOP_S = 0.35
"""A reader ends itself 0.25 s after it was asked to; after this long it is killed."""

KILLED_S = 0.2
"""How long to wait for a killed reader. One that the kernel holds ends later, by itself."""

HINT_S = 2.0
"""What was said longer ago did not end the reader."""

MAX_REMEMBERED = 1000
_FFMPEG = re.compile(r"^\[OPENCV:FFMPEG:(\d+)\]\s*")
_FFMPEG_ERROR = 16

log = logging.getLogger("turnstile")


@dataclass(frozen=True, kw_only=True)
class Over:
    """How a reader came to its end."""

    ended: bool = False
    """The recording is at its end."""
    crashed: bool = False
    """It ended without saying why."""
    lasting: bool = False
    """Another reader would fail the same way."""
    reason: str = ""


class ReaderProcess:
    """A running reader. Two threads drain its pipes and end with it; of its frames the newest is kept."""

    def __init__(self, order: pipe.Order) -> None:
        """Start it; whether that works is heard later."""
        self._heard_s = time.monotonic()
        self._order = order
        self._changed = threading.Condition()
        self._shot: pipe.Shot | None = None
        self._over: Over | None = None
        self._ordered = self._opened = False
        self._superseded = 0
        self._skipped: deque[pipe.Skipped] = deque(maxlen=MAX_REMEMBERED)
        self._next_index = order.first
        self._overheard: tuple[float, str] = (0.0, "")
        self._process = _start()
        self._stdin = cast("IO[bytes]", self._process.stdin)
        self._ears = Worker("overhear", self._overhear)
        self._listener = Worker("listen", self._listen)
        self._ears.start()
        self._listener.start()

    @property
    def over(self) -> Over | None:
        """Return how it ended; none while it runs or a frame is waiting to be taken."""
        with self._changed:
            return self._over if self._shot is None else None

    @property
    def opened(self) -> bool:
        """Tell whether the source is open."""
        return self._opened

    @property
    def gone(self) -> bool:
        """Tell whether the process has ended and let go of the camera."""
        return self._process.poll() is not None

    @property
    def next_index(self) -> int:
        """Return the index of the picture it is at."""
        return self._next_index

    def silent_s(self) -> float:
        """Return for how long nothing at all has come from it."""
        return time.monotonic() - self._heard_s

    def next_shot(self, timeout_s: float) -> pipe.Shot | None:
        """Return the newest frame, waiting at most `timeout_s` for one or for the reader's end."""
        self._listener.check()
        self._ears.check()
        with self._changed:
            self._changed.wait_for(lambda: self._shot is not None or self._over is not None, timeout_s)
            shot, self._shot = self._shot, None
            return shot

    def losses(self) -> tuple[int, tuple[pipe.Skipped, ...]]:
        """Return how many frames were replaced by newer ones, and the pictures skipped, since last asked."""
        with self._changed:
            superseded, skipped = self._superseded, tuple(self._skipped)
            self._superseded = 0
            self._skipped.clear()
            return superseded, skipped

    def stop(self, *, at_once: bool = False) -> None:
        """End it: ask first, so that the camera is let go properly, or kill it at once."""
        if at_once or not self._ordered:
            self._process.kill()
        else:
            self._close_stdin()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(KILLED_S)
        if self._listener.close(within_s=KILLED_S):
            self._close_stdin()

    def _close_stdin(self) -> None:
        with contextlib.suppress(OSError):
            self._stdin.close()

    def _listen(self) -> None:
        """Give the order, then take in records until there are no more."""
        last: pipe.AnyRecord | None = None
        with contextlib.suppress(OSError):
            pipe.write(self._stdin, self._order)
        self._ordered = True
        with cast("IO[bytes]", self._process.stdout) as stdout:
            try:
                while (record := pipe.read(stdout)) is not None:
                    last = record
                    self._receive(record)
            except WireError as error:
                last = pipe.Failed(reason=str(error), lasting=False)
                self._process.kill()
        self._ears.close()
        with self._changed:
            self._over = self._verdict(last)
            self._changed.notify_all()

    def _receive(self, record: pipe.AnyRecord) -> None:
        with self._changed:
            self._heard_s = time.monotonic()
            match record:
                case pipe.Opened():
                    self._opened = True
                    self._overheard = (0.0, "")
                case pipe.Shot(index=index):
                    self._superseded += self._shot is not None
                    self._shot = record if self._shot is None else record.after(self._shot)
                    self._next_index = index + 1
                    self._changed.notify_all()
                case pipe.Skipped(index=index):
                    self._skipped.append(record)
                    self._next_index = index + 1
                case _:
                    pass

    def _verdict(self, last: pipe.AnyRecord | None) -> Over:
        said_s, text = self._overheard
        hint = f": {text}" if text and time.monotonic() - said_s < HINT_S else ""
        match last:
            case pipe.Ended():
                return Over(ended=True)
            case pipe.Failed(reason=reason, lasting=lasting):
                return Over(reason=reason + hint, lasting=lasting)
            case _:
                code = self._process.wait()
                return Over(reason=f"its reader ended with code {code}{hint}", crashed=True)

    def _overhear(self) -> None:
        """Keep the last line of what OpenCV, FFmpeg or Python say, as a hint; the debug log has them all.

        FFmpeg's warnings count only while the source is being opened: there they tell of HTTP errors.
        """
        with cast("IO[bytes]", self._process.stderr) as stderr:
            while line := stderr.readline(4096):
                text = without_secrets(line.decode("utf-8", "replace").strip(), self._order)[:300]
                if not text:
                    continue
                log.debug("reader: %s", text)
                level = _FFMPEG.match(text)
                if level is None or int(level[1]) <= _FFMPEG_ERROR or not self._opened:
                    self._overheard = time.monotonic(), _FFMPEG.sub("", text)


def _start() -> "subprocess.Popen[bytes]":
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(places)},
        start_new_session=True,  # Ctrl-C is for the node to hear
    )
