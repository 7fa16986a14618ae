"""Visits: who is linked to what, what is decided and why, and when a visit ends."""

import msgspec
import pytest

from tests.support.builders import START_NS, a_box, a_face, a_stranger
from tests.support.crowd import ANN, BOB, EVE, SETTINGS, STEP_NS, Doorway, seen
from turnstile.access.door import MAX_VISITS, Door, asks_network, resumed, visits_of, without_visits_of
from turnstile.access.visits import MAX_FOLDED
from turnstile.access.votes import MAX_TURN, grant
from turnstile.protocol.messages import Face
from turnstile.protocol.reasons import Reason

GRANTED_ANN, GRANTED_BOB, DENIED = ("granted", ANN), ("granted", BOB), ("denied", None)


@pytest.fixture
def doorway() -> Doorway:
    """Return a door that nobody has come to."""
    return Doorway()


def test_three_agreeing_frames_grant(doorway: Doorway) -> None:
    """Not two."""
    assert doorway.see(seen(ANN, distance=0.3), times=2) == []
    (decision,) = doorway.see(seen(ANN, distance=0.25, margin=0.4))
    found = decision.conclusion
    assert (found.verdict, found.person, found.reason) == ("granted", ANN, Reason.RECOGNISED)
    assert (found.votes, found.of) == (3, 3)
    assert found.measure.distance == pytest.approx(0.25)
    assert found.measure.margin == pytest.approx(0.4)


def test_somebody_near_the_limit_needs_more_votes_and_more_time(doorway: Doorway) -> None:
    """Five of seven, and 0.6 s in view."""
    near = seen(ANN, distance=0.95 * SETTINGS.max_distance)
    assert doorway.see(near, times=6) == []
    (decision,) = doorway.see(near)
    assert (decision.conclusion.votes, decision.conclusion.of) == (7, 7)


def test_a_fast_camera_grants_nobody_near_the_limit_sooner(doorway: Doorway) -> None:
    """Its frames show the same face at the same moment."""
    near = seen(ANN, distance=0.95 * SETTINGS.max_distance)
    doorway.see(near, times=30, after_s=1 / 60)
    assert doorway.verdicts == []
    doorway.see(near, times=8, after_s=1 / 60)
    assert doorway.verdicts == [GRANTED_ANN]


def test_somebody_near_the_limit_is_not_denied_for_the_frame_that_comes_when_votes_are_enough(
    doorway: Doorway,
) -> None:
    """At 15 a second the time in view is up after ten frames, and the tenth may be beyond the limit."""
    near, beyond = seen(ANN, distance=0.95 * SETTINGS.max_distance), seen(ANN, as_person=None)
    for face in (*[near] * 8, beyond, beyond, near):
        doorway.see(face, after_s=1 / 15)
    assert doorway.verdicts == [GRANTED_ANN]


def test_somebody_whom_half_of_the_frames_name_is_denied_in_the_end(doorway: Doorway) -> None:
    """A stranger whom some frames name waits twice as long, not for ever."""
    near, beyond = seen(ANN, distance=0.95 * SETTINGS.max_distance), seen(ANN, as_person=None)
    for face in [near, beyond] * 9:
        doorway.see(face, after_s=1 / 15)
    assert doorway.verdicts == []
    doorway.see(near, beyond, after_s=1 / 15)
    doorway.see(near, after_s=1 / 15)
    assert doorway.verdicts == [DENIED]


def test_three_frames_within_the_limit_do_not_grant_somebody_near_it(doorway: Doorway) -> None:
    """A stranger's frames come within it by chance. The entry says by how much the person was missed."""
    near = seen(ANN, distance=0.95 * SETTINGS.max_distance)
    for face in (near, near, near, *[seen(ANN, as_person=None)] * 9):
        doorway.see(face)
    assert doorway.verdicts == [DENIED]
    found = doorway.decisions[0].conclusion
    assert (found.reason, found.measure.nearest) == (Reason.UNKNOWN, ANN)
    assert found.measure.distance is not None
    assert found.measure.limit is not None
    assert found.measure.distance > found.measure.limit
    assert found.votes == found.of


def test_what_was_considered_and_not_decided_is_counted(doorway: Doorway) -> None:
    """Passers-by, and faces seen badly that were somebody's who has an entry."""
    doorway.see(seen(EVE), times=2)
    doorway.see(times=30)
    assert (doorway.too_short, doorway.joined) == (1, 0)
    doorway.see(seen(ANN), times=5)
    doorway.see(seen(ANN, as_person=None, blur=TURNED_BLUR, take=1), times=5)
    doorway.see(seen(ANN), times=5)
    doorway.see(times=30)
    assert (doorway.too_short, doorway.joined) == (1, 1)
    assert doorway.verdicts == [GRANTED_ANN]


def test_a_stranger_who_looks_away_again_and_again_has_an_entry(doorway: Doorway) -> None:
    """The time in which a face was seen badly counts as time in view, once it is known to be the same."""
    for at in range(4):
        doorway.see(seen(EVE), times=2, after_s=1 / 15)
        doorway.see(seen(EVE, blur=TURNED_BLUR, take=at), times=3, after_s=1 / 15)
    doorway.see(seen(EVE), after_s=1 / 15)
    doorway.see(times=30)
    assert doorway.verdicts == [DENIED]


