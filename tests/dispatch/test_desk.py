"""The dispatch desk: what it takes in and refuses, what it hands out, and whose answers it believes."""

from itertools import count

import msgspec
import pytest

from tests.support.builders import a_face, a_frame, a_jpeg, a_result, a_template, an_encoding
from turnstile.dispatch.desk import CONFIRM_EVERY_NS, FORGET_CAMERA_S, DispatchDesk
from turnstile.dispatch.dispatcher import Job
from turnstile.dispatch.hints import AtDoor
from turnstile.dispatch.outbox import SAY_AGAIN_S
from turnstile.dispatch.round_trips import KEPT
from turnstile.errors import PictureError, WireError
from turnstile.people.encodings import Unencoded
from turnstile.protocol.messages import Picture, Taken, Work
from turnstile.protocol.topics import Outgoing, work_topic
from turnstile.site.recognition import RecognitionSettings
from turnstile.site.settings import BrokerSettings

MS = 1_000_000
RECOGNIZER = work_topic("recognizer-1", "recognizer-1-a1b2c3d4")
PICTURE = Unencoded(file="barack_obama.jpg", digest="d1", data=b"picture")


def a_desk(*, ready: int = 1, max_cameras: int = 256, max_recognizers: int = 1024) -> DispatchDesk:
    """Return a desk of a site with one camera, and one recognizer with so many credits."""
    tokens = count(1)
    desk = DispatchDesk(
        limits=BrokerSettings(max_cameras=max_cameras, max_recognizers=max_recognizers),
        recognition=RecognitionSettings(),
        cameras=["front_door"],
        new_token=lambda: f"{next(tokens):016x}",
    )
    if ready:
        desk.joined(RECOGNIZER)
        assert desk.dispatcher.ready(RECOGNIZER, credits=ready)
    return desk


def a_desk_with_work_out() -> tuple[DispatchDesk, Work]:
    """Return a desk, and the frame that it handed out at 1 ms."""
    desk = a_desk()
    desk.take(a_frame(), MS)
    ((_, work),) = desk.due(MS)
    assert isinstance(work, Work)
    return desk, work


def film(desk: DispatchDesk, *, seq: int, change: float | None) -> None:
    """Let the desk take a frame of which so much has changed, that many milliseconds after the start."""
    desk.take(msgspec.structs.replace(a_frame(seq=seq), change=change), seq * MS)


def offer_picture(desk: DispatchDesk) -> None:
    """Queue an enrolment picture."""
    desk.dispatcher.offer_picture(Job(kind="picture", key=PICTURE.digest, seq=0, body=PICTURE, came_ns=0))


def test_a_frame_becomes_work_that_says_how_long_it_waited() -> None:
    """The recognizer gets the same picture under a token of its own."""
    desk, frame = a_desk(), a_frame(seq=7)
    assert desk.take(frame, 10 * MS)
    ((assignment, work),) = desk.due(14 * MS)
    assert assignment.recognizer == RECOGNIZER
    assert work == Work(
        token=assignment.token,
        lease_s=3.0,
        camera="front_door",
        seq=7,
        captured_ns=frame.captured_ns,
        waited_ms=4.0,
        jpeg=frame.jpeg,
    )
    assert desk.due(15 * MS) == []


def test_a_picture_becomes_work_with_a_longer_lease() -> None:
    """Its answer gives the picture back, once."""
    desk = a_desk()
    offer_picture(desk)
    ((assignment, picture),) = desk.due(MS)
    assert picture == Picture(token=assignment.token, lease_s=20.0, file=PICTURE.file, data=PICTURE.data)
    assert desk.encoded(a_template(token=assignment.token)) == PICTURE
    assert desk.encoded(a_template(token=assignment.token)) is None


@pytest.mark.parametrize(
    ("jpeg", "width_px"), [(a_jpeg(64, 48), 65), (a_jpeg(progressive=True), 64), (b"not a picture", 64)]
)
def test_a_frame_that_is_not_what_it_says_is_refused(jpeg: bytes, width_px: int) -> None:
    """Neither its camera nor the picture is kept."""
    desk = a_desk()
    with pytest.raises(PictureError):
        desk.take(a_frame(jpeg=jpeg, width_px=width_px), MS)
    assert desk.due(MS) == []
    assert desk.gauges()["cameras"] == 0


def test_cameras_of_the_site_file_always_have_a_place() -> None:
    """Made-up ones beyond the limit are refused and counted."""
    desk = a_desk(max_cameras=2)
    assert [desk.take(a_frame(camera=name), MS) for name in ("a", "b", "c")] == [True, True, False]
    assert desk.take(a_frame(camera="front_door"), MS)
    assert desk.take(a_frame(camera="a", seq=2), MS)
    assert (desk.counts["refused_cameras"], desk.counts["frames_in"]) == (1, 4)


