"""Pages say of the doors what the window says."""

from pathlib import Path

import msgspec
import pytest

from tests.support.builders import START_NS, a_beat, a_face, a_frame, a_result, a_site, an_access
from turnstile.protocol.messages import Beat, Frame
from turnstile.protocol.roles import NodeRole
from turnstile.protocol.state import State
from turnstile.web.live.credits import Due
from turnstile.web.live.doors import KEPT_DECISIONS, LiveDoors, make_live_doors

DOOR, STORE = "front_door", "store"
NS = 1_000_000_000


@pytest.fixture
def doors(tmp_path: Path) -> LiveDoors:
    """Return the doors of a site with two cameras, which pages show, and whose broker is heard."""
    found = make_live_doors(a_site(tmp_path, "recognizers: {recognizer-1: {}}", cameras=(DOOR, STORE)))
    found.note_broker(silent=False, silent_s=0.0, now_s=0.0)
    found.show(frozenset({DOOR, STORE}), 0.0)
    return found


def a_still_frame(seq: int, *, at_s: float, change: float | None = 0.0) -> Frame:
    """Return a frame of the front door."""
    frame = a_frame(camera=DOOR, seq=seq, captured_ns=START_NS + round(at_s * NS))
    return msgspec.structs.replace(frame, change=change)


def of(node: str, role: NodeRole, *, state: State = State.LIVE, detail: str = "") -> Beat:
    """Return a beat."""
    beat = a_beat(node=node, instance=f"{node}-1", state=state, detail=detail)
    return msgspec.structs.replace(beat, role=role)


def show(doors: LiveDoors, *said: object, now_s: float) -> None:
    """Let something come."""
    doors.refresh(doors.take(said, now_s), now_s)  # type: ignore[arg-type]


def test_the_newest_frame_is_sent_with_the_boxes_of_the_window(doors: LiveDoors) -> None:
    """And with its banner."""
    show(doors, a_still_frame(1, at_s=0), now_s=0.0)
    show(doors, a_still_frame(2, at_s=0.1), a_result(a_face(), camera=DOOR, captured_ns=START_NS), now_s=0.1)
    show(doors, an_access(), now_s=0.2)
    header, jpeg = doors.header(Due(DOOR, with_picture=True), at_door=False, now_s=0.3)
    assert (header.seq, header.age_ms, jpeg) == (2, 200.0, a_still_frame(2, at_s=0.1).jpeg)
    assert [(mark.kind, mark.label) for mark in header.marks] == [("granted", "Barack Obama")]
    assert [one.title for one in header.banners] == ["ACCESS GRANTED"]
    assert header.words == "live"


def test_a_tablet_is_told_no_names_and_no_distances(doors: LiveDoors) -> None:
    """But the name of whoever is granted."""
    show(doors, a_still_frame(1, at_s=0), a_result(a_face(), camera=DOOR, captured_ns=START_NS), now_s=0.0)
    header, _ = doors.header(Due(DOOR, with_picture=False), at_door=True, now_s=0.0)
    assert [(mark.label, mark.detail) for mark in header.marks] == [("", "")]
    assert (header.words, header.status) == ("", "")


def test_while_results_are_stale_the_last_boxes_go(doors: LiveDoors) -> None:
    """And the words say whether a recognizer is there at all."""
    show(doors, a_still_frame(1, at_s=0), a_result(a_face(), camera=DOOR, captured_ns=START_NS), now_s=0.0)
    show(doors, of("broker", "broker"), of("recognizer-1", "recognizer"), now_s=0.0)
    show(doors, a_still_frame(2, at_s=5), now_s=5.0)
    doors.note_broker(silent=False, silent_s=0.0, now_s=5.0)
    header, _ = doors.header(Due(DOOR, with_picture=True), at_door=False, now_s=5.0)
    assert header.notice is not None
    assert (header.light, header.marks, header.notice.detail) == (
        "stale",
        (),
        "local detection, not verified",
    )
    assert header.words == "no recognizer for 5 s"


def test_a_broker_that_is_lost_is_said_of_every_door_and_heals(doors: LiveDoors) -> None:
    """For all who watch, whichever doors they may see."""
    show(doors, a_still_frame(1, at_s=0), now_s=0.0)
    doors.note_broker(silent=True, silent_s=3.0, now_s=3.0)
    doors.refresh(doors.news, 3.0)
    assert doors.states[DOOR].startswith("broker lost: ")
    assert doors.troubles((DOOR,), 3.0) == ("the broker is not heard: nobody can enter",)
    doors.note_broker(silent=False, silent_s=0.0, now_s=4.0)
    show(doors, a_still_frame(2, at_s=4), now_s=4.0)
    assert not doors.troubles((DOOR,), 4.0)
    assert doors.states[DOOR] != "broker lost"


