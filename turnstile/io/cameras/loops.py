"""The loops that read a source with OpenCV and write its frames as records. Runs in the reader process."""

import math
import sys
import threading
import time
from pathlib import Path
from typing import IO

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from turnstile.counts import counted
from turnstile.errors import CameraError
from turnstile.io.cameras import pipe
from turnstile.io.cameras.pace import Pace, Stillness
from turnstile.io.cameras.source import describe, webcam_trouble
from turnstile.site.secrecy import hint
from turnstile.vision import picture_child
from turnstile.vision.change import Background, cells_of
from turnstile.vision.turning import turned

TICK_S = 0.1
USUAL_FPS = 25.0
LATE_S = 0.25
LONGEST_PAUSE_S = 60.0
"""A step between two time stamps of a clip that is longer than this, or backwards, is not believed."""

MAX_PICTURE_BYTES = 64 * 2**20
LONG_SIDE_PX = 16384

Frame = npt.NDArray[np.uint8]
"""uint8 `(height, width, 3)`, blue first."""


class Desk:
    """Where frames become records: scaled, compared with the background, encoded, and written to the node."""

    def __init__(self, order: pipe.Order, records: IO[bytes], stop: threading.Event) -> None:
        """Write to `records` until `stop` is set."""
        self._order = order
        self._records = records
        self._stop = stop
        self._background = Background()
        self._said_s = time.monotonic()

    def stopped(self) -> bool:
        """Tell whether the node wants no more."""
        return self._stop.is_set()

    def say(self, record: pipe.AnyRecord) -> None:
        """Write a record."""
        pipe.write(self._records, record)
        self._said_s = time.monotonic()

    def tick(self) -> None:
        """Say now and then that reading goes on."""
        if time.monotonic() - self._said_s >= TICK_S:
            self.say(pipe.Tick())

    def wait_until(self, due_s: float) -> float:
        """Wait for a time of the monotonic clock, and return it, or the time now when that is long past.

        A recording that was held up therefore goes on from there instead of rushing to catch up.
        """
        while not self.stopped() and (left_s := due_s - time.monotonic()) > 0:
            self._stop.wait(min(left_s, TICK_S))
            self.tick()
        now_s = time.monotonic()
        return now_s if now_s - due_s > LATE_S else due_s

    def shot(self, frame: Frame, *, captured_ns: int, index: int = 0) -> pipe.Shot:
        """Return a frame as baseline JPEG, with what changed in it.

        Raises:
            CameraError: OpenCV cannot encode it.
        """
        scaled = _fit(frame, self._order)
        fitted = turned(scaled, self._order.rotate)
        done, jpeg = cv2.imencode(".jpg", fitted, [cv2.IMWRITE_JPEG_QUALITY, self._order.jpeg_quality])
        if not done:
            raise CameraError(f"a frame of {fitted.shape[1]}x{fitted.shape[0]} cannot be encoded as JPEG")
        return pipe.Shot(
            captured_ns=captured_ns,
            width_px=fitted.shape[1],
            height_px=fitted.shape[0],
            jpeg=jpeg.tobytes(),
            scaled_from_px=None if scaled is frame else (frame.shape[1], frame.shape[0]),
            index=index,
            change=self._background.change(cells_of(fitted), at_s=time.monotonic()),
        )

    def send(self, frame: Frame, *, index: int = 0) -> None:
        """Write a frame of a recording, captured now."""
        self.say(self.shot(frame, captured_ns=time.time_ns(), index=index))


def read(order: pipe.Order, desk: Desk) -> None:
    """Read the source until its end or until told to stop.

    Raises:
        CameraError: it cannot be opened, or stopped delivering.
    """
    cv2.setNumThreads(1)  # the other cores are the recognizers'
    match order.kind:
        case "webcam":
            _watch(_open_webcam(order), order, desk)
        case "stream":
            capture = _open_stream(order)
            if capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0:  # a recording on a server, not a camera
                capture.release()
                _play(order, desk)
            else:
                _watch(capture, order, desk)
        case "clip":
            _play(order, desk)
        case "pictures":
            _turn_pages(order, desk)


def _open_webcam(order: pipe.Order) -> cv2.VideoCapture:
    device = order.places[0]
    backend = cv2.CAP_V4L2 if sys.platform.startswith("linux") else cv2.CAP_ANY
    capture = cv2.VideoCapture(device, backend)
    if not capture.isOpened():
        raise CameraError(f"cannot open {describe(order)}: {webcam_trouble(device)}")
    if order.size_px is not None:
        # Over USB 2, large pictures come at full rate only as MJPEG.
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, order.size_px[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, order.size_px[1])
    return capture


def _open_stream(order: pipe.Order) -> cv2.VideoCapture:
    """Open an address or a clip.

    FFmpeg's own time-outs are put out of the way: the node judges, and kills this process. One thread,
    because each further one holds a frame back (RTSP, H.264, 15 fps, 2 cores: 140 ms old against 72 ms).
    """
    patience_ms = math.ceil(order.read_timeout_s * 2000) + 60_000
    parameters = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, patience_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, patience_ms]
    parameters += [cv2.CAP_PROP_N_THREADS, 1]
    capture = cv2.VideoCapture(str(order.places[0]), cv2.CAP_FFMPEG, parameters)
    if not capture.isOpened():
        as_what = " as video" if order.kind == "clip" else ""
        advice = hint(str(order.places[0])) if order.kind == "stream" else ""
        raise CameraError(f"cannot open {describe(order)}{as_what}{advice and f' ({advice})'}")
    return capture


