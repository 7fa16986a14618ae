"""Faces that no visit can be made of, and faces that turn: whoever stands in a place has one entry."""

import msgspec
import numpy as np
import pytest

from tests.support.builders import some_encodings
from tests.support.crowd import ANN, BOB, EVE, SETTINGS, Doorway, seen
from turnstile.access.linking import TURNED_S
from turnstile.access.visits import MAX_FLEETING
from turnstile.access.votes import MAX_TURN
from turnstile.protocol.messages import Face
from turnstile.protocol.reasons import Reason

GRANTED_ANN, DENIED = ("granted", ANN), ("denied", None)


@pytest.fixture
def doorway() -> Doorway:
    """Return a door that nobody has come to."""
    return Doorway()


def flickering(frame: int, *, left: int = 100) -> Face:
    """Return a face that is another one in each frame, such as on a screen that flickers."""
    encoding = np.asarray(some_encodings(1, seed=5000 + frame)[0], np.float32).tobytes()
    return msgspec.structs.replace(seen(EVE, left=left), encoding=encoding)


def flicker(doorway: Doorway, *, frames: int, begin: int = 0, after_s: float = 0.1) -> None:
    """Show a flickering face."""
    for frame in range(begin, begin + frames):
        doorway.see(flickering(frame), after_s=after_s)


@pytest.mark.parametrize("rate", [15, 10, 5, 3])
def test_a_face_that_is_new_in_every_frame_is_denied_once(doorway: Doorway, rate: int) -> None:
    """Its place is occupied for `deny_after_s`, and stays so."""
    flicker(doorway, frames=round(11 * rate) + MAX_FLEETING, after_s=1 / rate)
    assert doorway.verdicts == [DENIED]
    assert doorway.reasons == [Reason.UNKNOWN]
    assert doorway.decisions[0].conclusion.of >= 9 * rate
    flicker(doorway, frames=30 * rate, begin=1000, after_s=1 / rate)
    doorway.see(times=30)
    assert doorway.verdicts == [DENIED]


def test_a_face_that_is_new_in_every_frame_is_denied_when_it_leaves(doorway: Doorway) -> None:
    """It was there for long enough to be on record."""
    flicker(doorway, frames=20)
    assert doorway.verdicts == []
    doorway.see(times=30)
    assert doorway.verdicts == [DENIED]
    assert doorway.too_short == 0


def test_a_face_that_is_new_in_every_frame_is_denied_at_each_visit(doorway: Doorway) -> None:
    """A place that nobody stood in is another visit's."""
    for begin in (0, 500):
        flicker(doorway, frames=130, begin=begin)
        doorway.see(times=30)
    assert doorway.verdicts == [DENIED, DENIED]


def test_two_faces_that_are_new_in_every_frame_are_denied_each(doorway: Doorway) -> None:
    """They stand in two places."""
    for frame in range(130):
        doorway.see(flickering(frame), flickering(frame + 500, left=400))
    doorway.see(times=30)
    assert doorway.verdicts == [DENIED, DENIED]


def test_a_face_that_is_new_in_every_frame_keeps_few_visits_open(doorway: Doorway) -> None:
    """The state of a door is stored with each result."""
    flicker(doorway, frames=60)
    assert len(doorway.door.visits) <= MAX_FLEETING + 2


def test_a_face_that_is_new_in_every_frame_takes_a_granted_persons_place(doorway: Doorway) -> None:
    """A grant covers nobody else, for however long."""
    doorway.see(seen(ANN), times=5)
    flicker(doorway, frames=130)
    doorway.see(times=30)
    assert doorway.verdicts == [GRANTED_ANN, DENIED]


def test_whoever_is_recognised_in_the_place_of_a_flickering_face_is_granted(doorway: Doorway) -> None:
    """Before that one is denied, and afterwards."""
    flicker(doorway, frames=20)
    doorway.see(seen(ANN), times=5)
    doorway.see(times=30)
    assert GRANTED_ANN in doorway.verdicts
    flicker(doorway, frames=130, begin=500)
    doorway.see(seen(ANN), times=5)
    assert doorway.verdicts[-2:] == [DENIED, GRANTED_ANN]