def test_troubles_of_other_nodes_are_for_who_sees_all_doors(doors: LiveDoors) -> None:
    """Names of other doors' cameras are not for everybody."""
    show(
        doors,
        of("broker", "broker"),
        of(STORE, "capture", state=State.LOST, detail="no such file"),
        now_s=0.0,
    )
    assert f"{STORE}: lost: no such file" in doors.troubles((), 0.0)
    assert not doors.troubles((DOOR,), 0.0)


def test_a_broker_that_lets_nobody_enter_says_why(doors: LiveDoors) -> None:
    """To everybody."""
    show(doors, of("broker", "broker", state=State.DEGRADED, detail="disk full"), now_s=0.0)
    assert doors.troubles((DOOR,), 0.0) == ("nobody can enter: disk full",)


@pytest.mark.parametrize(("change", "calm"), [(0.0, True), (0.9, False), (None, False)])
def test_a_door_is_calm_while_nobody_is_there_and_nothing_moves(
    doors: LiveDoors, *, change: float | None, calm: bool
) -> None:
    """A camera that does not say what changed may show somebody who comes."""
    frame = msgspec.structs.replace(a_still_frame(1, at_s=0, change=change), width_px=640, height_px=480)
    show(doors, frame, now_s=0.0)
    show(doors, a_result(camera=DOOR, captured_ns=START_NS), now_s=0.0)
    assert doors.news[DOOR].calm is calm


def test_a_door_with_somebody_is_not_calm(doors: LiveDoors) -> None:
    """However still they stand."""
    show(doors, a_still_frame(1, at_s=0), a_result(a_face(), camera=DOOR, captured_ns=START_NS), now_s=0.0)
    assert not doors.news[DOOR].calm


def test_only_what_is_new_is_news(doors: LiveDoors) -> None:
    """Rates and ages change with each picture, and are sent with it."""
    show(doors, a_still_frame(1, at_s=0), a_result(camera=DOOR, captured_ns=START_NS), now_s=0.0)
    before = msgspec.json.encode(doors.news[DOOR])
    doors.refresh([DOOR], 0.4)
    assert msgspec.json.encode(doors.news[DOOR]) == before
    show(doors, a_result(a_face(), camera=DOOR, captured_ns=START_NS), now_s=0.4)
    assert msgspec.json.encode(doors.news[DOOR]) != before


def test_a_door_that_no_page_shows_has_words_and_no_picture(doors: LiveDoors) -> None:
    """Neither the last one nor one that was under way."""
    show(doors, of("broker", "broker"), of(DOOR, "capture"), a_still_frame(1, at_s=0), now_s=0.0)
    show(doors, a_result(camera=DOOR, captured_ns=START_NS), now_s=0.0)
    doors.show(frozenset({STORE}), 0.1)
    for second in range(1, 60):
        doors.note_broker(silent=False, silent_s=0.0, now_s=second)
        said = a_result(camera=DOOR, captured_ns=START_NS + second * NS)
        show(doors, of(DOOR, "capture"), a_still_frame(2, at_s=0.1), said, now_s=float(second))
        assert doors.states[DOOR] == "live"
    assert (doors.news[DOOR].is_kept, doors.news[DOOR].calm, doors.frames) == (False, False, {})
    doors.show(frozenset({DOOR}), 59.5)
    show(doors, a_still_frame(3, at_s=59.6), now_s=59.6)
    assert doors.header(Due(DOOR, with_picture=True), at_door=False, now_s=59.6)[0].seq == 3
    assert doors.states[DOOR] == "live"


def test_without_recognizers_a_door_that_no_page_shows_says_so_too(doors: LiveDoors) -> None:
    """By the beats that are missing."""
    doors.show(frozenset(), 0.0)
    show(doors, of("recognizer-1", "recognizer"), now_s=0.0)
    for second in range(7):
        doors.note_broker(silent=False, silent_s=0.0, now_s=second)
        show(doors, of("broker", "broker"), of(DOOR, "capture"), now_s=float(second))
    doors.refresh([DOOR], 6.0)
    assert doors.states[DOOR] == "no recognizer for 6 s"


def test_decisions_are_kept_for_pages_that_come_for_them(doors: LiveDoors) -> None:
    """The last of them."""
    for seq in range(1, KEPT_DECISIONS + 11):
        show(doors, an_access(seq=seq), now_s=0.0)
    assert [line.event for line in doors.decisions_since(KEPT_DECISIONS + 8)] == ["aaaa:109", "aaaa:110"]
    assert len(doors.decisions_since(0)) == KEPT_DECISIONS
    assert not doors.decisions_since(doors.decided)
