"""What a display shows of a camera besides its picture."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import START_NS, a_beat, a_box, a_face, a_result, a_stranger, an_access
from turnstile.protocol.fields import Advised, Box
from turnstile.protocol.messages import Access, Face, Guide, Result
from turnstile.protocol.public import for_everybody
from turnstile.protocol.reasons import Advice, Reason
from turnstile.protocol.state import State
from turnstile.screen.scene import ADVICE_S, MAX_BANNERS, BrokerState, Notice, Scene, View

CAMERA = "front_door"


def at_ns(seconds: float) -> int:
    """Return a time of the camera's clock."""
    return START_NS + round(seconds * 1e9)


class Screen:
    """A scene whose camera's clock and display's clock run together, from 0."""

    def __init__(self, *, max_fps: float = 15.0) -> None:
        self.scene = Scene(camera=CAMERA, stale_after_s=1.5, banner_s=4.0, max_fps=max_fps)

    def frames(self, *seconds: float) -> "Screen":
        """Show frames captured and shown at these times."""
        for when_s in seconds:
            self.scene.frame(captured_ns=at_ns(when_s), size_px=(640, 480), now_s=when_s)
        return self

    def result(self, when_s: float, result: Result) -> bool:
        """Tell of a result as the broker publishes it, at the time its frame was captured."""
        return self.scene.result(for_everybody(result, max_distance=0.5), now_s=when_s)

    def access(self, when_s: float, *, visit: int = 1, access: Access | None = None) -> bool:
        """Tell of a decision at once after its frame."""
        return self.scene.access(access or an_access(visit), now_s=when_s)

    def view(self, when_s: float, *, broker: BrokerState = "heard") -> View:
        """Return what is drawn then."""
        return self.scene.view(now_s=when_s, broker=broker, broker_at="tcp://here:1")


def a_live_screen() -> Screen:
    """Return a screen with a fresh result of one known face."""
    screen = Screen().frames(0.0)
    screen.result(0.0, a_result(a_face(), captured_ns=at_ns(0.0)))
    return screen


def test_a_known_face_bears_its_name_and_distance() -> None:
    """Names come from the latest result."""
    (mark,) = a_live_screen().view(0.1).marks
    assert (mark.kind, mark.label, mark.detail) == ("person", "Barack Obama", "0.30")
    assert mark.box_px == a_box()


def test_a_face_beyond_the_limit_bears_no_name() -> None:
    """The broker publishes no name for it, so no display can judge by another limit than the site's."""
    screen = Screen().frames(0.0)
    result = a_result(a_stranger(distance=0.51), a_face(distance=0.49), captured_ns=at_ns(0.0))
    screen.result(0.0, for_everybody(result, max_distance=0.5))
    assert [mark.label for mark in screen.view(0.1).marks] == ["unknown", "Barack Obama"]


def test_a_face_that_was_not_read_bears_no_word() -> None:
    """It is not unknown: nobody looked who it is."""
    screen = Screen().frames(0.0)
    unread = msgspec.structs.replace(a_face(None), unread=True)
    screen.result(0.0, a_result(unread, captured_ns=at_ns(0.0)))
    assert [mark.label for mark in screen.view(0.1).marks] == [""]


@pytest.mark.parametrize("person", ["Barack Obama", None])
def test_a_face_that_is_only_found_keeps_its_word_and_verdict(person: str | None) -> None:
    """Name, colour and distance stand still while it is encoded twice a second."""
    screen = Screen().frames(0.0)
    screen.result(0.0, a_result(a_face(person), captured_ns=at_ns(0.0)))
    screen.access(0.0, access=an_access(1, verdict="granted" if person else "denied", person=person))
    ((before, *_),) = [screen.view(0.0).marks]
    for tick in range(1, 5):
        screen.frames(tick / 10)
        found = Face(box_px=a_box(left=100 + 2 * tick), unread=True)
        screen.result(tick / 10, a_result(found, captured_ns=at_ns(tick / 10)))
        (mark,) = screen.view(tick / 10).marks
        assert (mark.kind, mark.label, mark.detail) == (before.kind, before.label, before.detail)
        assert mark.box_px == found.box_px


