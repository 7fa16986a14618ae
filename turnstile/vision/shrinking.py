"""Pictures made by a child process: decoded for enrolment, or small JPEGs to show. Nothing here decodes."""

import subprocess
import sys
from pathlib import Path

from turnstile.errors import PictureError

MAX_BYTES = 32 * 2**20
CHILD_TIMEOUT_S = 20.0


def shrunk_jpeg(data: bytes, *, long_side_px: int) -> bytes:
    """Return a picture of any kind that is read as a JPEG, upright, with a long side of at most so much.

    Raises:
        PictureError: it is no such picture, or too large.
    """
    return ask_child(data, str(long_side_px), "jpeg").partition(b"\n")[2]


def ask_child(data: bytes, *arguments: str) -> bytes:
    """Return what the child process says of a picture, which begins with ``ok``.

    It has limits on memory, processor time and wall time: the picture may come from anywhere, and decoders
    are where pictures do harm. It takes about 0.15 s.

    Raises:
        PictureError: it is no picture, cut off, damaged, or too large; the text says which.
    """
    if not data:
        raise PictureError("the file is empty")
    if len(data) > MAX_BYTES:
        raise PictureError(f"the file has {len(data)} bytes; at most {MAX_BYTES} are read")
    child = Path(__file__).with_name("picture_child.py")
    command = [sys.executable, "-I", str(child), *arguments]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=CHILD_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise PictureError(f"the picture was not decoded within {CHILD_TIMEOUT_S:g} s") from error
    if done.returncode != 0:
        raise PictureError(_why_the_child_ended(done.returncode, done.stderr))
    if done.stdout.startswith(b"no "):
        raise PictureError(done.stdout[3:].partition(b"\n")[0].decode("utf-8", "replace"))
    return done.stdout


def _why_the_child_ended(code: int, stderr: bytes) -> str:
    """Return a sentence for the person whose picture ended the child that decoded it."""
    if code < 0:
        return "the picture takes more time or memory to decode than it may"
    last = stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
    return f"the picture is damaged and cannot be decoded ({last[:120]})"
