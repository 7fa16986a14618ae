"""Whether a face is alive, from how its encodings spread over frames."""

import msgspec
import numpy as np
import pytest

from tests.support.builders import a_face, some_encodings
from turnstile.liveness.sequence import (
    ALIVE_SPREAD,
    GIVE_UP_S,
    LEAST_FRAMES,
    LEAST_WIDTH_PX,
    MOST_FRAMES,
    MOST_KEPT,
    FaceSequence,
    is_alive,
    spread,
    with_face,
)
from turnstile.protocol.messages import Face

SECOND = 1_000_000_000


def a_look(take: int, *, moves: float, size: int = 100) -> Face:
    """Return a face whose encoding is `moves` away from the same one, in a direction of this take."""
    own, away = some_encodings(1, seed=1)[0], some_encodings(1, seed=1000 + take)[0]
    encoding = own / np.linalg.norm(own) + moves * away / np.linalg.norm(away)
    encoding /= np.linalg.norm(encoding)
    return msgspec.structs.replace(a_face(size=size), encoding=encoding.astype("<f4").tobytes())


def after(frames: int, *, moves: float, size: int = 100, rate: float = 10.0) -> FaceSequence:
    """Return the sequence of a face seen in so many frames."""
    sequence = FaceSequence()
    for at in range(frames):
        sequence = with_face(sequence, a_look(at, moves=moves, size=size), round((at / rate + 1) * SECOND))
    return sequence


def test_a_face_that_moves_is_alive_after_eight_frames() -> None:
    """Not after seven, however much it moves."""
    assert is_alive(after(LEAST_FRAMES - 1, moves=0.3)) is None
    assert is_alive(after(LEAST_FRAMES, moves=0.1)) is True


def test_a_still_is_not_alive_after_a_while() -> None:
    """Noise of the camera moves its encodings a little."""
    assert spread(after(MOST_FRAMES, moves=0.05)) < ALIVE_SPREAD
    assert is_alive(after(MOST_FRAMES - 1, moves=0.05)) is None
    assert is_alive(after(MOST_FRAMES, moves=0.05)) is False


def test_a_fast_camera_gives_a_face_the_same_time_to_move() -> None:
    """At 30 frames a second 24 frames are too short, and memory stays bounded."""
    assert is_alive(after(MOST_FRAMES, moves=0.05, rate=30)) is None
    long = after(100, moves=0.05, rate=30)
    assert is_alive(long) is False
    assert len(long.encodings) == MOST_KEPT


def test_somebody_quiet_who_moves_at_last_is_alive() -> None:
    """A smile is enough."""
    sequence = after(15, moves=0.04)
    assert is_alive(sequence) is None
    for at in range(8):
        sequence = with_face(sequence, a_look(100 + at, moves=0.2), round((2.5 + at / 10) * SECOND))
    assert is_alive(sequence) is True


def test_a_picture_that_comes_nearer_is_not_alive_by_that() -> None:
    """A face of another size begins a new sequence."""
    sequence = after(7, moves=0.1, size=60)
    sequence = with_face(sequence, a_look(7, moves=0.1, size=90), 2 * SECOND)
    assert len(sequence.encodings) == 1
    assert is_alive(sequence) is None


def test_a_picture_that_never_stays_at_one_size_is_given_up() -> None:
    """Nobody can hold a door up for ever."""
    sequence = FaceSequence()
    for at in range(round(GIVE_UP_S * 10) + 1):
        size = 60 if at % 2 else 120
        sequence = with_face(sequence, a_look(at, moves=0.3, size=size), SECOND + at * SECOND // 10)
    assert is_alive(sequence) is False


@pytest.mark.parametrize(
    "face", [a_look(0, moves=0.3, size=LEAST_WIDTH_PX - 1), msgspec.structs.replace(a_face(), encoding=b"")]
)
def test_small_faces_and_those_without_an_encoding_do_not_count(face: Face) -> None:
    """What they differ by is the picture's noise."""
    assert with_face(FaceSequence(), face, SECOND) == FaceSequence()


def answered(*answers: float | None, moves: float = 0.15) -> FaceSequence:
    """Return the sequence of a face after the network's answers to its frames; `None`: it was not asked."""
    sequence = FaceSequence()
    for at, alive in enumerate(answers):
        face = msgspec.structs.replace(a_look(at, moves=moves), alive=alive)
        sequence = with_face(sequence, face, round((at / 10 + 1) * SECOND))
    return sequence


def test_a_face_that_moves_is_not_alive_if_the_network_doubts_it() -> None:
    """By the mean of eight frames, as soon as there are so many."""
    assert is_alive(answered(*[0.4] * 7), asked=True) is None
    assert is_alive(answered(*[0.4] * 8), asked=True) is False
    assert is_alive(answered(*[0.6] * 8), asked=True) is True
    assert is_alive(answered(*[0.0] * 3, *[0.9] * 5), asked=True) is True


def test_a_still_that_the_network_believes_is_not_alive() -> None:
    """It only ever denies."""
    assert is_alive(answered(*[1.0] * MOST_FRAMES, moves=0.05), asked=True) is False


def test_only_the_first_eight_answers_count() -> None:
    """Of the visit, at whatever size its face was seen."""
    assert is_alive(answered(*[0.9] * 8, *[0.0] * 8), asked=True) is True
    sequence = answered(*[0.1] * 8)
    sequence = with_face(sequence, a_look(9, moves=0.1, size=60), 3 * SECOND)
    assert (len(sequence.encodings), len(sequence.alive)) == (1, 8)
    assert is_alive(sequence, asked=True) is False


def test_a_network_that_does_not_answer_lets_nobody_in() -> None:
    """A recognizer may lack it; where the site has none nobody waits for it."""
    silent = answered(*[None] * MOST_FRAMES)
    assert is_alive(answered(*[None] * 20, *[1.0] * 7), asked=True) is not True
    assert is_alive(silent, asked=True) is False
    assert is_alive(silent) is True


def test_nothing_seen_has_no_spread() -> None:
    """And says nothing."""
    assert spread(FaceSequence()) == 0
    assert is_alive(FaceSequence()) is None