def test_somebody_elses_name_replaces_it_at_once() -> None:
    """As soon as the face is encoded again."""
    screen = a_live_screen()
    screen.access(0.0)
    screen.frames(0.1)
    screen.result(0.1, a_result(Face(box_px=a_box(), unread=True), captured_ns=at_ns(0.1)))
    screen.frames(0.2)
    screen.result(0.2, a_result(a_stranger(), captured_ns=at_ns(0.2)))
    (mark,) = screen.view(0.2).marks
    assert (mark.kind, mark.label) == ("unknown", "unknown")


@pytest.mark.parametrize(("left", "when_s"), [(140, 0.1), (100, 1.2)])
def test_a_name_stays_with_its_place_and_not_for_ever(left: int, when_s: float) -> None:
    """A face elsewhere is another's; one that is not encoded for a second may be."""
    screen = a_live_screen().frames(when_s)
    screen.result(when_s, a_result(Face(box_px=a_box(left=left), unread=True), captured_ns=at_ns(when_s)))
    assert [mark.label for mark in screen.view(when_s).marks] == [""]


def test_frames_without_any_result_yet_are_shown_plain() -> None:
    """For as long as a result may take, nothing is the matter."""
    view = Screen().frames(0.0, 0.1).view(0.1)
    assert (view.light, view.marks, view.notice) == ("waiting", (), None)
    assert "no result yet" in view.status


def test_the_status_tells_the_rate_and_the_age_of_the_result() -> None:
    """The age is that on the camera's clock, against the frame on screen."""
    screen = a_live_screen().frames(0.1, 0.2, 0.3)
    assert screen.view(0.3).status == "10 fps  ·  result 0.3 s"


def test_while_stale_there_are_local_boxes_without_names_and_words() -> None:
    """Never a name, never a grant."""
    screen = a_live_screen()
    screen.access(0.1)
    screen.frames(1.6)
    assert screen.view(1.6).marks == ()
    screen.scene.local([a_box(left=7)], captured_ns=at_ns(1.6))
    view = screen.view(1.6)
    assert [(mark.kind, mark.label, mark.box_px) for mark in view.marks] == [
        ("local", "not verified", a_box(left=7))
    ]
    assert view.notice is not None
    assert (view.notice.title, view.notice.detail) == ("no recent result", "local detection, not verified")
    assert view.banners == ()


def test_the_first_fresh_result_ends_local_detection() -> None:
    """And what local detection finds afterwards is not drawn."""
    screen = a_live_screen().frames(1.6)
    screen.scene.local([a_box(left=7)], captured_ns=at_ns(1.6))
    screen.result(1.6, a_result(a_face(), captured_ns=at_ns(1.6)))
    screen.scene.local([a_box(left=7)], captured_ns=at_ns(1.6))
    view = screen.view(1.7)
    assert (view.light, [mark.kind for mark in view.marks]) == ("live", ["person"])


def test_boxes_of_an_earlier_fallback_do_not_come_back() -> None:
    """They are where somebody stood then."""
    screen = a_live_screen().frames(1.6)
    screen.scene.local([a_box(left=7)], captured_ns=at_ns(1.6))
    screen.result(1.6, a_result(captured_ns=at_ns(1.6)))
    assert screen.frames(4.0).view(4.0).marks == ()


def test_local_boxes_of_a_picture_long_gone_are_not_drawn() -> None:
    """A detector that was held up does not point at where somebody was."""
    screen = a_live_screen().frames(1.6, 9.0)
    screen.scene.local([a_box()], captured_ns=at_ns(1.6))
    assert screen.view(9.0).marks == ()


def test_a_result_with_a_problem_is_no_sign_of_life() -> None:
    """A recognizer that cannot read the frames leaves them as unrecognised as none would."""
    screen = Screen().frames(0.0)
    assert not screen.result(0.0, a_result(captured_ns=at_ns(0.0), problem="not a JPEG"))
    assert screen.frames(1.6).view(1.6).light == "stale"