def test_a_stranger_after_whom_somebody_else_is_seen_well_has_an_entry(doorway: Doorway) -> None:
    """Too many of the stranger's frames are unlike each other for a visit, and none is of the other face."""
    flicker(doorway, frames=5, after_s=0.2)
    doorway.see(seen(EVE), times=10, after_s=0.2)
    doorway.see(times=30)
    assert doorway.verdicts == [DENIED, DENIED]


def test_passers_by_in_one_place_are_no_visit(doorway: Doorway) -> None:
    """Nobody stood there between them."""
    for at in range(8):
        doorway.see(flickering(at), times=2)
        doorway.see(times=8)
    doorway.see(times=30)
    assert doorway.verdicts == []
    assert doorway.too_short == 8


def away(person: str | None, *, blur: float) -> Face:
    """Return a face that is turned too far to vote, and so far from the person's own."""
    return seen(person, as_person=None, blur=blur, turn=MAX_TURN + 0.1)


BADLY = 0.55
"""How far a face may be from a visit's if one of them is turned, and not if both are straight."""


def test_a_turned_face_that_is_new_in_every_frame_is_denied_once(doorway: Doorway) -> None:
    """None of its frames votes, and all are on record."""
    for frame in range(130):
        doorway.see(msgspec.structs.replace(flickering(frame), turn=MAX_TURN + 0.1))
    doorway.see(times=30)
    assert doorway.verdicts == [DENIED]
    assert doorway.reasons == [Reason.TURNED_AWAY]


def test_who_never_shows_the_face_is_denied_when_she_leaves(doorway: Doorway) -> None:
    """For a reason of its own, if she was there for as long as others who have an entry."""
    doorway.see(away(EVE, blur=0.1), times=8)
    assert doorway.verdicts == []
    doorway.see(times=30)
    assert doorway.verdicts == [DENIED]
    assert doorway.reasons == [Reason.TURNED_AWAY]
    doorway.see(away(EVE, blur=0.1), times=4)
    doorway.see(times=30)
    assert doorway.verdicts == [DENIED]


@pytest.mark.parametrize("person", [ANN, EVE])
def test_who_turns_away_for_seconds_and_leaves_has_one_entry(doorway: Doorway, person: str | None) -> None:
    """The turned face is as near to the straight one as a face seen badly."""
    doorway.see(seen(person), times=10)
    for _ in range(2):
        doorway.see(away(person, blur=BADLY), times=round(10 * TURNED_S))
        doorway.see(seen(person))
    doorway.see(away(person, blur=BADLY), times=round(10 * TURNED_S))
    doorway.see(times=30)
    assert doorway.verdicts == [("granted" if person else "denied", person)]


def test_who_stays_turned_away_for_longer_is_on_record_again(doorway: Doorway) -> None:
    """It may be a stranger who is near enough to whoever was granted."""
    doorway.see(seen(ANN), times=10)
    doorway.see(away(ANN, blur=BADLY), times=round(10 * TURNED_S) + 9)
    doorway.see(times=30)
    assert doorway.verdicts == [GRANTED_ANN, DENIED]


def test_who_comes_with_a_turned_head_and_looks_at_the_camera_has_one_entry(doorway: Doorway) -> None:
    """And is granted at once."""
    doorway.see(away(ANN, blur=BADLY), times=20)
    doorway.see(seen(ANN), times=3)
    assert doorway.verdicts == [GRANTED_ANN]
    doorway.see(times=30)
    assert doorway.verdicts == [GRANTED_ANN]


@pytest.mark.parametrize("person", [ANN, None])
def test_a_stranger_who_keeps_the_head_turned_behind_somebody_has_an_entry(
    doorway: Doorway, person: str | None
) -> None:
    """Her turned face is far from the face before."""
    doorway.see(seen(person), times=10)
    doorway.see(away(BOB, blur=BADLY), times=8)
    doorway.see(times=30)
    assert doorway.verdicts == [("granted" if person else "denied", person), DENIED]
    assert doorway.reasons[-1] is Reason.TURNED_AWAY