def test_no_frame_of_an_empty_scene_can_wait() -> None:
    """A missing one may hide a change, which asks for a look. So each look would ask for the next."""
    desk = a_desk()
    film(desk, seq=1, change=0.0)
    ((_, work),) = desk.due(MS)
    assert isinstance(work, Work)
    assert desk.can_wait("front_door"), "nobody has looked yet"
    desk.recognized(a_result(work=work, full_scan=True), 2 * MS)
    film(desk, seq=3, change=0.0)
    assert desk.dispatcher.waiting_frames == 1
    assert not desk.can_wait("front_door")
    film(desk, seq=4, change=None)
    assert desk.can_wait("front_door"), "that camera cannot tell"


def test_recognizers_beyond_the_limit_are_counted_and_get_nothing() -> None:
    """Who leaves makes room."""
    desk = a_desk(max_recognizers=1)
    desk.joined("work.other.x.")
    assert desk.gauges()["recognizers"] == desk.counts["refused_recognizers"] == 1
    desk.dispatcher.left(RECOGNIZER)
    desk.joined("work.other.x.")
    assert desk.dispatcher.recognizers == ("work.other.x.",)


def test_a_result_bears_the_time_of_the_frame_it_was_asked_about() -> None:
    """A recognizer cannot make a frame younger; how long it took is measured here."""
    desk, work = a_desk_with_work_out()
    said = msgspec.structs.replace(a_result(a_face(), work=work), captured_ns=work.captured_ns + 1)
    recognized = desk.recognized(said, 31 * MS)
    assert recognized is not None
    assert recognized.result.captured_ns == work.captured_ns
    assert recognized.age_s == pytest.approx(0.03)
    assert desk.recognized(said, 32 * MS) is None
    assert (desk.counts["results"], desk.counts["repeated_answers"]) == (1, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"camera": "store"},
        {"seq": 2},
        {"faces": (msgspec.structs.replace(a_face(), encoding=b"\xff" * 512),)},
        {"faces": (msgspec.structs.replace(a_face(), encoding=an_encoding()[:-4]),)},
    ],
)
def test_a_result_that_cannot_be_right_is_refused(changes: dict[str, object]) -> None:
    """It is counted as no result, and is no help for the next frame."""
    desk, work = a_desk_with_work_out()
    with pytest.raises(WireError):
        desk.recognized(msgspec.structs.replace(a_result(a_face(), work=work), **changes), 2 * MS)
    assert desk.counts["results"] == 0
    assert next_work(desk).hint is None


def test_doors_with_somebody_undecided_are_served_first() -> None:
    """As the access desk says of each door after each of its results."""
    desk = a_desk()
    desk.note_door("gate", AtDoor(any_open=True, read_ns={}, any_undecided=True))
    for camera in ("front_door", "gate"):
        desk.take(a_frame(camera=camera), MS)
    ((assignment, _),) = desk.due(MS)
    assert assignment.job.key == "gate"


def test_an_answer_is_confirmed_with_the_next_work_or_by_itself() -> None:
    """Each once, and also one that nobody wanted any more."""
    desk, work = a_desk_with_work_out()
    for token in ("01", work.token):
        desk.confirm(a_result(token=token))
    desk.recognized(a_result(work=work), 2 * MS)
    desk.dispatcher.ready(RECOGNIZER, credits=1)
    desk.take(a_frame(seq=2), 2 * MS)
    ((_, more),) = desk.due(3 * MS)
    assert isinstance(more, Work)
    assert more.taken == work.token
    assert desk.confirmations(3 * MS) == [Outgoing(RECOGNIZER, Taken(token="01"))]
    assert desk.confirmations(200 * MS) == []


def test_confirmations_wait_a_while_for_work_that_says_it_too() -> None:
    """A recognizer that gets the next frame soon is not woken for nothing, and none repeats its answer."""
    desk = a_desk()
    desk.confirm(a_result(token="01"))
    assert len(desk.confirmations(3 * MS)) == 1
    desk.confirm(a_result(token="02"))
    assert desk.confirmations(3 * MS + CONFIRM_EVERY_NS - 1) == []
    assert len(desk.confirmations(3 * MS + CONFIRM_EVERY_NS)) == 1
    assert CONFIRM_EVERY_NS < SAY_AGAIN_S * 1e9 / 2


def test_a_recognizer_gets_as_much_at_a_time_as_its_line_is_long() -> None:
    """One piece at first, however many it takes; and again after its connection closed."""
    desk, now_ns, most = a_desk(), 0, []
    for turn in range(3 * KEPT):
        assert desk.ready(RECOGNIZER, most=3, now_ns=now_ns)
        for door in "abcd":
            desk.take(a_frame(camera=door, instance=door, seq=turn + 1), now_ns)
        works = [one.message for one in desk.due(now_ns)]
        most.append(len(works))
        now_ns += 100 * MS
        for work in works:
            assert isinstance(work, Work)
            desk.recognized(a_result(work=work), now_ns)
    assert (most[0], most[-1]) == (1, 3)
    assert desk.left(RECOGNIZER) == []
    desk.joined(RECOGNIZER)
    assert desk.ready(RECOGNIZER, most=3, now_ns=now_ns)
    assert len(desk.due(now_ns)) == 1