def _watch(capture: cv2.VideoCapture, order: pipe.Order, desk: Desk) -> None:
    """Read a camera as fast as it delivers, so that nothing old waits in a buffer, and send at `max_fps`."""
    desk.say(pipe.Opened())
    pace, still = Pace(order.max_fps), Stillness()
    last_frame: Frame | None = None
    last_jpeg = b""
    while not desk.stopped():
        if not capture.grab():
            raise CameraError("it stopped delivering" if last_jpeg else _nothing_came(order))
        captured_ns, at_s = time.time_ns(), time.monotonic()
        if not pace.admits(at_s):
            desk.tick()
            continue
        frame = _retrieve(capture)
        shot = desk.shot(frame, captured_ns=captured_ns)
        changed = shot.jpeg != last_jpeg or last_frame is None or not np.array_equal(frame, last_frame)
        still.note(changed=changed, position_ms=capture.get(cv2.CAP_PROP_POS_MSEC), at_s=at_s)
        last_frame, last_jpeg = frame, shot.jpeg
        ages = {"picture_age_s": still.picture_age_s, "position_age_s": still.position_age_s}
        desk.say(msgspec.structs.replace(shot, **ages))
    capture.release()


def _play(order: pipe.Order, desk: Desk) -> None:
    pace = Pace(order.max_fps)
    due_s = time.monotonic()
    while not desk.stopped():
        due_s = _play_once(order, desk, pace=pace, due_s=due_s)
        if not order.loop:
            desk.say(pipe.Ended())
            return


def _play_once(order: pipe.Order, desk: Desk, *, pace: Pace, due_s: float) -> float:
    """Play a clip at its own speed and return when a frame after its last would be due."""
    capture = _open_stream(order)
    desk.say(pipe.Opened())
    fps = capture.get(cv2.CAP_PROP_FPS)
    step_s = 1 / fps if 1 <= fps <= 240 else 1 / USUAL_FPS
    last_ms: float | None = None
    while not desk.stopped() and capture.grab():
        position_ms = capture.get(cv2.CAP_PROP_POS_MSEC)
        if last_ms is not None:
            passed_s = (position_ms - last_ms) / 1000
            due_s += passed_s if 0 < passed_s <= LONGEST_PAUSE_S else step_s
        last_ms = position_ms
        due_s = desk.wait_until(due_s)
        if pace.admits(due_s) and not desk.stopped():
            desk.send(_retrieve(capture))
    capture.release()
    if last_ms is None:
        raise CameraError(_nothing_came(order))
    return due_s + step_s


def _nothing_came(order: pipe.Order) -> str:
    said = f"no frame of {describe(order)} can be decoded"
    return f"{said}; it must be a stream, not a single picture" if order.kind == "stream" else said


def _retrieve(capture: cv2.VideoCapture) -> Frame:
    done, frame = capture.retrieve()
    if not done:
        raise CameraError("it delivered a frame that cannot be decoded")
    return np.asarray(frame, np.uint8)


def _turn_pages(order: pipe.Order, desk: Desk) -> None:
    """Show pictures one after the other at `max_fps`."""
    desk.say(pipe.Opened())
    due_s = time.monotonic()
    first, any_good = order.first, order.first > 0
    while not desk.stopped():
        for index in range(first, len(order.places)):
            due_s = desk.wait_until(due_s)
            if desk.stopped():
                return
            try:
                desk.send(_picture(Path(str(order.places[index]))), index=index)
            except (picture_child.Refused, OSError) as error:
                desk.say(pipe.Skipped(index=index, place=str(order.places[index]), reason=str(error)))
                continue
            any_good = True
            due_s += 1 / order.max_fps
        if not any_good:
            raise CameraError(f"{counted(len(order.places), 'picture')}, and none can be used")
        if not order.loop:
            desk.say(pipe.Ended())
            return
        first = 0


def _picture(path: Path) -> Frame:
    """Return a picture, upright.

    Raises:
        picture_child.Refused: it is too large, cut off, damaged, or not a picture of a kind that is read.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        contents = file.read(MAX_PICTURE_BYTES + 1)
    if len(contents) > MAX_PICTURE_BYTES:
        raise picture_child.Refused(f"larger than {MAX_PICTURE_BYTES // 2**20} MB")
    picture = picture_child.decode(contents, LONG_SIDE_PX)
    return np.ascontiguousarray(np.asarray(picture, np.uint8)[:, :, ::-1])


def _fit(frame: Frame, order: pipe.Order) -> Frame:
    """Return the frame scaled down, in proportion, to the size asked for and the pixels allowed."""
    height_px, width_px = frame.shape[:2]
    scale = min(1.0, math.sqrt(order.max_px / (width_px * height_px)))
    if order.size_px is not None:
        scale = min(scale, order.size_px[0] / width_px, order.size_px[1] / height_px)
    if scale == 1:
        return frame
    size = max(1, math.floor(width_px * scale + 1e-6)), max(1, math.floor(height_px * scale + 1e-6))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