@pytest.mark.parametrize(
    ("access", "title", "who"),
    [
        (an_access(1), "ACCESS GRANTED", "Barack Obama"),
        (an_access(1, verdict="denied", person=None), "ACCESS DENIED", "not recognised"),
        (an_access(1, verdict="denied", person="Joe Biden"), "ACCESS DENIED", "Joe Biden: not recognised"),
    ],
)
def test_a_banner_says_the_verdict_the_person_and_the_reason(access: Access, title: str, who: str) -> None:
    """One for each visit."""
    screen = a_live_screen()
    screen.access(0.1, access=access)
    (banner,) = screen.view(0.2).banners
    assert (banner.verdict, banner.title, banner.who) == (access.verdict, title, who)
    assert banner.detail == "distance 0.31  ·  3 of 5 votes"


def test_every_reason_has_words() -> None:
    """A denial without a reason would leave somebody at the door with nothing to do."""
    for reason in Reason:
        screen = a_live_screen()
        denied = an_access(1, verdict="denied", person=None)
        screen.access(0.1, access=msgspec.structs.replace(denied, reason=reason))
        assert screen.view(0.2).banners[0].who


def test_a_banner_stays_as_long_as_the_site_says() -> None:
    """From when it came, on the display's own clock."""
    screen = a_live_screen()
    screen.access(0.1)
    screen.frames(4.0)
    screen.result(4.0, a_result(captured_ns=at_ns(4.0)))
    assert screen.view(4.05).banners
    assert not screen.view(4.11).banners


def test_two_visits_have_two_banners_the_newest_last() -> None:
    """Two people at a door, one after the other."""
    screen = a_live_screen()
    screen.access(0.1)
    screen.access(0.2, access=an_access(2, verdict="denied", person=None))
    assert [banner.verdict for banner in screen.view(0.3).banners] == ["granted", "denied"]


def test_a_visit_said_twice_has_one_banner() -> None:
    """However often the broker repeats itself."""
    screen = a_live_screen()
    assert screen.access(0.1)
    assert not screen.access(0.2)
    assert len(screen.view(0.3).banners) == 1


def test_a_crowd_has_only_the_latest_banners() -> None:
    """The picture stays in sight."""
    screen = a_live_screen()
    for visit in range(1, 9):
        screen.access(0.1, visit=visit)
    assert len(screen.view(0.2).banners) == MAX_BANNERS


def test_a_decision_too_late_for_the_picture_is_not_shown() -> None:
    """A display that was held up does not greet somebody who left."""
    screen = a_live_screen().frames(6.1)
    screen.result(6.1, a_result(captured_ns=at_ns(6.1)))
    assert not screen.access(6.1)
    assert not screen.view(6.1).banners


def test_a_camera_that_says_it_is_lost_is_shown_so() -> None:
    """In its own words, with nothing on the old picture."""
    screen = a_live_screen()
    screen.scene.beat(a_beat(state=State.LOST, detail="read timed out after 5 s"), now_s=0.1)
    view = screen.view(0.2)
    assert view.notice == Notice(title="camera lost", detail="read timed out after 5 s")
    assert (view.dimmed, view.marks, view.banners) == (True, (), ())


def test_a_frame_is_the_end_of_lost() -> None:
    """The camera is back before its next beat says so."""
    screen = a_live_screen()
    screen.scene.beat(a_beat(state=State.LOST, detail="unplugged"), now_s=0.1)
    assert screen.frames(0.3).view(0.3).light == "live"


def test_a_beat_that_is_live_ends_lost_too() -> None:
    """Back, with the first picture still to come."""
    screen = Screen()
    screen.scene.beat(a_beat(state=State.LOST, detail="unplugged"), now_s=0.1)
    screen.scene.beat(a_beat(), now_s=0.2)
    assert screen.view(0.3).state == "waiting for the first picture"


def test_a_camera_without_pictures_is_lost() -> None:
    """Whatever became of its node."""
    screen = a_live_screen()
    assert screen.view(2.0).light == "live"
    assert screen.view(3.1).notice == Notice(title="camera lost", detail="no picture for 3 s")


def test_a_slow_camera_is_given_its_time() -> None:
    """One picture in ten seconds is what was asked of it."""
    assert Screen(max_fps=0.1).frames(0.0).view(20.0).light == "waiting"