def test_a_verdict_is_given_once(doorway: Doorway) -> None:
    """However long somebody stands there."""
    doorway.see(seen(ANN), times=100)
    assert doorway.verdicts == [GRANTED_ANN]


def test_unknown_frames_count_against_a_person(doorway: Doorway) -> None:
    """Two good frames in five are not enough, wherever they stand; three are."""
    for blurred in (False, True, True, False, True, True):
        doorway.see(seen(ANN, as_person=None if blurred else ANN))
    assert doorway.verdicts == []
    doorway.see(seen(ANN))
    doorway.see(seen(ANN))
    assert doorway.verdicts == [GRANTED_ANN]


def test_a_stranger_is_denied_after_enough_frames(doorway: Doorway) -> None:
    """Eight votes, 0.7 s at ten a second."""
    assert doorway.see(seen(EVE), times=7) == []
    (decision,) = doorway.see(seen(EVE))
    assert decision.conclusion.reason is Reason.UNKNOWN
    assert doorway.see(seen(EVE), times=50) == []


def test_a_fast_camera_denies_no_sooner(doorway: Doorway) -> None:
    """Eight frames of a camera of 60 are 0.12 s: too short to look up."""
    doorway.see(seen(EVE), times=30, after_s=1 / 60)
    assert doorway.verdicts == []
    doorway.see(seen(EVE), times=8, after_s=1 / 60)
    assert doorway.verdicts == [DENIED]


def test_who_is_recognised_last_gets_the_frames_to_prove_it(doorway: Doorway) -> None:
    """Somebody who looks up in the eighth frame is not denied in it."""
    doorway.see(seen(ANN, as_person=None), times=7)
    doorway.see(seen(ANN), times=3)
    assert doorway.verdicts == [GRANTED_ANN]


def test_two_enrolled_people_about_equally_near_are_ambiguous(doorway: Doorway) -> None:
    """The nearest must be ahead by the margin."""
    doorway.see(seen(ANN, margin=0.01), times=8)
    assert doorway.verdicts == [DENIED]
    assert doorway.reasons == [Reason.AMBIGUOUS]


def test_frames_that_name_different_people_are_ambiguous(doorway: Doorway) -> None:
    """One face taken for two people in turn is neither."""
    for at in range(10):
        doorway.see(seen(ANN, as_person=(ANN, BOB, None)[at % 3]))
    assert doorway.reasons == [Reason.AMBIGUOUS]


@pytest.mark.parametrize(
    ("face", "reason"),
    [
        (seen(ANN, size=30), Reason.TOO_SMALL),
        (seen(ANN, sharpness=5), Reason.BLURRED),
        (seen(ANN, turn=MAX_TURN + 0.1), Reason.TURNED_AWAY),
    ],
)
def test_faces_seen_badly_do_not_vote(doorway: Doorway, face: object, reason: Reason) -> None:
    """They are denied after a time, for that reason, and not before."""
    assert isinstance(face, type(seen(ANN)))
    doorway.see(face, times=90)
    assert doorway.verdicts == []
    doorway.see(face, times=20)
    assert doorway.reasons == [reason]


def test_somebody_who_comes_closer_is_granted(doorway: Doorway) -> None:
    """Frames from too far away cost nothing."""
    doorway.see(seen(ANN, size=30), times=60)
    doorway.see(seen(ANN, size=60), times=3)
    assert doorway.verdicts == [GRANTED_ANN]


def test_results_that_come_too_late_never_vote(doorway: Doorway) -> None:
    """However many, and however sure."""
    doorway.see(seen(ANN), times=90, age_s=2.5)
    assert doorway.verdicts == []
    doorway.see(seen(ANN), times=30, age_s=2.5)
    assert doorway.reasons == [Reason.RESULT_TOO_OLD]


def test_late_results_begin_no_vote_but_keep_a_visit_open(doorway: Doorway) -> None:
    """While recognition is slow for a while, nobody is logged twice."""
    doorway.see(seen(ANN), times=3)
    doorway.see(seen(ANN), times=40, age_s=2.5)
    doorway.see(seen(ANN), times=5)
    assert doorway.verdicts == [GRANTED_ANN]


def test_votes_older_than_the_window_do_not_count(doorway: Doorway) -> None:
    """Two glances and one half a minute later are not three."""
    doorway.see(seen(ANN), times=2)
    doorway.see(seen(ANN), after_s=30)
    assert doorway.verdicts == []


def test_two_people_side_by_side_get_a_verdict_each(doorway: Doorway) -> None:
    """Votes of one never count for the other."""
    doorway.see(seen(ANN, left=100), seen(BOB, left=180), times=3)
    assert sorted(doorway.verdicts) == [GRANTED_ANN, GRANTED_BOB]


