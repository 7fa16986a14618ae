"""The recognition desk: every piece of work is answered, with what was found or with the problem."""

from pathlib import Path

import msgspec
import pytest

from tests.support.builders import a_box, a_frame, a_jpeg, a_picture, a_work, some_encodings
from tests.support.fake_engine import ENGINE, FakeEngine
from tests.support.pth import write_network
from turnstile.errors import ConfigError, PictureError, WireError
from turnstile.people.gallery import build_gallery, to_message
from turnstile.protocol.fields import MAX_FACES, Hint
from turnstile.protocol.messages import Picture, Result, Template, Work
from turnstile.vision.encode.liveness import AliveNetwork
from turnstile.vision.engines.desk import MAX_THUMBNAILS, RecognitionDesk
from turnstile.vision.engines.sideways import LOOK_EVERY

NAME, INSTANCE = "recognizer-1", "recognizer-1-a1b2c3d4"
ANN = build_gallery(ENGINE, [("Ann Lee", some_encodings(1).tobytes())])


@pytest.fixture
def engine() -> FakeEngine:
    """Return an engine that finds nobody."""
    return FakeEngine()


@pytest.fixture
def desk(engine: FakeEngine) -> RecognitionDesk:
    """Return a desk with nobody enrolled."""
    return RecognitionDesk(name=NAME, instance=INSTANCE, engine=engine)


def recognize(desk: RecognitionDesk, work: Work) -> Result:
    """Return the answer to a frame."""
    answer = desk.take(work)
    assert isinstance(answer, Result)
    return answer


def encode(desk: RecognitionDesk, picture: Picture) -> Template:
    """Return the answer to an enrolment picture."""
    answer = desk.take(picture)
    assert isinstance(answer, Template)
    return answer


def test_a_result_says_what_it_answers_and_who_answered(desk: RecognitionDesk, engine: FakeEngine) -> None:
    """Token, frame and gallery can be told from it; the hint reached the engine."""
    desk.replace_gallery(to_message(ANN))
    hint = Hint(boxes_px=(a_box(),), age_s=0.1, frames_since_full_scan=1)
    work = a_work(a_frame(seq=7), hint=hint)
    result = recognize(desk, work)
    assert (result.token, result.camera, result.seq) == (work.token, "front_door", 7)
    assert (result.captured_ns, result.waited_ms) == (work.captured_ns, work.waited_ms)
    assert (result.name, result.instance, result.gallery_version) == (NAME, INSTANCE, ANN.version)
    assert engine.hints == [hint]
    assert (desk.counts["frames_in"], desk.counts["faces"]) == (1, 0)


def test_faces_have_names_distances_and_a_few_thumbnails(desk: RecognitionDesk, engine: FakeEngine) -> None:
    """Nobody has a name while nobody is enrolled."""
    engine.boxes_px = tuple(a_box(left=at, top=5, size=10) for at in range(MAX_THUMBNAILS + 1))
    engine.encodings = some_encodings(MAX_THUMBNAILS + 1)
    assert {face.person for face in recognize(desk, a_work()).faces} == {None}
    desk.replace_gallery(to_message(ANN))
    faces = recognize(desk, a_work()).faces
    assert [face.person for face in faces] == ["Ann Lee"] * len(engine.boxes_px)
    assert faces[0].distance == pytest.approx(0, abs=1e-3)
    assert [bool(face.thumbnail) for face in faces] == [True] * MAX_THUMBNAILS + [False]
    assert faces[1].encoding == engine.encodings[1].tobytes()
    assert [face.turn for face in faces] == [at / 10 for at in range(len(faces))]


def test_faces_are_judged_by_the_network_where_the_broker_asks(
    desk: RecognitionDesk, engine: FakeEngine, tmp_path: Path
) -> None:
    """Only those that were encoded, as only they vote; without a network nobody answers."""
    engine.boxes_px, engine.encodings, engine.encoded = (a_box(), a_box(left=300)), some_encodings(1), (1,)
    asking = msgspec.structs.replace(a_work(), check_alive=True)
    assert [face.alive for face in recognize(desk, asking).faces] == [None, None]
    sha256 = write_network(tmp_path / "net.pth", alive=0.75)
    desk.network = AliveNetwork(tmp_path / "net.pth", sha256=sha256)
    assert [face.alive for face in recognize(desk, a_work()).faces] == [None, None]
    assert [face.alive for face in recognize(desk, asking).faces] == [pytest.approx(0.75, abs=1e-5), None]


