"""Read one camera in a process of its own: ``python -m turnstile.io.cameras.reader``, started by `feed`.

It takes an `Order` from standard input and writes records to standard output (`pipe`). It ends when the
source does, when it fails, or when standard input is closed, and then even while a read hangs. What OpenCV
and FFmpeg have to say goes to standard error.
"""

import contextlib
import os
import signal
import sys
import threading
import time

from turnstile.errors import CameraError, SetupError
from turnstile.io.cameras import pipe
from turnstile.vision.opencv import require_opencv

RELEASE_S = 0.25
"""How long a camera has to be let go properly once standard input is closed."""

FFMPEG_ERRORS, FFMPEG_WARNINGS = "16", "24"
"""What FFmpeg says of a stream it cannot open may be only a warning, such as ``HTTP error 503``."""

STREAM_OPTIONS = "rtsp_transport;tcp|fflags;nobuffer"
"""For FFmpeg. Over TCP pictures come whole. Without ``nobuffer`` the first frames of an RTSP camera with a
key frame every 2 s were 1.9 s old (measured)."""


def main() -> int:
    """Read until told to stop. Return 0; an expected failure is a record, any other a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the node decides
    records = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not stand between the records
    order = pipe.read(sys.stdin.buffer)
    if not isinstance(order, pipe.Order):
        return 0
    stop = threading.Event()
    threading.Thread(target=_end_with_input, args=(stop,), daemon=True).start()
    with contextlib.suppress(BrokenPipeError):
        try:
            _load_opencv(order)
            from turnstile.io.cameras.loops import Desk, read  # noqa: PLC0415 - loads OpenCV

            read(order, Desk(order, records, stop))
        except CameraError as error:
            pipe.write(records, pipe.Failed(reason=str(error), lasting=not order.is_live))
        except SetupError as error:
            pipe.write(records, pipe.Failed(reason=str(error), lasting=True))
    return 0


def _end_with_input(stop: threading.Event) -> None:
    """Ask the reading loop to end when standard input is closed; end the process if it does not."""
    try:
        while os.read(0, 4096):  # not sys.stdin, whose lock this thread would hold when the interpreter ends
            pass
    finally:  # whatever ends this thread ends the process
        stop.set()
        time.sleep(RELEASE_S)
        os._exit(0)


def _load_opencv(order: pipe.Order) -> None:
    """Load it with what it reads from the environment; what the operator has set there stays."""
    is_stream = order.kind == "stream"
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", FFMPEG_WARNINGS if is_stream else FFMPEG_ERRORS)
    if is_stream:
        os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", STREAM_OPTIONS)
    require_opencv()


if __name__ == "__main__":
    sys.exit(main())