def test_a_stranger_beside_somebody_known_gets_nothing_from_them(doorway: Doorway) -> None:
    """Even when they change places in every frame."""
    for at in range(20):
        left, right = (100, 180) if at % 2 else (180, 100)
        doorway.see(seen(ANN, left=left), seen(EVE, left=right))
    assert sorted(doorway.verdicts, key=str) == [DENIED, GRANTED_ANN]


def test_a_swap_of_persons_in_one_place_starts_a_new_visit(doorway: Doorway) -> None:
    """Without an empty frame between them."""
    doorway.see(seen(ANN), times=2)
    doorway.see(seen(EVE), times=30)
    assert doorway.verdicts == [DENIED]


def test_a_grant_covers_nobody_who_takes_the_place(doorway: Doorway) -> None:
    """The stranger who steps in has a visit of their own, and a verdict."""
    doorway.see(seen(ANN), times=5)
    doorway.see(seen(EVE), times=30)
    assert doorway.verdicts == [GRANTED_ANN, DENIED]


def test_somebody_enrolled_who_takes_the_place_is_granted_too(doorway: Doorway) -> None:
    """A queue of two leaves two entries."""
    doorway.see(seen(ANN), times=5)
    doorway.see(seen(BOB), times=5)
    assert doorway.verdicts == [GRANTED_ANN, GRANTED_BOB]


def test_a_hand_before_the_face_leaves_no_entry(doorway: Doorway) -> None:
    """For more frames than a denial needs, and with an encoding far from the person's."""
    doorway.see(seen(ANN), times=3)
    doorway.see(seen(ANN, as_person=None, blur=0.6, take=1), times=12)
    doorway.see(seen(ANN), times=10)
    assert doorway.verdicts == [GRANTED_ANN]


def test_frames_seen_badly_in_between_count_against(doorway: Doorway) -> None:
    """Good frames picked out of bad ones of one face do not grant."""
    for at in range(12):
        bad = at % 3
        face = seen(ANN, as_person=None, blur=0.7, take=at) if bad else seen(ANN)
        doorway.see(face)
    assert GRANTED_ANN not in doorway.verdicts


def test_a_look_alike_beside_the_person_is_not_let_in_by_their_name(doorway: Doorway) -> None:
    """Two faces at once cannot both be one person."""
    doorway.see(seen(ANN, left=100), seen(EVE, as_person=ANN, left=300), times=5)
    assert doorway.verdicts == [GRANTED_ANN, DENIED]
    assert doorway.reasons[1] is Reason.AMBIGUOUS


def test_one_mistaken_frame_does_not_complete_the_votes_of_another(doorway: Doorway) -> None:
    """Two frames of somebody who left, and one of a stranger taken for them, grant nothing."""
    doorway.see(seen(ANN), times=2)
    doorway.see(times=5)
    doorway.see(seen(EVE, as_person=ANN))
    doorway.see(seen(EVE), times=30)
    assert doorway.verdicts == [DENIED]


def test_one_mistaken_frame_does_not_put_a_stranger_under_a_grant(doorway: Doorway) -> None:
    """Who follows somebody in, and is taken for them once, has a visit and a verdict nevertheless."""
    doorway.see(seen(ANN), times=5)
    doorway.see(seen(EVE, as_person=ANN))
    doorway.see(seen(EVE), times=30)
    assert doorway.verdicts == [GRANTED_ANN, DENIED]


def test_somebody_recognised_again_after_a_blur_is_not_logged_twice(doorway: Doorway) -> None:
    """A face lost for a second, and seen elsewhere with an encoding that links to nothing."""
    doorway.see(seen(ANN), times=3)
    doorway.see(times=8)
    doorway.see(seen(ANN, as_person=None, blur=0.8, take=5, left=400), times=2)
    doorway.see(seen(ANN, left=400), times=10)
    assert doorway.verdicts == [GRANTED_ANN]


def test_a_visit_ends_after_an_observed_absence(doorway: Doorway) -> None:
    """Two seconds of frames without the face."""
    doorway.see(seen(ANN), times=3)
    doorway.see(times=19)
    doorway.see(seen(ANN), times=3)
    doorway.see(times=21)
    doorway.see(seen(ANN), times=3)
    assert doorway.verdicts == [GRANTED_ANN, GRANTED_ANN]


def test_who_leaves_before_a_verdict_is_denied_when_the_visit_ends(doorway: Doorway) -> None:
    """Once, and with what the frames said."""
    doorway.see(seen(EVE), times=7)
    assert doorway.see(times=19) == []
    (decision,) = doorway.see(times=2)
    assert (decision.conclusion.verdict, decision.conclusion.reason) == ("denied", Reason.UNKNOWN)
    assert (decision.conclusion.votes, decision.conclusion.of) == (7, 7)
    assert decision.face.box_px == seen(EVE).box_px
    assert doorway.see(times=50) == []
    doorway.see(seen(ANN), times=3)
    assert doorway.verdicts == [DENIED, GRANTED_ANN]


def test_a_passer_by_is_no_visit_to_log(doorway: Doorway) -> None:
    """Two votes are too few, many in the blink of an eye too, and a face too small to tell gives none."""
    doorway.see(seen(EVE), times=2)
    doorway.see(times=30)
    doorway.see(seen(EVE), times=20, after_s=1 / 60)
    doorway.see(times=30)
    doorway.see(seen(EVE, size=SETTINGS.min_face_px - 1), times=20)
    doorway.see(times=30)
    assert doorway.verdicts == []


