"""The people desk: pictures become work, answers become a gallery, and recognizers get the one they lack."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from itertools import count
from pathlib import Path

import msgspec
import pytest

from tests.io.people.test_enrolment import put
from tests.support.builders import a_face, a_frame, a_ready, a_result, a_template, an_encoding
from tests.support.waiting import pause, wait_until
from turnstile.dispatch.desk import DispatchDesk, Recognized
from turnstile.dispatch.dispatcher import Assignment, Job
from turnstile.errors import WireError
from turnstile.io.people.building import GalleryThread
from turnstile.io.people.desk import GALLERY_PERIOD_NS, RESEND_NS, PeopleDesk
from turnstile.io.people.enrolment import open_enrolment
from turnstile.io.people.rates import StrangerRate
from turnstile.people.building import GalleryBuilder
from turnstile.protocol.messages import Face, People
from turnstile.protocol.roles import Identity
from turnstile.protocol.topics import Outgoing, work_topic
from turnstile.site.recognition import RecognitionSettings
from turnstile.site.settings import BrokerSettings, DecisionSettings, GallerySettings

ENGINE = "dlib-resnet-v1/raw"
RECOGNIZER = work_topic("recognizer-1", "recognizer-1-a1b2c3d4")


class Office:
    """A people desk, its faces folder, and a clock that the test moves."""

    def __init__(self, folder: Path, keys: Mapping[str, Identity] | None = None) -> None:
        self.faces = folder / "faces"
        self.faces.mkdir(exist_ok=True)
        self.keys = keys
        tokens = count(1)
        self.dispatch = DispatchDesk(
            limits=BrokerSettings(),
            recognition=RecognitionSettings(),
            cameras=[],
            new_token=lambda: f"{next(tokens):016x}",
        )
        self.enrolment = open_enrolment(
            GallerySettings(faces=str(self.faces), cache=str(folder / "cache")), ENGINE
        )
        rate = StrangerRate(DecisionSettings())
        self.desk = PeopleDesk(
            enrolment=self.enrolment,
            making=GalleryThread(GalleryBuilder(ENGINE)),
            dispatch=self.dispatch,
            rate=rate,
            keys=lambda: self.keys,
        )
        self.dispatch.joined(RECOGNIZER)
        self.now_ns = 0

    def turn(self) -> list[Outgoing]:
        """Return what is due a gallery's period later."""
        self.now_ns += GALLERY_PERIOD_NS
        return self.desk.due(self.now_ns)

    def turn_until(self, condition: Callable[[], bool]) -> list[Outgoing]:
        """Turn until a condition holds, and return all that was due."""
        published: list[Outgoing] = []

        def turn() -> None:
            pause()
            published.extend(self.turn())

        wait_until(condition, lambda: f"published so far: {published}", between=turn)
        return published

    def ready(self, version: str = "") -> list[Outgoing]:
        """Say as the recognizer that it is ready and holds a version."""
        return self.desk.take(a_ready(gallery_version=version), self.now_ns)

    def next_token(self) -> str:
        """Return the token of the next picture that the recognizer gets."""
        self.turn_until(
            lambda: self.desk.enrolment.in_use and bool(self.dispatch.dispatcher.waiting_pictures)
        )
        self.ready()
        ((assignment, _),) = self.dispatch.due(self.now_ns)
        return assignment.token

    def enrol(self, *files: str) -> list[Outgoing]:
        """Enrol pictures, and return what is published once all are."""
        for seed, file in enumerate(files):
            put(self.faces / file, file)
            template = a_template(token=self.next_token(), encoding=an_encoding(seed))
            assert self.desk.take(template, self.now_ns) == []
        return self.turn_until(lambda: self.all_are_enrolled(len(files)))

    def all_are_enrolled(self, pictures: int) -> bool:
        """Tell whether the desk has said who is enrolled, with so many pictures."""
        gallery = self.enrolment.made.gallery
        return len(gallery.owners) == pictures and self.desk.enrolled == gallery.persons


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Return a desk with nobody enrolled and one recognizer that listens."""
    office = Office(tmp_path)
    yield office
    office.desk.close()


def test_everybody_gets_the_gallery_when_it_changes(office: Office) -> None:
    """And the recognizers that were listening need not be sent it again."""
    topics = office.enrol("barack_obama.jpg", "joe_biden.jpg")
    about, people = topics[-1]
    assert about == "gallery."
    assert isinstance(people, People)
    assert people.persons == office.desk.enrolled == ("Barack Obama", "Joe Biden")
    assert office.ready() == []
    wait_until(lambda: office.desk.gauges().get("stranger_rate") == 0.0, "what the gallery admits")


def test_the_limits_are_logged(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    """So that an operator knows what a change of the gallery did."""
    caplog.set_level("INFO", "turnstile")
    office.enrol("barack_obama.jpg", "joe_biden.jpg")
    wait_until(lambda: office.desk.gauges().get("stranger_rate") is not None, "what the gallery admits")
    assert "people are recognised up to a distance of 0.450" in caplog.text


def test_a_recognizer_that_lacks_the_gallery_gets_it_on_its_own_topic(office: Office) -> None:
    """Again after a while if it still lacks it, at once if it came anew, and not if it has it."""
    office.enrol("barack_obama.jpg")
    version = office.enrolment.made.gallery.version
    office.now_ns += RESEND_NS + 1
    assert office.ready(version) == []
    assert [about for about, _ in office.ready()] == [RECOGNIZER]
    assert office.ready() == []
    office.desk.left(RECOGNIZER)
    assert [about for about, _ in office.ready()] == [RECOGNIZER]


def recognized(office: Office, *faces: Face, gallery_version: str) -> Recognized:
    """Return what a recognizer answered."""
    job = Job(kind="frame", key="front_door", seq=1, body=a_frame(), came_ns=0)
    assignment = Assignment(token="t", recognizer=RECOGNIZER, job=job, handed_ns=0, expires_ns=1)
    result = msgspec.structs.replace(a_result(*faces), gallery_version=gallery_version)
    return Recognized(result, assignment, office.now_ns)


def test_a_claim_that_the_gallery_does_not_bear_out_is_ignored_counted_and_said(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """Once a minute for each recognizer."""
    office.enrol("barack_obama.jpg")
    version = office.enrolment.made.gallery.version
    forged = msgspec.structs.replace(a_face("Mallory", distance=0.0), encoding=an_encoding(0))
    for _ in range(2):
        named = office.desk.name_faces(recognized(office, forged, gallery_version=version))
        assert [face.person for face in named.result.faces] == ["Barack Obama"]
    assert office.desk.counts["false_claims"] == 2
    assert caplog.text.count("refused from recognizer-1: its names or distances are not the gallery's") == 1


def test_a_recognizer_that_still_holds_the_gallery_before_names_nobody_who_is_gone(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """Its word is not held against it."""
    office.enrol("barack_obama.jpg", "joe_biden.jpg")
    version = office.enrolment.made.gallery.version
    (office.faces / "joe_biden.jpg").unlink()
    office.turn_until(lambda: office.desk.enrolled == ("Barack Obama",))
    gone = msgspec.structs.replace(a_face("Joe Biden"), encoding=an_encoding(1))
    named = office.desk.name_faces(recognized(office, gone, gallery_version=version))
    assert [face.person for face in named.result.faces] == ["Barack Obama"]
    assert (named.result.faces[0].distance or 0) > 1
    assert "refused from" not in caplog.text


def test_a_result_may_say_that_its_recognizer_is_ready(office: Office) -> None:
    """Then nothing else need say it; one without credits says nothing."""
    office.turn_until(lambda: office.desk.enrolment.in_use)
    office.dispatch.take(a_frame(), office.now_ns)
    for credits_, handed_out in ((0, 0), (1, 1)):
        result = msgspec.structs.replace(a_result(), credits=credits_)
        office.desk.take(result, office.now_ns)
        assert len(office.dispatch.due(office.now_ns)) == handed_out


def test_a_recognizer_gets_nothing_before_it_listens(office: Office) -> None:
    """What is sent before its subscription is seen would be lost."""
    office.enrol("barack_obama.jpg")
    unseen = a_ready(instance="recognizer-1-ffffffff")
    assert office.desk.take(unseen, office.now_ns + RESEND_NS + 1) == []


def test_a_template_of_another_engine_is_refused_and_the_picture_with_it(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """Encodings of two engines cannot be compared."""
    put(office.faces / "barack_obama.jpg", "b")
    template = a_template(token=office.next_token(), engine="another/raw")
    with pytest.raises(WireError, match="of another engine"):
        office.desk.take(template, office.now_ns)
    assert "faces/barack_obama.jpg is not used: recognizer-1 answered with no encoding of it" in caplog.text
    assert office.desk.gauges()["pictures_refused"] == 1


@pytest.mark.parametrize("set_aside", [True, False])
def test_a_picture_that_cannot_be_encoded_is_said_once_and_counted(
    office: Office, caplog: pytest.LogCaptureFixture, *, set_aside: bool
) -> None:
    """Whether a recognizer says why, or two of them fail on it."""
    digest = put(office.faces / "barack_obama.jpg", "b")
    token = office.next_token()
    if set_aside:
        office.desk.set_aside(digest)
    else:
        office.desk.take(a_template(token=token, problem="two recognizers failed on it"), office.now_ns)
    assert caplog.text.count("two recognizers failed on it") == 1
    assert office.desk.gauges()["pictures_refused"] == 1


def test_a_picture_that_is_removed_is_not_encoded(office: Office) -> None:
    """An answer that comes too late enrols nobody."""
    put(office.faces / "barack_obama.jpg", "b")
    token = office.next_token()
    (office.faces / "barack_obama.jpg").unlink()
    office.turn_until(lambda: not office.dispatch.dispatcher.waiting_pictures)
    office.desk.take(a_template(token=token), office.now_ns)
    assert office.dispatch.counts["refused_tokens"] == 1
    assert office.enrolment.encodings == {}


def test_the_gallery_is_built_four_times_a_second_at_most(office: Office) -> None:
    """A folder that is being filled does not keep recognizers busy with galleries."""
    office.enrol("barack_obama.jpg")
    digest = office.enrolment.hashes["barack_obama.jpg"]
    office.turn_until(lambda: office.desk.making.is_free and not office.enrolment.changed)
    version = office.enrolment.made.gallery.version
    office.enrolment.keep_encoding(digest, an_encoding(9))
    office.turn_until(lambda: office.enrolment.made.gallery.version != version)
    office.enrolment.keep_encoding(digest, an_encoding(8))
    assert office.desk.due(office.now_ns + GALLERY_PERIOD_NS - 1) == []
    assert office.desk.making.is_free
    version = office.enrolment.made.gallery.version
    published = office.turn_until(lambda: office.enrolment.made.gallery.version != version)
    assert [about for about, _ in published] == ["gallery."]


def test_a_change_of_the_gallery_is_one_line_that_says_who_came_and_went(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """Recognizers say nothing of it: there may be many."""
    caplog.set_level("INFO", logger="turnstile")
    office.turn_until(lambda: office.desk.enrolled == ())
    office.enrol("ann_lee.jpg")
    office.turn_until(lambda: office.desk.enrolled == ("Ann Lee",))
    (office.faces / "ann_lee.jpg").unlink()
    office.turn_until(lambda: office.desk.enrolled == ())
    lines = [line for line in caplog.messages if line.startswith("gallery")]
    assert lines[-2:] == [
        "gallery: 1 person, 1 picture; new: Ann Lee",
        "gallery: 0 people, 0 pictures; removed: Ann Lee",
    ]


def test_one_picture_of_two_people_is_named_with_both_files(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """Once; whom it shows is ambiguous, and nobody would know why."""
    put(office.faces / "ann.jpg", "one face")
    put(office.faces / "bob.jpg", "one face")
    token = office.next_token()
    office.desk.take(a_template(token=token, encoding=an_encoding()), office.now_ns)
    office.turn_until(lambda: "are the same picture" in caplog.text)
    assert "faces/ann.jpg (Ann) and faces/bob.jpg (Bob) are the same picture" in caplog.text
    assert office.enrolment.made.gallery.persons == ("Ann", "Bob")


def test_status_says_how_many_pictures_wait(office: Office) -> None:
    """All of them, not only those that are handed out next."""
    for at in range(20):
        put(office.faces / f"person_{chr(97 + at)}.jpg", f"picture {at}")
    token = office.next_token()
    assert office.desk.gauges()["pictures_waiting"] == 20
    office.desk.take(a_template(token=token, encoding=an_encoding()), office.now_ns)
    assert office.desk.gauges()["pictures_waiting"] == 19


HOLDER = Identity("recognizer", "recognizer-1")


def test_what_a_recognizer_encoded_is_dropped_when_its_key_is_revoked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its picture is encoded again by who has a key, also one of the same name; others' stay."""
    office = Office(tmp_path, {"old key": HOLDER, "of a camera": Identity("capture", "gate")})
    with closing(office.desk):
        office.enrol("barack_obama.jpg")
        office.keys = {"new key": HOLDER}
        office.turn_until(lambda: not office.enrolment.made.gallery.persons)
        assert "1 picture is encoded again: a recognizer did it whose key is revoked" in caplog.text
        office.desk.take(a_template(token=office.next_token(), encoding=an_encoding(7)), office.now_ns)
        office.turn_until(lambda: len(office.enrolment.made.gallery.owners) == 1)
        assert office.enrolment.made.gallery.encodings.tobytes() == an_encoding(7)
        office.keys = {"new key": HOLDER, "another key": Identity("recognizer", "recognizer-2")}
        office.turn()
        assert office.enrolment.made.gallery.persons == ("Barack Obama",)