def test_before_the_first_picture_there_are_words() -> None:
    """An empty tile would look broken."""
    assert Screen().view(9.0).state == "waiting for the first picture"


def a_screen_without_pictures(*, beats_s: float = 0.0) -> Screen:
    """Return a screen whose pictures nobody asks for, and whose camera beat then."""
    screen = Screen()
    screen.scene.ask_for_pictures(None)
    screen.scene.beat(a_beat(), now_s=beats_s)
    return screen


def answered(screen: Screen, *seconds: float) -> Screen:
    """Let the camera beat, and somebody be seen, at these times."""
    for when_s in seconds:
        screen.scene.beat(a_beat(), now_s=when_s)
        screen.result(when_s, a_result(a_face(), captured_ns=at_ns(when_s)))
    return screen


def test_a_camera_that_nobody_looks_at_is_live_by_its_results() -> None:
    """However long its last picture is gone. Nothing is drawn, but decisions and advice are said."""
    screen = answered(a_live_screen(), 0.1)
    screen.scene.ask_for_pictures(None)
    answered(screen, *range(1, 60))
    screen.access(59.0)
    view = screen.view(60.0)
    assert (view.light, view.notice, view.marks, view.status) == ("live", None, (), "")
    assert [banner.title for banner in view.banners] == ["ACCESS GRANTED"]


def test_a_camera_that_somebody_looks_at_again_is_live_before_its_first_picture_and_with_it() -> None:
    """It is said to miss pictures only when one should have come."""
    screen = a_live_screen()
    screen.scene.ask_for_pictures(None)
    answered(screen, *range(1, 60))
    screen.scene.ask_for_pictures(59.5)
    assert screen.view(59.6).light == "live"
    view = screen.frames(59.7).view(59.7)
    assert (view.light, [mark.kind for mark in view.marks]) == ("live", ["person"])
    never = answered(a_screen_without_pictures(), *range(1, 60))
    never.scene.ask_for_pictures(57.0)
    assert never.view(59.1).state == "waiting for the first picture"


@pytest.mark.parametrize(
    ("state", "answered_s", "beats_s", "light", "words"),
    [
        (State.STARTING, None, 59.0, "waiting", "waiting for the first picture"),
        (State.LIVE, None, 59.0, "waiting", "waiting"),
        (State.LIVE, None, 58.0, "stale", "no recent result"),
        (State.LIVE, 59.0, 59.0, "live", "live"),
        (State.DEGRADED, 59.0, 59.0, "live", "live"),
        (State.LIVE, 56.0, 57.5, "stale", "no recent result"),
        (State.LIVE, 59.0, 56.0, "lost", "camera lost"),
        (State.LOST, 59.0, 59.0, "lost", "camera lost"),
        (State.ENDED, 55.0, 55.0, "lost", "camera lost"),
    ],
)
def test_without_pictures_beats_and_results_say_how_a_camera_is(
    state: State, answered_s: float | None, beats_s: float, light: str, words: str
) -> None:
    """At second 60. No result is missed before the camera has pictures."""
    screen = Screen()
    screen.scene.ask_for_pictures(None)
    screen.scene.beat(a_beat(state=state, detail="unplugged"), now_s=beats_s)
    if answered_s is not None:
        screen.result(answered_s, a_result(captured_ns=at_ns(answered_s)))
    view = screen.view(60.0)
    assert (view.light, view.state) == (light, words)


def test_without_pictures_no_camera_misses_what_a_silent_broker_did_not_pass_on() -> None:
    """Neither beats nor results."""
    screen = answered(a_screen_without_pictures(), 1.0)
    for served_since_s, light in ((None, "live"), (19.0, "live"), (18.0, "stale"), (16.0, "lost")):
        view = screen.scene.view(now_s=20.0, broker="heard", served_since_s=served_since_s)
        assert view.light == light


def test_without_pictures_a_clock_set_back_is_no_matter() -> None:
    """The result that came last counts."""
    screen = a_screen_without_pictures()
    screen.result(0.5, a_result(captured_ns=at_ns(3600)))
    assert screen.result(2.0, a_result(captured_ns=at_ns(2)))
    assert screen.view(2.1).light == "live"