def test_a_frame_that_cannot_be_decoded_is_answered_and_counted(
    desk: RecognitionDesk, engine: FakeEngine
) -> None:
    """It is not a crash, and the broker need not wait for the lease."""
    engine.error = PictureError("the frame cannot be decoded" + "!" * 1000)
    result = recognize(desk, a_work())
    assert result.problem.startswith("the frame cannot be decoded")
    assert len(result.problem) == 500
    assert result.faces == ()
    assert desk.counts["bad_frames"] == 1


def test_a_crowd_is_cut_to_what_a_message_holds(desk: RecognitionDesk, engine: FakeEngine) -> None:
    """The biggest faces come first."""
    engine.boxes_px = tuple(a_box(left=at) for at in range(MAX_FACES + 10))
    engine.encodings = some_encodings(MAX_FACES + 10)
    faces = recognize(desk, a_work()).faces
    assert [face.box_px.left for face in faces] == list(range(MAX_FACES))


def test_an_enrolment_picture_is_answered_with_its_encoding(
    desk: RecognitionDesk, engine: FakeEngine
) -> None:
    """Or with why there is none."""
    encoded = encode(desk, a_picture(token="01", data=a_jpeg()))
    damaged = encode(desk, a_picture(token="02", data=b"no picture"))
    engine.error = PictureError("there are two faces in it")
    crowded = encode(desk, a_picture(token="03", data=a_jpeg()))
    assert (encoded.token, encoded.engine, encoded.problem) == ("01", ENGINE, "")
    assert encoded.encoding == some_encodings(1).tobytes()
    assert (damaged.encoding, damaged.problem) == (b"", "not a JPEG, PNG, WebP or HEIC picture")
    assert crowded.problem == "there are two faces in it"
    assert (desk.counts["pictures_in"], desk.counts["bad_pictures"]) == (3, 2)


def test_a_gallery_that_cannot_be_used_leaves_the_last_one_in_place(desk: RecognitionDesk) -> None:
    """One of another engine is a matter of the site file."""
    desk.replace_gallery(to_message(ANN))
    with pytest.raises(ConfigError, match=r"another/engine, this recognizer makes a-test-engine/raw"):
        desk.replace_gallery(to_message(build_gallery("another/engine", [])))
    with pytest.raises(WireError):
        desk.replace_gallery(msgspec.structs.replace(to_message(ANN), owners=(0, 0)))
    assert desk.gallery.version == ANN.version


def test_a_camera_that_seems_to_be_mounted_sideways_is_said_in_the_log(
    desk: RecognitionDesk, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    """The engine finds faces in turned pictures only: those that are higher than wide."""
    engine.only_upright = True
    for seq in range(LOOK_EVERY + 1):
        recognize(desk, a_work(a_frame(seq=seq)))
    (said,) = (record.getMessage() for record in caplog.records)
    assert "add 90 to cameras.front_door.rotate" in said
    assert list(desk.sideways.hints.values()) == [said]


def test_faces_that_were_not_encoded_are_found_all_the_same(
    desk: RecognitionDesk, engine: FakeEngine
) -> None:
    """They have a box and no encoding, come after the others, and are counted."""
    desk.replace_gallery(to_message(ANN))
    engine.boxes_px = tuple(a_box(left=at, size=20) for at in range(3))
    engine.encodings, engine.encoded, engine.left_out = some_encodings(1), (1,), 1
    faces = recognize(desk, a_work()).faces
    assert [(face.box_px.left, face.unread, face.person, bool(face.encoding)) for face in faces] == [
        (1, False, "Ann Lee", True),
        (0, True, None, False),
        (2, True, None, False),
    ]
    assert (desk.counts["faces_unread"], desk.counts["faces_found_only"]) == (1, 1)


def test_a_crowd_is_said_in_the_log_and_shown(
    desk: RecognitionDesk, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    """Once for the log, though every frame has it."""
    engine.boxes_px = tuple(a_box(left=at, size=20) for at in range(84))
    engine.encodings, engine.encoded, engine.left_out = some_encodings(8), tuple(range(8)), 76
    for seq in range(3):
        recognize(desk, a_work(a_frame(seq=seq)))
    (said,) = (record.getMessage() for record in caplog.records)
    assert said.startswith("front_door: 76 of 84 faces in a frame were not encoded")
    assert desk.hints == said