def test_a_straight_face_as_far_away_is_another_visit(doorway: Doorway) -> None:
    """So it is with a recognizer that does not measure how far heads are turned."""
    doorway.see(seen(ANN), times=10)
    doorway.see(seen(ANN, as_person=None, blur=BADLY), times=10)
    doorway.see(times=30)
    assert doorway.verdicts == [GRANTED_ANN, DENIED]


@pytest.mark.parametrize("rate", [15, 10])
@pytest.mark.parametrize("frontal", [2, 5, 12])
def test_a_stranger_who_turns_the_head_has_one_entry(doorway: Doorway, rate: int, frontal: int) -> None:
    """Each frame is like the one before, and the last unlike the first."""
    for turn in (*[0.0] * frontal, *np.arange(0, 0.8, 0.1), *[0.8] * 12):
        doorway.see(seen(EVE, blur=float(turn)), after_s=1 / rate)
    doorway.see(times=30)
    assert doorway.verdicts == [DENIED]


def test_a_stranger_who_turns_the_head_and_back_has_one_entry(doorway: Doorway) -> None:
    """The entry is of the turned face if that was seen for longer."""
    there = np.arange(0, 0.8, 0.1)
    for turn in (*[0.0] * 3, *there, *[0.8] * 12, *there[::-1], *[0.0] * 12):
        doorway.see(seen(EVE, blur=float(turn)))
    doorway.see(times=30)
    assert doorway.verdicts == [DENIED]


def test_somebody_enrolled_who_comes_with_the_head_turned_is_granted(doorway: Doorway) -> None:
    """Nobody recognised her before."""
    for turn in (*[0.8] * 3, 0.6, 0.4, 0.2):
        doorway.see(seen(ANN, as_person=None, blur=float(turn)))
    doorway.see(seen(ANN), times=5)
    doorway.see(times=30)
    assert doorway.verdicts == [GRANTED_ANN]


def test_a_stranger_seen_briefly_from_two_sides_has_one_entry(doorway: Doorway) -> None:
    """Neither side was seen for long enough by itself."""
    doorway.see(seen(EVE), times=2, after_s=0.25)
    doorway.see(seen(EVE, blur=0.8), times=3, after_s=0.25)
    doorway.see(times=30)
    assert doorway.verdicts == [DENIED]
    assert SETTINGS.votes_needed <= doorway.decisions[0].conclusion.of <= 5


def test_a_face_whose_second_visit_goes_on_with_the_first_has_one_entry(doorway: Doorway) -> None:
    """The second followed the first. When both are one it follows nobody, as it would follow itself."""
    for take in range(4):
        doorway.see(seen(EVE, blur=0.25, take=take))
    doorway.see(seen(EVE, blur=0.44, take=99), times=3)
    first, second = doorway.door.visits
    assert second.follows == first.visit
    doorway.see(times=30)
    assert doorway.verdicts == [DENIED]
    assert doorway.door.visits == ()


@pytest.mark.parametrize("rate", [5, 3])
def test_a_stranger_with_one_bad_frame_between_two_good_ones_has_an_entry(
    doorway: Doorway, rate: int
) -> None:
    """All frames count: two of a face would be too few."""
    for blur in (*[0.05] * (rate - 2), 0.8, 0.05):
        doorway.see(seen(EVE, blur=blur), after_s=1 / rate)
    doorway.see(times=3 * rate, after_s=1 / rate)
    assert doorway.verdicts == [DENIED]


def test_a_denied_face_that_turns_back_slowly_has_no_second_entry(doorway: Doorway) -> None:
    """It began another visit while it was turned. The means of both are as near as two frames of one face."""
    for take in range(30):
        doorway.see(seen(EVE, blur=0.15, take=take))
    assert doorway.verdicts == [DENIED]
    for blur in (0.5, 0.4, 0.3, 0.2, 0.1):
        doorway.see(seen(EVE, blur=blur, take=77), times=2)
    assert len(doorway.door.visits) == 2
    for take in range(60):
        doorway.see(seen(EVE, blur=0.05, take=take))
    assert all(visit.verdict == "denied" for visit in doorway.door.visits)
    doorway.see(times=30)
    assert doorway.verdicts == [DENIED]