@pytest.mark.parametrize("outage_s", [1, 60, 86_400])
def test_an_outage_neither_ends_nor_doubles_a_visit(doorway: Doorway, outage_s: float) -> None:
    """Nothing was seen, so no absence was observed."""
    doorway.see(seen(ANN), times=3)
    doorway.see(seen(ANN), after_s=outage_s)
    doorway.see(seen(ANN), times=5)
    assert doorway.verdicts == [GRANTED_ANN]


YEARS_S = 10 * 365 * 86_400.0


@pytest.mark.parametrize("by_s", [-YEARS_S, -3600, -1, 1, 3600, YEARS_S])
def test_a_cameras_clock_that_is_set_changes_nothing(doorway: Doorway, by_s: float) -> None:
    """Before, during and after it, each visit has one verdict, and ends as ever."""
    doorway.see(seen(ANN), times=2)
    doorway.set_by_s = by_s
    doorway.see(seen(ANN), times=2)
    doorway.see(times=21)
    assert (doorway.verdicts, doorway.door.visits) == ([GRANTED_ANN], ())
    doorway.see(seen(BOB), times=3)
    assert doorway.verdicts == [GRANTED_ANN, GRANTED_BOB]


def test_a_camera_whose_clock_stands_still_is_decided_upon(doorway: Doorway) -> None:
    """And visits at it end."""
    for person in (ANN, BOB):
        for faces in [[seen(person)]] * 3 + [[]] * 21:
            doorway.set_by_s -= 0.1
            doorway.see(*faces)
    assert doorway.verdicts == [GRANTED_ANN, GRANTED_BOB]


def test_a_camera_that_starts_again_with_its_clock_set_back_is_decided_upon_at_once(doorway: Doorway) -> None:
    """Its frames are numbered from the beginning."""
    doorway.seq = 1000
    doorway.see(seen(ANN), times=3)
    doorway.seq, doorway.set_by_s = 0, -3600.0
    doorway.see(seen(BOB, left=300), times=3)
    assert doorway.verdicts == [GRANTED_ANN, GRANTED_BOB]


def test_visits_of_a_camera_that_repeats_its_times_and_numbers_have_names_of_their_own(
    doorway: Doorway,
) -> None:
    """The journal takes two decisions of one name for one."""
    for _ in range(2):
        doorway.seq, doorway.set_by_s = 0, doorway.set_by_s - 2.4
        doorway.see(seen(EVE), times=9)
        doorway.see(times=15)
        doorway.see(times=10)
    assert len({one.visit for one in doorway.decisions}) == len(doorway.decisions) == 2


def test_a_broker_that_starts_on_another_clock_goes_on_with_its_visits(doorway: Doorway) -> None:
    """After the machine started anew; who is decided has no second entry, the others need new votes."""
    doorway.see(seen(ANN), times=3)
    doorway.see(seen(ANN), seen(BOB, left=300), times=2)
    doorway.door, doorway.now_ns = resumed(doorway.door), 1_000_000_000
    doorway.see(seen(ANN), seen(BOB, left=300), times=2)
    assert doorway.verdicts == [GRANTED_ANN]
    doorway.see(seen(ANN), seen(BOB, left=300))
    assert doorway.verdicts == [GRANTED_ANN, GRANTED_BOB]
    doorway.see(times=21)
    assert doorway.door.visits == ()


def test_a_result_that_comes_twice_counts_once(doorway: Doorway) -> None:
    """A recognizer may send it again after a reconnect."""
    for _ in range(10):
        doorway.take(seen(ANN), seq=1, came_ns=START_NS)
        doorway.take(seen(ANN), seq=2, came_ns=START_NS + STEP_NS)
    assert doorway.verdicts == []


def test_results_out_of_order_vote(doorway: Doorway) -> None:
    """Recognizers of different speed finish as they please."""
    for seq in (3, 1, 2):
        doorway.take(seen(ANN), seq=seq, came_ns=START_NS + seq * STEP_NS)
    assert doorway.verdicts == [GRANTED_ANN]