@pytest.mark.parametrize(
    ("broker", "title"), [("awaited", "waiting for the broker"), ("lost", "broker lost")]
)
def test_without_the_broker_nothing_is_drawn_on_the_old_picture(broker: BrokerState, title: str) -> None:
    """And words say where it should be."""
    screen = a_live_screen()
    screen.access(0.1)
    view = screen.view(0.2, broker=broker)
    assert view.notice is not None
    assert (view.notice.title, view.light, view.marks, view.banners) == (title, "lost", (), ())
    assert "tcp://here:1" in view.notice.detail


def test_results_that_stop_are_noticed_while_the_cameras_clock_stands_still() -> None:
    """By the display's own clock; the next result ends it."""
    screen = a_live_screen()
    for tenth in range(1, 16):
        screen.scene.frame(captured_ns=at_ns(0) + tenth, size_px=(640, 480), now_s=tenth / 10)
        assert screen.view(tenth / 10).light == "live"
    screen.scene.frame(captured_ns=at_ns(0) + 16, size_px=(640, 480), now_s=1.6)
    assert screen.view(1.6).light == "stale"
    assert screen.result(1.7, a_result(a_face(), captured_ns=at_ns(0) + 16))
    assert screen.view(1.7).light == "live"


EVENTS = st.lists(
    st.tuples(st.sampled_from(["frame", "result", "access", "local"]), st.floats(-5, 20, allow_nan=False)),
    max_size=25,
)


@given(EVENTS)
def test_nothing_is_granted_or_named_while_stale(events: list[tuple[str, float]]) -> None:
    """Whatever comes in whatever order, and wherever the camera's clock jumps."""
    screen = Screen()
    for now_s, (kind, captured_s) in enumerate(events):
        captured_ns = at_ns(captured_s)
        if kind == "frame":
            screen.scene.frame(captured_ns=captured_ns, size_px=(640, 480), now_s=now_s / 10)
        elif kind == "result":
            screen.result(now_s / 10, a_result(a_face(), captured_ns=captured_ns))
        elif kind == "access":
            screen.access(now_s / 10, visit=now_s + 1)
        else:
            screen.scene.local([a_box()], captured_ns=captured_ns)
        view = screen.view(now_s / 10)
        kinds = {mark.kind for mark in view.marks}
        if view.light == "stale":
            assert not view.banners
            assert kinds <= {"local"}
        else:
            assert "local" not in kinds


def some_advice(*advice: Advice, when_s: float = 0.0) -> Guide:
    """Return what the broker tells the people at the door."""
    said = tuple(Advised(advice=one) for one in advice)
    return Guide(camera=CAMERA, captured_ns=at_ns(when_s), frame_seq=1, advice=said)


def test_advice_is_shown_in_words_until_it_is_taken_back() -> None:
    """Two people who need the same are told once."""
    screen = a_live_screen()
    said = some_advice(Advice.COME_CLOSER, Advice.HOLD_STILL, Advice.COME_CLOSER)
    screen.scene.guide(said, now_s=0.1)
    assert screen.view(0.2).advice == "come closer  ·  hold still"
    screen.scene.guide(some_advice(), now_s=0.3)
    assert screen.view(0.4).advice == ""


def test_advice_that_is_not_repeated_goes() -> None:
    """Its end may be lost on the way."""
    screen = a_live_screen()
    screen.scene.guide(some_advice(Advice.WAIT), now_s=0.1)
    assert screen.view(ADVICE_S).advice
    assert not screen.view(ADVICE_S + 0.2).advice


def test_no_advice_is_given_beside_a_stale_result() -> None:
    """Nobody knows any more what would help."""
    screen = a_live_screen().frames(1.0, 2.0)
    screen.scene.guide(some_advice(Advice.WAIT, when_s=2.0), now_s=2.0)
    view = screen.view(2.1)
    assert (view.light, view.advice) == ("stale", "")