def test_an_answer_of_the_wrong_kind_is_refused() -> None:
    """A template for a frame, and a result for a picture."""
    desk, work = a_desk_with_work_out()
    with pytest.raises(WireError, match="a template for other work"):
        desk.encoded(a_template(token=work.token))
    desk = a_desk()
    offer_picture(desk)
    ((assignment, _),) = desk.due(MS)
    with pytest.raises(WireError, match="a result for other work"):
        desk.recognized(a_result(token=assignment.token), 2 * MS)


def next_work(desk: DispatchDesk) -> Work:
    """Return the work that the camera's next frame becomes."""
    desk.dispatcher.ready(RECOGNIZER, credits=1)
    desk.take(a_frame(seq=2), 50 * MS)
    ((_, work),) = desk.due(50 * MS)
    assert isinstance(work, Work)
    return work


def test_where_faces_were_goes_with_the_next_frame() -> None:
    """A recognizer need not search the whole picture again."""
    desk, work = a_desk_with_work_out()
    face = a_face()
    desk.recognized(a_result(face, work=work), 2 * MS)
    hint = next_work(desk).hint
    assert hint is not None
    assert hint.boxes_px == (face.box_px,)


def test_a_frame_that_could_not_be_decoded_is_counted_and_teaches_nothing() -> None:
    """The result is passed on all the same: displays show it."""
    desk, work = a_desk_with_work_out()
    problem = a_result(a_face(), work=work, problem="cut off")
    assert desk.recognized(problem, 2 * MS) is not None
    assert desk.counts["bad_frames"] == 1
    assert next_work(desk).hint is None


def test_a_camera_that_is_silent_for_an_hour_is_forgotten() -> None:
    """With the frame of it that waits, and where its faces were."""
    desk = a_desk(ready=0)
    desk.take(a_frame(camera="store"), MS)
    desk.take(a_frame(), 2 * MS)
    hour_ns = round(FORGET_CAMERA_S * 1e9)
    assert desk.forget_silent(hour_ns + MS) == []
    assert desk.forget_silent(hour_ns + 2 * MS) == ["store"]
    assert desk.gauges() == {"recognizers": 0, "cameras": 1}
    desk.joined(RECOGNIZER)
    desk.dispatcher.ready(RECOGNIZER, credits=2)
    assert [handout.assignment.job.key for handout in desk.due(hour_ns)] == ["front_door"]


def test_a_door_is_asked_for_its_next_frame_how_likely_its_faces_are_alive() -> None:
    """Until it wants that no more, and not for other doors."""
    desk = a_desk()
    for seq, asks in ((1, True), (2, False), (3, True)):
        desk.note_door("front_door", AtDoor(any_open=True, read_ns={}, asks_network=asks))
        desk.take(a_frame(seq=seq), seq * 1000 * MS)
        desk.dispatcher.ready(RECOGNIZER, credits=1)
        ((_, work),) = desk.due(seq * 1000 * MS)
        assert isinstance(work, Work)
        assert work.check_alive is asks
        desk.recognized(a_result(a_face(), work=work), seq * 1000 * MS)
    desk.take(a_frame(camera="store"), 4000 * MS)
    desk.dispatcher.ready(RECOGNIZER, credits=1)
    ((_, other),) = desk.due(4000 * MS)
    assert isinstance(other, Work)
    assert other.check_alive is False


def test_frames_of_a_second_process_of_a_camera_are_refused_and_counted() -> None:
    """Two cameras under one name would become one door, and people at the second never an entry."""
    desk = a_desk()
    kept = [
        desk.take(a_frame(seq=seq, instance=f"front_door-{seq % 2}"), seq * 100 * MS) for seq in range(1, 9)
    ]
    assert kept[2:] == [True, False] * 3
    assert desk.counts["refused_second_of_a_name"] == 3


def test_a_frame_of_an_empty_scene_that_has_not_changed_is_answered_at_once() -> None:
    """As observed and empty, so that people who left are absent, without a recognizer."""
    desk = a_desk()
    still = [msgspec.structs.replace(a_frame(seq=seq), change=0.0) for seq in range(1, 4)]
    assert desk.take(still[0], MS)
    ((_, work),) = desk.due(MS)
    assert desk.unchanged(MS) == []
    desk.recognized(a_result(token=work.token, seq=1), 2 * MS)
    desk.dispatcher.ready(RECOGNIZER, credits=1)
    desk.note_door("front_door", AtDoor(any_open=False, read_ns={}))
    assert desk.take(still[1], 3 * MS)
    assert desk.take(still[2], 4 * MS)
    assert desk.due(5 * MS) == []
    (answer,) = desk.unchanged(5 * MS)
    assert (answer.result.seq, answer.result.faces, answer.result.full_scan) == (3, (), True)
    assert answer.result.captured_ns == still[2].captured_ns
    assert answer.age_s == 0.001
    assert desk.unchanged(5 * MS) == []
    assert desk.counts["looks_saved"] == 2
    assert desk.dispatcher.silent_cameras(4 * MS) == []