@pytest.mark.parametrize("made_by", [None, "old key", "new key"])
def test_what_a_recognizer_encoded_is_not_used_if_its_key_was_revoked_while_no_broker_ran(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, made_by: str | None
) -> None:
    """Nor what was encoded before the bus had keys: nobody can tell by whom."""
    before = Office(tmp_path, None if made_by is None else {made_by: HOLDER})
    with closing(before.desk):
        before.enrol("barack_obama.jpg")
    after = Office(tmp_path, {"new key": HOLDER})
    with closing(after.desk):
        if made_by == "new key":
            after.turn_until(lambda: len(after.enrolment.made.gallery.owners) == 1)
            assert "encoded again" not in caplog.text
        else:
            token = after.next_token()
            assert after.enrolment.made.gallery.persons == ()
            after.desk.take(a_template(token=token, encoding=an_encoding(7)), after.now_ns)
            after.turn_until(lambda: len(after.enrolment.made.gallery.owners) == 1)
            assert after.enrolment.made.gallery.encodings.tobytes() == an_encoding(7)


def test_somebody_who_is_erased_is_nobody_at_once(office: Office) -> None:
    """The next gallery takes a moment, and one that was asked for before still names them."""
    office.enrol("ann_lee.jpg", "bob_ray.jpg")
    office.turn_until(lambda: office.desk.enrolled == ("Ann Lee", "Bob Ray"))
    face = msgspec.structs.replace(a_face("Ann Lee"), encoding=an_encoding(0))
    (before,) = office.desk.name_faces(recognized(office, face, gallery_version="")).result.faces
    stale = GalleryBuilder(ENGINE).make(office.enrolment.ingredients())
    office.desk.unenrol(before.person or "")
    (at_once,) = office.desk.name_faces(recognized(office, face, gallery_version="")).result.faces
    office.enrolment.use(stale)
    (later,) = office.desk.name_faces(recognized(office, face, gallery_version="")).result.faces
    assert before.person in {"Ann Lee", "Bob Ray"}
    assert {at_once.person, later.person}.isdisjoint({before.person})
    assert before.person not in office.enrolment.made.message.persons