def test_a_late_result_brings_nobody_back(doorway: Doorway) -> None:
    """It tells of a time before the newest, in which somebody had not left yet."""
    doorway.see(seen(ANN), times=3)
    left_ns, left_seq = doorway.now_ns, doorway.seq
    doorway.seq += 10
    doorway.see(times=25)
    for at in range(1, 8):
        doorway.take(seen(ANN, take=at), seq=left_seq + at, came_ns=left_ns + at * STEP_NS // 2)
    assert doorway.verdicts == [GRANTED_ANN]
    assert doorway.door.visits == ()


def test_only_the_nearest_face_votes_where_the_door_says_so() -> None:
    """Whoever stands behind waits without a verdict."""
    doorway = Doorway(msgspec.structs.replace(SETTINGS, nearest_only=True))
    doorway.see(seen(ANN, size=90), seen(BOB, left=300, size=60), times=200)
    assert doorway.verdicts == [GRANTED_ANN]
    doorway.see(seen(BOB, left=300, size=60), times=3)
    assert doorway.verdicts == [GRANTED_ANN, GRANTED_BOB]


def test_an_objection_turns_a_grant_into_a_denial_that_names_the_person() -> None:
    """The rules know why."""
    doorway = Doorway(objection=lambda found: Reason.BLOCKED if found.person == ANN else None)
    doorway.see(seen(ANN), seen(BOB, left=300), times=20)
    assert sorted(doorway.verdicts) == [("denied", ANN), GRANTED_BOB]
    assert set(doorway.reasons) == {Reason.BLOCKED, Reason.RECOGNISED}


def test_somebody_denied_by_name_is_not_tried_again_in_the_visit() -> None:
    """A door that opens at eight does not open to who stands there since five to eight."""
    objections: list[Reason | None] = [Reason.OUTSIDE_SCHEDULE]
    doorway = Doorway(objection=lambda _: objections[0])
    doorway.see(seen(ANN), times=5)
    objections[0] = None
    doorway.see(seen(ANN), times=50)
    assert doorway.verdicts == [("denied", ANN)]


def test_without_encodings_faces_are_linked_by_place_and_name(doorway: Doorway) -> None:
    """Recognizers that send none still make one visit of one person."""
    for at in range(12):
        doorway.see(a_face(ANN, left=100 + 20 * at), a_stranger(left=500))
    assert sorted(doorway.verdicts, key=str) == [DENIED, GRANTED_ANN]


def test_the_state_of_a_door_survives_being_stored(doorway: Doorway) -> None:
    """The journal keeps open visits, so that a restart of the broker doubles none."""
    doorway.see(seen(ANN), seen(EVE, left=400), times=5)
    stored = msgspec.msgpack.encode(doorway.door)
    doorway.door = msgspec.msgpack.decode(stored, type=Door)
    doorway.see(seen(ANN), seen(EVE, left=400), after_s=30, times=20)
    assert sorted(doorway.verdicts, key=str) == [DENIED, GRANTED_ANN]


def test_the_state_of_a_door_is_bounded(doorway: Doorway) -> None:
    """A crowd that stands there all day costs no memory."""
    for _ in range(700):
        doorway.see(seen(ANN), seen(EVE, left=400))
    assert len(doorway.door.visits) == 2
    assert len(doorway.door.folded) == MAX_FOLDED
    assert len(msgspec.msgpack.encode(doorway.door)) < 20_000


def test_faces_without_end_are_bounded(doorway: Doorway) -> None:
    """A recognizer gone wrong; somebody real is decided upon."""
    for turn in range(20):
        ghosts = [
            seen(EVE, left=10_000 + (100 * at + 3300 * turn) % 50_000, take=at + 256 * turn, blur=5)
            for at in range(256)
        ]
        doorway.see(seen(ANN, size=200), *ghosts, after_s=0)
    assert len(doorway.door.visits) == MAX_VISITS
    assert GRANTED_ANN in doorway.verdicts


def test_a_face_with_nobody_second_has_no_margin_to_fall_short_of(doorway: Doorway) -> None:
    """Where one person alone is enrolled, the distance decides."""
    alone = msgspec.structs.replace(seen(ANN), second_distance=None)
    doorway.see(alone, times=3)
    assert doorway.verdicts == [("granted", ANN)]


def test_a_frame_that_names_nobody_completes_no_grant(doorway: Doorway) -> None:
    """The votes before it are for somebody, but not for who stands there now."""
    doorway.see(seen(ANN), times=2)
    assert doorway.see(seen(ANN, as_person=None)) == []
    assert [one.conclusion.person for one in doorway.see(seen(ANN))] == [ANN]


@pytest.mark.parametrize("away", [0, 8])
def test_a_look_alike_who_follows_the_person_has_an_entry_and_is_not_granted(
    doorway: Doorway, away: int
) -> None:
    """In every frame taken for the person, whose visit is still open."""
    doorway.see(seen(ANN), times=5)
    doorway.see(times=away)
    doorway.see(seen(EVE, as_person=ANN), times=10)
    assert doorway.verdicts == [GRANTED_ANN, DENIED]
    assert doorway.reasons[1] is Reason.AMBIGUOUS


def test_somebody_granted_who_comes_back_with_another_look_is_not_logged_twice(doorway: Doorway) -> None:
    """The frames link to none before, but their mean is near enough for the name to be believed."""
    doorway.see(seen(ANN), times=3)
    doorway.see(times=8)
    doorway.see(*[seen(ANN, as_person=ANN, blur=0.5, take=5, left=400)], times=10)
    assert doorway.verdicts == [GRANTED_ANN]


@pytest.mark.parametrize("rate", [15, 10, 5, 3])
@pytest.mark.parametrize("seconds", [1.4, 2.0, 3.9])
def test_a_stranger_who_takes_somebodys_place_for_a_while_has_an_entry(
    doorway: Doorway, rate: int, seconds: float
) -> None:
    """At any rate of results."""
    doorway.see(seen(ANN), times=3 * rate, after_s=1 / rate)
    doorway.see(seen(EVE), times=round(seconds * rate), after_s=1 / rate)
    doorway.see(times=3 * rate, after_s=1 / rate)
    assert doorway.verdicts == [GRANTED_ANN, DENIED]


def test_a_stranger_before_whom_somebody_was_seen_for_a_moment_has_an_entry(doorway: Doorway) -> None:
    """One frame of a face does not tell whether another face is hers."""
    doorway.see(seen(ANN), after_s=0.2)
    doorway.see(seen(EVE), times=6, after_s=0.2)
    doorway.see(seen(ANN), times=5, after_s=0.2)
    doorway.see(times=15, after_s=0.2)
    assert sorted(doorway.verdicts, key=str) == sorted([GRANTED_ANN, DENIED], key=str)


TURNED_BLUR = 0.52
"""Too far from the person's frames to be linked, and near enough to be hers."""


@pytest.mark.parametrize("rate", [15, 10, 5, 3])
def test_somebody_who_turns_away_for_seconds_has_one_entry(doorway: Doorway, rate: int) -> None:
    """Longer than an absence that ends a visit."""
    doorway.see(seen(ANN), times=rate, after_s=1 / rate)
    doorway.see(seen(ANN, as_person=None, blur=TURNED_BLUR, take=1), times=3 * rate, after_s=1 / rate)
    doorway.see(seen(ANN), times=rate, after_s=1 / rate)
    doorway.see(times=3 * rate, after_s=1 / rate)
    assert doorway.verdicts == [GRANTED_ANN]


def test_somebody_who_turns_away_and_leaves_is_on_record_as_somebody_who_was_not_recognised(
    doorway: Doorway,
) -> None:
    """Nobody can tell her from a stranger who looks like her."""
    doorway.see(seen(ANN), times=10)
    doorway.see(seen(ANN, as_person=None, blur=TURNED_BLUR, take=1), times=20)
    doorway.see(times=30)
    assert doorway.verdicts == [GRANTED_ANN, DENIED]


def test_somebody_who_was_turned_away_at_first_has_one_entry(doorway: Doorway) -> None:
    """The frames before the grant were of the same face."""
    doorway.see(seen(ANN, as_person=None, blur=0.45, take=1), times=6)
    doorway.see(seen(ANN), times=10)
    doorway.see(times=30)
    assert doorway.verdicts == [GRANTED_ANN]


def test_a_stranger_who_takes_a_place_and_turns_away_for_a_while_has_one_entry(doorway: Doorway) -> None:
    """The face seen badly is given to the stranger who stood there, not to the person before."""
    doorway.see(seen(ANN), times=3, after_s=0.2)
    doorway.see(seen(EVE), times=3, after_s=0.2)
    doorway.see(seen(EVE, blur=TURNED_BLUR, take=1), times=3, after_s=0.2)
    doorway.see(seen(EVE), times=3, after_s=0.2)
    doorway.see(times=15, after_s=0.2)
    assert doorway.verdicts == [GRANTED_ANN, DENIED]


def test_a_look_alike_with_one_frame_near_the_person_before_has_an_entry(doorway: Doorway) -> None:
    """The frame is nearer to the look-alike's own."""
    doorway.see(seen(ANN), times=5)
    for at in range(12):
        doorway.see(seen(ANN, as_person=None, blur=0.42 if at == 4 else 0.55, take=1))
    doorway.see(times=30)
    assert doorway.verdicts == [GRANTED_ANN, DENIED]


def test_a_person_whose_place_is_taken_is_not_in_view(doorway: Doorway) -> None:
    """Though not absent either, as the other face may be the person's: its frames are to be encoded."""
    doorway.see(seen(ANN), times=5)
    doorway.see(seen(ANN, as_person=None, blur=TURNED_BLUR, take=1))
    ann, other = doorway.door.visits
    assert (ann.absent_ns, ann.trail.in_view, other.trail.in_view) == (0, False, True)


def test_a_site_that_grants_on_one_vote_knows_a_look_alike_after_three() -> None:
    """The mean of a visit settles after the verdict, too."""
    doorway = Doorway(msgspec.structs.replace(SETTINGS, votes_needed=1, votes_of=1))
    doorway.see(seen(ANN), times=5)
    doorway.see(times=5)
    doorway.see(seen(EVE), times=3)
    doorway.see(seen(EVE, as_person=ANN), times=5)
    assert doorway.verdicts == [GRANTED_ANN, DENIED]


def test_two_faces_in_view_at_once_are_of_two_people(doorway: Doorway) -> None:
    """However badly one is seen: who took a place is not taken for its owner when she is back."""
    turned = seen(ANN, as_person=None, blur=TURNED_BLUR, take=1)
    doorway.see(seen(ANN), times=5)
    doorway.see(turned, times=2)
    doorway.see(turned, seen(ANN, left=400))
    doorway.see(turned, times=4)
    doorway.see(seen(ANN, left=400), times=30)
    assert doorway.verdicts == [GRANTED_ANN, DENIED]


def test_a_face_that_is_nobodys_is_granted_nothing() -> None:
    """Whoever the votes before it were for."""
    assert grant([], None, SETTINGS) is None


def test_the_distance_of_an_unknown_denial_is_of_a_frame_that_was_beyond_the_limit(doorway: Doorway) -> None:
    """Frames within it that were ambiguous do not lend it their distance, nor do votes for somebody."""
    doorway.see(seen(ANN, margin=0.01), times=2)
    doorway.see(seen(ANN, as_person=None), times=6)
    (decision,) = doorway.decisions
    found = decision.conclusion
    assert found.reason is Reason.UNKNOWN
    assert found.measure.limit == SETTINGS.max_distance
    assert found.measure.distance is not None
    assert found.measure.distance > found.measure.limit


def test_the_distance_of_an_ambiguous_denial_comes_with_its_margin_and_both_people(doorway: Doorway) -> None:
    """Distance, margin, limit and nearest person are what one frame measured."""
    doorway.see(seen(ANN, distance=0.30, margin=0.04))
    doorway.see(seen(ANN, distance=0.25, margin=0.01))
    doorway.see(seen(ANN, distance=0.35, margin=0.03), times=6)
    measure = doorway.decisions[0].conclusion.measure
    assert doorway.reasons == [Reason.AMBIGUOUS]
    assert (measure.nearest, measure.limit) == (ANN, SETTINGS.max_distance)
    assert measure.distance == pytest.approx(0.25)
    assert measure.margin == pytest.approx(0.01)


def test_frames_in_which_a_face_was_not_read_say_nothing(doorway: Doorway) -> None:
    """Somebody before a poster is granted by the frames that read the face, and denied by no other."""
    for _ in range(20):
        doorway.see(msgspec.structs.replace(seen(ANN, as_person=None), unread=True, encoding=b""))
    assert doorway.verdicts == []
    doorway.see(seen(ANN), times=3)
    assert doorway.verdicts == [GRANTED_ANN]


def test_a_person_who_is_erased_leaves_nothing_in_the_visits_of_others(doorway: Doorway) -> None:
    """The person's own visit goes, and with it that a stranger's face was near."""
    doorway.see(seen(ANN), seen(EVE, left=400), times=2)
    before = doorway.door
    assert len(before.visits) == 2
    assert [visit.person or visit.trail.person for visit in visits_of(ANN.upper(), before)] == [ANN]
    (left,) = without_visits_of(ANN, before).visits
    assert left not in visits_of(ANN, before)
    assert {vote.measure.nearest for vote in left.votes} == {None}


def test_somebody_among_bigger_faces_of_a_poster_is_not_absent(doorway: Doorway) -> None:
    """The face that is found but not encoded keeps the visit open, so there is one entry."""
    poster = [
        msgspec.structs.replace(a_face(None, left=1000 + 100 * at, size=90), unread=True) for at in range(60)
    ]
    doorway.see(seen(ANN), times=5)
    unread = msgspec.structs.replace(seen(ANN, as_person=None), unread=True, encoding=b"")
    doorway.see(*poster, unread, times=60)
    doorway.see(*poster, seen(ANN), times=5)
    assert doorway.verdicts == [GRANTED_ANN]


def found(*, left: int = 100) -> Face:
    """Return a face that was found and not encoded."""
    return Face(box_px=a_box(left=left), unread=True)


def test_a_face_that_is_only_found_is_never_decided_upon(doorway: Doorway) -> None:
    """It says nothing about who it is, however long it stays."""
    doorway.see(found(), times=200)
    doorway.see(times=30)
    assert doorway.verdicts == []


def test_a_face_that_is_only_found_is_no_vote(doorway: Doorway) -> None:
    """Two votes for somebody stay two."""
    doorway.see(seen(ANN), times=2)
    doorway.see(found(), times=20)
    assert doorway.verdicts == []
    doorway.see(seen(ANN))
    assert doorway.verdicts == [GRANTED_ANN]


def test_a_decided_visit_goes_on_while_its_face_is_only_found(doorway: Doorway) -> None:
    """Encoded twice a second, for a minute: one entry, and never absent."""
    doorway.see(seen(ANN), times=3)
    for _ in range(120):
        doorway.see(found(), times=4)
        (visit,) = doorway.door.visits
        assert (visit.absent_ns, doorway.now_ns - visit.read_ns) == (0, 4 * STEP_NS)
        doorway.see(seen(ANN))
    assert doorway.verdicts == [GRANTED_ANN]


def test_whoever_takes_a_decided_persons_place_is_noticed_when_next_encoded(doorway: Doorway) -> None:
    """Nothing of the verdict passes over: the stranger has a visit of their own, and is denied."""
    doorway.see(seen(ANN), times=3)
    doorway.see(found(), times=4)
    doorway.see(seen(EVE))
    ann, eve = doorway.door.visits
    assert (ann.verdict, ann.absent_ns) == ("granted", 0)
    assert (eve.verdict, eve.read_ns) == (None, doorway.now_ns)
    doorway.see(seen(EVE), times=40)
    assert doorway.verdicts == [GRANTED_ANN, DENIED]


def test_a_face_that_is_only_found_is_who_stands_there_now(doorway: Doorway) -> None:
    """Not who stood there before: that visit ends, and its person has a new one later."""
    doorway.see(seen(ANN, left=100), times=3)
    doorway.see(seen(BOB, left=104), times=3)
    for _ in range(8):
        doorway.see(found(left=100), times=4)
        doorway.see(seen(BOB, left=104))
    (visit,) = doorway.door.visits
    assert visit.person == BOB
    doorway.see(seen(ANN), times=3)
    assert doorway.verdicts == [GRANTED_ANN, GRANTED_BOB, GRANTED_ANN]


def test_a_broker_that_starts_knows_of_no_face_when_it_was_encoded(doorway: Doorway) -> None:
    """Its clock may be another."""
    doorway.see(seen(ANN), times=3)
    assert [visit.read_ns for visit in resumed(doorway.door).visits] == [0]


PASSIVE = msgspec.structs.replace(SETTINGS, liveness="passive")


def moving(take: int, *, moves: float) -> Face:
    """Return Ann's face of one frame, its encoding as far from the others as this."""
    return seen(ANN, blur=moves, take=take)


def test_passive_liveness_grants_a_face_that_moves_after_eight_frames() -> None:
    """The third vote alone does not."""
    doorway = Doorway(PASSIVE)
    for take in range(7):
        assert doorway.see(moving(take, moves=0.15)) == []
    doorway.see(moving(7, moves=0.15))
    assert doorway.verdicts == [GRANTED_ANN]


def test_passive_liveness_denies_a_still_by_name() -> None:
    """However sure the recognition; once."""
    doorway = Doorway(PASSIVE)
    doorway.see(seen(ANN), times=60)
    assert doorway.verdicts == [("denied", ANN)]
    assert doorway.reasons == [Reason.NOT_ALIVE]


ASKING = msgspec.structs.replace(PASSIVE, liveness_network="net.pth")


@pytest.mark.parametrize(("alive", "verdict"), [(0.9, GRANTED_ANN), (0.1, ("denied", ANN))])
def test_a_network_denies_who_moves_and_is_shown_on_something(
    alive: float, verdict: tuple[str, str | None]
) -> None:
    """Once it has answered to eight frames."""
    doorway = Doorway(ASKING)
    for take in range(8):
        assert doorway.verdicts == []
        assert asks_network(doorway.door, ASKING)
        doorway.see(msgspec.structs.replace(moving(take, moves=0.15), alive=alive))
    assert doorway.verdicts == [verdict]
    assert not asks_network(doorway.door, ASKING)


def test_a_network_is_asked_only_where_its_answer_counts() -> None:
    """Before anybody is there too, so that the first frame counts."""
    doorway = Doorway(ASKING)
    assert asks_network(doorway.door, ASKING)
    assert not asks_network(doorway.door, PASSIVE)
    assert not asks_network(doorway.door, msgspec.structs.replace(ASKING, liveness="off"))
    doorway.see(*[seen(EVE)], times=8)
    assert doorway.verdicts == [DENIED]
    assert not asks_network(doorway.door, ASKING)
    doorway.see(seen(EVE), moving(0, moves=0.15), times=2)
    assert asks_network(doorway.door, ASKING)


def test_a_blurred_or_unknown_frame_does_not_end_the_wait() -> None:
    """Without it, the visit would be denied after eight votes."""
    doorway = Doorway(PASSIVE)
    doorway.see(seen(ANN), times=10)
    doorway.see(seen(ANN, as_person=None))
    doorway.see(seen(ANN, sharpness=5))
    assert doorway.verdicts == []
    for take in range(8):
        doorway.see(moving(take, moves=0.25))
    assert doorway.verdicts == [GRANTED_ANN]


def test_who_leaves_before_the_face_has_moved_is_denied_for_it() -> None:
    """A photograph shown for a second leaves an entry."""
    doorway = Doorway(PASSIVE)
    doorway.see(seen(ANN), times=10)
    doorway.see(times=30)
    assert doorway.verdicts == [("denied", ANN)]
    assert doorway.reasons == [Reason.NOT_ALIVE]


def test_passive_liveness_admits_nobody_else() -> None:
    """A stranger who moves stays a stranger, and an objection stays one."""
    doorway = Doorway(PASSIVE, objection=lambda found: Reason.BLOCKED if found.person == ANN else None)
    for take in range(12):
        doorway.see(seen(EVE, blur=0.15, take=take, left=600), moving(take, moves=0.15))
    assert sorted(doorway.reasons) == [Reason.BLOCKED, Reason.UNKNOWN]


def test_a_decided_visit_keeps_no_frames_of_the_face() -> None:
    """The journal holds doors."""
    doorway = Doorway(PASSIVE)
    doorway.see(seen(ANN), times=10)
    assert doorway.door.visits[0].sequence.encodings
    assert not resumed(doorway.door).visits[0].sequence.encodings
    doorway.see(seen(ANN), times=30)
    assert not doorway.door.visits[0].sequence.encodings
