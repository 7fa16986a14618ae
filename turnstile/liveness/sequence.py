"""The spread of a face's encodings over frames: a still is too constant.

A living face moves a little even when nobody speaks, and its encodings move with it. A photograph gives the
same face again and again. A face is alive as soon as the spread of at least `LEAST_FRAMES` frames reaches
`ALIVE_SPREAD`. It is not alive if that has not happened after `MOST_FRAMES` frames and `PATIENCE_S`.

Encodings also move when a picture comes nearer, so a face of another size begins a new sequence.

Where the owner supplied a network, it judges the visit's first `ALIVE_FRAMES` frames, too. No face is alive
before it has, nor if the mean of its answers is below `LEAST_ALIVE`.
"""

from statistics import fmean

import msgspec
import numpy as np

from turnstile.people.encodings import is_encoding, matrix
from turnstile.protocol.messages import Face

LEAST_FRAMES = 8
"""Fewer frames never say that a face is alive."""

MOST_FRAMES = 24
PATIENCE_S = 2.3
"""A face that has been too constant for so many frames and so long is a still. A fast camera needs longer."""

GIVE_UP_S = 10.0
"""A face that never stays at one size for long enough is not alive after so long. Unmeasured."""

MOST_KEPT = 72
"""Frames of a sequence that are kept: `PATIENCE_S` at 30 a second."""

ALIVE_SPREAD = 0.075
"""Mean distance of a sequence's encodings from their mean, for `mirror` at unit length.

Set on half of 8 people it is 0.0825 or 0.085, which denies 0 to 2 of 7 to 11 windows of the others. This is
below those, so that fewer are denied. It was seen on all clips: the errors at it are no promise
(`benchmarks.liveness`, faces 40 to 120 pixels wide, 2026-11). Other policies are unmeasured."""

ALIVE_FRAMES = 8
LEAST_ALIVE = 0.5
"""A face is a picture that somebody shows if the mean of the network's answers is below this.

A trial denied 5 of 5 replays and 0 of 52 living people over 8 frames; 3 frames did not suffice. Set on half
of 8 people it is 0.8 or 0.9. Of the pictures of 153 people in LFW, 12 % lie below 0.5 and 29 % below 0.9
(2026-11)."""

LEAST_WIDTH_PX = 50
"""Narrower faces do not count: their encodings move by the noise of the picture alone."""

SAME_SIZE = 1.25
"""A face this much wider or narrower than at the beginning of a sequence begins a new one."""


class FaceSequence(msgspec.Struct, frozen=True, kw_only=True):
    """The encodings of one face, seen at one size."""

    encodings: tuple[bytes, ...] = ()
    """Little-endian float32 `(128,)` each, at most `MOST_KEPT`, newest last."""
    width_px: int = 0
    """How wide the first face was."""
    began_ns: int = 0
    """When the first frame came, on the broker's running clock."""
    newest_ns: int = 0
    tried_since_ns: int = 0
    """When the first frame of the visit came that counted, in this sequence or one before."""
    alive: tuple[float, ...] = ()
    """The network's answers to the visit's first frames, at most `ALIVE_FRAMES`."""


def with_face(sequence: FaceSequence, face: Face, came_ns: int) -> FaceSequence:
    """Return the sequence after one more frame, or a new one if the face has another size."""
    width_px = face.box_px.width
    if width_px < LEAST_WIDTH_PX or not is_encoding(face.encoding):
        return sequence
    alive = (*sequence.alive, *([] if face.alive is None else [face.alive]))[:ALIVE_FRAMES]
    if sequence.encodings and 1 / SAME_SIZE <= width_px / sequence.width_px <= SAME_SIZE:
        return msgspec.structs.replace(
            sequence,
            encodings=(*sequence.encodings, face.encoding)[-MOST_KEPT:],
            newest_ns=max(came_ns, sequence.newest_ns),
            alive=alive,
        )
    return FaceSequence(
        encodings=(face.encoding,),
        width_px=width_px,
        began_ns=came_ns,
        newest_ns=came_ns,
        tried_since_ns=sequence.tried_since_ns or came_ns,
        alive=alive,
    )


def is_alive(
    sequence: FaceSequence,
    *,
    asked: bool = False,
    alive_spread: float = ALIVE_SPREAD,
    least_alive: float = LEAST_ALIVE,
) -> bool | None:
    """Tell whether the face of a sequence is alive; `None` while that is open.

    Args:
        sequence: of a visit.
        asked: whether the network has to say so, too.
        alive_spread: least spread.
        least_alive: least mean of the network's answers.
    """
    answered = len(sequence.alive) >= ALIVE_FRAMES
    if asked and answered and fmean(sequence.alive) < least_alive:
        return False
    moves = len(sequence.encodings) >= LEAST_FRAMES and spread(sequence) >= alive_spread
    if moves and (answered or not asked):
        return True
    frames = len(sequence.encodings)
    constant_s = (sequence.newest_ns - sequence.began_ns) / 1e9
    tried_s = (sequence.newest_ns - sequence.tried_since_ns) / 1e9
    if tried_s >= GIVE_UP_S or (frames >= MOST_FRAMES and constant_s >= PATIENCE_S):
        return False
    return None


def spread(sequence: FaceSequence) -> float:
    """Return the mean distance of the encodings, each scaled to unit length, from their mean; 0 of none."""
    if not sequence.encodings:
        return 0.0
    rows = matrix(b"".join(sequence.encodings)).astype(np.float64)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return float(np.linalg.norm(rows - rows.mean(axis=0), axis=1).mean())
