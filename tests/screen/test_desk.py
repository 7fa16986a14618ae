"""The scenes of a display: each is told of its own camera, and all of the broker."""

from pathlib import Path

import msgspec
import pytest

from tests.support.builders import START_NS, a_beat, a_face, a_frame, a_result, a_site, an_access
from turnstile.protocol.fields import Advised
from turnstile.protocol.messages import Beat, Guide
from turnstile.protocol.reasons import ADVICE_WORDS, Advice
from turnstile.protocol.state import LOCKED_OUT, State
from turnstile.screen.desk import SceneDesk, make_scenes
from turnstile.screen.scene import Notice

DOOR, STORE = "front_door", "store"


@pytest.fixture
def desk(tmp_path: Path) -> SceneDesk:
    """Return the desk of a display that shows two cameras live."""
    site = a_site(tmp_path, "displays: {desk: {}}", cameras=(DOOR, STORE))
    desk = SceneDesk(scenes=make_scenes(site, site.displays["desk"]), broker_at="tcp://here:1")
    desk.note_broker(silent=False, silent_s=0.0, now_s=0.0)
    for scene in desk.scenes.values():
        scene.frame(captured_ns=START_NS, size_px=(64, 48), now_s=0.0)
    return desk


def of_the_broker(state: State, detail: str = "") -> Beat:
    """Return a beat of the broker."""
    return msgspec.structs.replace(a_beat(node="broker"), role="broker", state=state, detail=detail)


def test_a_display_shows_the_cameras_it_names_or_all(tmp_path: Path) -> None:
    """With the limits that the site file has for each."""
    site = a_site(
        tmp_path, "displays: {one: {cameras: [store], banner_s: 2}, all: {}}", cameras=(DOOR, STORE)
    )
    assert list(make_scenes(site, site.displays["one"])) == [STORE]
    assert make_scenes(site, site.displays["one"])[STORE].banner_s == 2
    assert list(make_scenes(site, site.displays["all"])) == [DOOR, STORE]


def test_each_message_reaches_the_scene_of_its_camera(desk: SceneDesk) -> None:
    """The other camera's view stays as it was, and what counts is counted."""
    before = desk.view(STORE, 0.5)
    advice = (Advised(advice=Advice.ONE_AT_A_TIME),)
    for message in (
        a_result(a_face(), captured_ns=START_NS),
        an_access(),
        Guide(camera=DOOR, captured_ns=START_NS, frame_seq=1, advice=advice),
    ):
        desk.take(message, 0.5)
    view = desk.view(DOOR, 0.5)
    assert (len(view.marks), len(view.banners), view.advice) == (1, 1, ADVICE_WORDS[Advice.ONE_AT_A_TIME])
    assert desk.view(STORE, 0.5) == before
    assert desk.counts == {"results_in": 1, "verdicts_in": 1}


def test_what_does_not_count_is_counted_apart(desk: SceneDesk) -> None:
    """A result with a problem, and a decision that is long past."""
    desk.take(a_result(captured_ns=START_NS, problem="cut off"), 0.5)
    desk.take(msgspec.structs.replace(an_access(), captured_ns=START_NS - 60_000_000_000), 0.5)
    assert desk.counts == {"results_not_counting": 1, "verdicts_too_late": 1}


def test_messages_of_other_cameras_and_other_kinds_are_passed_over(desk: SceneDesk) -> None:
    """Whatever a topic lets through."""
    for message in (
        a_result(camera="made_up"),
        an_access(camera="made_up"),
        Guide(camera="made_up", captured_ns=START_NS, frame_seq=1, advice=()),
        a_beat(node="made_up"),
        a_frame(),
    ):
        desk.take(message, 0.5)
    assert desk.counts == {}
    assert desk.view(DOOR, 0.5).notice is None


def test_while_nobody_can_enter_every_view_says_why(desk: SceneDesk) -> None:
    """Until the broker is well again."""
    desk.take(of_the_broker(State.DEGRADED, "journal cannot be written"), 0.5)
    for camera in (DOOR, STORE):
        notice = Notice(title="nobody can enter", detail="journal cannot be written")
        assert desk.view(camera, 0.5).notice == notice
    desk.take(of_the_broker(State.DEGRADED), 0.5)
    assert desk.trouble == "no reason given"
    desk.take(of_the_broker(State.LIVE), 0.5)
    assert desk.view(DOOR, 0.5).notice is None


def test_a_lost_camera_is_said_in_its_own_view(desk: SceneDesk) -> None:
    """By the camera's beat."""
    lost = msgspec.structs.replace(a_beat(node=STORE), state=State.LOST, detail="read timed out")
    desk.take(lost, 0.5)
    assert desk.view(STORE, 0.5).notice == Notice(title="camera lost", detail="read timed out")
    assert desk.view(DOOR, 0.5).notice is None


def test_a_broker_is_awaited_before_it_was_heard_and_lost_after(desk: SceneDesk) -> None:
    """Until it is heard again."""
    new = SceneDesk(scenes=desk.scenes, broker_at="tcp://here:1")
    new.note_broker(silent=True, silent_s=2.5, now_s=0.5)
    assert new.view(DOOR, 0.5).notice == Notice(title="waiting for the broker", detail="tcp://here:1")
    desk.note_broker(silent=True, silent_s=2.5, now_s=0.5)
    notice = desk.view(DOOR, 0.5).notice
    assert notice is not None
    assert notice.title == "broker lost"
    desk.note_broker(silent=False, silent_s=0.0, now_s=0.5)
    assert desk.view(DOOR, 0.5).notice is None


def test_no_camera_is_lost_because_the_broker_is_silent(desk: SceneDesk) -> None:
    """Their pictures come through it. They get their time again once it is heard again."""
    titles: list[str | None] = []
    for now_s, silent_s in ((2.0, 1.9), (2.1, 2.0), (2.5, 2.4), (9.0, 0.0), (10.9, 0.1), (11.2, 0.1)):
        desk.note_broker(silent=silent_s > 2.0, silent_s=silent_s, now_s=now_s)
        notice = desk.view(DOOR, now_s).notice
        titles.append(None if notice is None else notice.title)
    assert titles == [None, None, "broker lost", None, None, "camera lost"]


def test_a_locked_door_says_so_and_for_how_long_until_it_is_over(desk: SceneDesk) -> None:
    """By the broker's beat; the other door is not concerned."""
    beat = msgspec.structs.replace(of_the_broker(State.LIVE), gauges={f"{LOCKED_OUT}{DOOR}": 12.0})
    desk.take(beat, 0.5)
    assert desk.view(DOOR, 0.5).notice == Notice(
        title="locked out",
        detail="after too many denials, 12 s more",
        at_door="Too many tries, please wait 12 s",
    )
    assert desk.view(STORE, 0.5).notice is None
    desk.take(of_the_broker(State.LIVE), 0.6)
    assert desk.view(DOOR, 0.7).notice is None