def test_a_camera_is_logged_by_its_light_or_its_notice() -> None:
    """The picture is dimmed where there is none to rely on."""
    screen = a_live_screen()
    live, lost = screen.view(0.1), screen.view(60.0)
    assert (live.state, live.dimmed) == ("live", False)
    assert lost.notice is not None
    assert (lost.state, lost.dimmed) == (lost.notice.title, True)


def test_advice_says_whose_it_is_where_there_are_several_faces() -> None:
    """By their place on the screen; advice to all needs no name."""
    left, right = a_box(left=10), a_box(left=300)
    screen = Screen().frames(0.0)
    faces = (msgspec.structs.replace(a_stranger(), box_px=box) for box in (right, left))
    screen.result(0.0, a_result(*faces, captured_ns=at_ns(0.0)))

    def said(*advised: Advised) -> str:
        guide = Guide(camera=CAMERA, captured_ns=at_ns(0.0), frame_seq=1, advice=advised)
        screen.scene.guide(guide, now_s=0.1)
        return screen.view(0.1).advice

    closer, still = Advice.COME_CLOSER, Advice.HOLD_STILL
    assert said(Advised(advice=closer, box_px=right)) == "right: come closer"
    both = said(Advised(advice=closer, box_px=right), Advised(advice=still, box_px=left))
    assert both == "right: come closer  ·  left: hold still"
    assert said(*(Advised(advice=closer, box_px=box) for box in (left, right))) == "come closer"
    assert said(Advised(advice=Advice.ONE_AT_A_TIME)) == "one person at a time"


def test_a_box_goes_when_no_result_renews_it() -> None:
    """Whoever stood there may be gone."""
    screen = a_live_screen().frames(0.9)
    assert len(screen.view(0.9).marks) == 1
    assert screen.frames(1.2).view(1.2).marks == ()
    assert screen.view(1.2).light == "live"


def a_decided_screen(access: Access, *faces: Face) -> Screen:
    """Return a screen on which these faces were just decided about."""
    screen = Screen().frames(0.0)
    screen.result(0.0, a_result(*faces, captured_ns=at_ns(0.0)))
    screen.access(0.0, access=access)
    return screen


def kinds_after(screen: Screen, when_s: float, *faces: Face) -> list[str]:
    """Return how faces of a further result are marked."""
    screen.frames(when_s)
    screen.result(when_s, a_result(*faces, captured_ns=at_ns(when_s)))
    return [mark.kind for mark in screen.view(when_s).marks]


def moved(face: Face, by_px: int) -> Face:
    """Return a face that is further to the right."""
    box = face.box_px
    at = Box(left=box.left + by_px, top=box.top, right=box.right + by_px, bottom=box.bottom)
    return msgspec.structs.replace(face, box_px=at)


def test_a_person_who_is_denied_is_marked_so_for_as_long_as_in_view() -> None:
    """Also when the face moves, and when the person is known: the block list names them."""
    known = a_face("Joe Biden")
    screen = a_decided_screen(an_access(1, verdict="denied", person="Joe Biden"), known)
    assert [(mark.kind, mark.label) for mark in screen.view(0.0).marks] == [("denied", "Joe Biden")]
    for step in range(1, 20):
        assert kinds_after(screen, step * 0.5, moved(known, step * 20)) == ["denied"]


def test_an_unknown_person_who_is_denied_is_followed_by_place() -> None:
    """The other face in view is somebody else."""
    stranger = a_stranger()
    screen = a_decided_screen(an_access(1, verdict="denied", person=None), stranger)
    assert kinds_after(screen, 0.5, moved(stranger, 400), moved(stranger, 10)) == ["unknown", "denied"]


def test_only_the_name_that_was_granted_is_marked_as_granted() -> None:
    """A stranger who steps into the place of somebody granted is not green."""
    ann = a_face("Ann Lee")
    screen = a_decided_screen(an_access(1, person="Ann Lee"), ann)
    assert [mark.kind for mark in screen.view(0.0).marks] == ["granted"]
    stranger = msgspec.structs.replace(a_stranger(), box_px=ann.box_px)
    assert kinds_after(screen, 0.5, stranger) == ["unknown"]
    assert kinds_after(screen, 1.0, a_face("Joe Biden")) == ["person"]
    assert kinds_after(screen, 4.0, ann) == ["person"]
