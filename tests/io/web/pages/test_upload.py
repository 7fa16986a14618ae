"""Enrolment by upload: judged first, kept by a press, refused ones by a second."""

import io
import re

import pillow_heif
import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.io.web.pages.conftest import Visitor
from tests.support.answering import AnsweringBus
from tests.support.answers import A_JPEG, a_person, people
from tests.support.builders import some_looks
from turnstile.io.web.pages.upload import MAX_FILES, MAX_UPLOAD_BYTES
from turnstile.requests.answers import AnyAnswer, Done, PictureJudged, RefusedWish
from turnstile.requests.wishes import EnrolPicture, ErasePerson, JudgePicture, ReadPeople, UndoEnrolment

GOOD = PictureJudged(looks=some_looks(), closest="Bob Poe", closest_distance=0.47)


def upload(client: TestClient, *files: bytes, person: str = "Ann Lee") -> str:
    """Send files, and return the address of the page that tells what was said of them."""
    sent = [("files", (f"{at}.jpg", data, "image/jpeg")) for at, data in enumerate(files)]
    answer = client.post("/enrol", data={"person": person}, files=sent)
    assert answer.status_code == 303
    there: str = answer.headers["location"]
    return there


def tokens(page: str) -> list[str]:
    """Return the pictures that can be chosen on a page."""
    return re.findall(r'name="picture" value="([^"]+)"', page)


def test_a_picture_is_judged_before_it_is_kept(bus: AnsweringBus, visitor: Visitor) -> None:
    """Its look-alike is told, a press keeps it, and the person's page says so."""
    bus.answers = {
        JudgePicture: GOOD,
        EnrolPicture: Done(words="Ann Lee has a picture more."),
        ReadPeople: people(a_person()),
    }
    client = visitor("clerk")
    page = client.get(upload(client, A_JPEG)).text
    assert "The nearest other person is Bob Poe, at 0.47." in page
    assert not bus.wishes(EnrolPicture)
    (token,) = tokens(page)
    assert client.get(f"/enrol/picture?token={token}").headers["content-type"] == "image/jpeg"
    answer = client.post("/enrol/keep", data={"picture": token, "shown": token})
    assert answer.headers["location"] == "/people/Ann%20Lee?new=1"
    assert "has a picture more" in client.get("/people/Ann%20Lee").text
    assert client.get(f"/enrol/picture?token={token}").status_code == 404
    assert bus.wishes(EnrolPicture) == [EnrolPicture(person="Ann Lee", data=A_JPEG)]


def test_what_would_be_refused_needs_a_second_press(bus: AnsweringBus, visitor: Visitor) -> None:
    """After the good ones are kept, those that may be kept anyway are still asked about."""
    doubtful = PictureJudged(problem="it looks like Bob", may_anyway=True)
    impossible = PictureJudged(problem="no face is found")
    good_one, doubtful_one, impossible_one = (A_JPEG + bytes([at]) for at in range(3))
    said = {good_one: GOOD, doubtful_one: doubtful, impossible_one: impossible}
    bus.answers = {JudgePicture: lambda wish: said[wish.data], EnrolPicture: Done(words="Kept.")}
    client = visitor("clerk")
    page = client.get(upload(client, *said)).text
    shown = re.findall(r'name="shown" value="([^"]+)"', page)[:3]
    good, doubtful_token = tokens(page)
    assert "no face is found" in page
    assert page.count("Keep anyway") == 1
    after = client.post("/enrol/keep", data={"picture": good, "shown": shown}).headers["location"]
    assert after == f"/enrol/judged?person=Ann+Lee&picture={doubtful_token}"
    client.post("/enrol/keep", data={"picture": doubtful_token, "shown": doubtful_token, "anyway": "1"})
    assert [(one.data, one.anyway) for one in bus.wishes(EnrolPicture)] == [
        (good_one, False),
        (doubtful_one, True),
    ]


def test_what_was_kept_is_taken_back_by_one_press(bus: AnsweringBus, visitor: Visitor) -> None:
    """All pictures of that press, and what cannot be is said."""
    undone: dict[str, AnyAnswer] = {
        "u1": Done(words="1 picture removed"),
        "u2": RefusedWish(problem="too late"),
    }
    bus.answers = {
        JudgePicture: GOOD,
        EnrolPicture: lambda wish: Done(words="Kept.", undo=f"u{wish.data[-1]}"),
        ReadPeople: people(a_person()),
        UndoEnrolment: lambda wish: undone[wish.undo],
    }
    client = visitor("clerk")
    found = tokens(client.get(upload(client, A_JPEG + b"\x01", A_JPEG + b"\x02")).text)
    client.post("/enrol/keep", data={"picture": found})
    undo = "/enrol/undo?undo=u1&undo=u2"
    assert undo.replace("&", "&amp;") in client.get("/people/Ann%20Lee").text
    assert visitor("viewer").post(undo).status_code == 403
    visitor("clerk").post(undo)
    page = client.get("/people").text
    assert "1 picture removed" in page
    assert "too late" in page


def test_a_second_press_enrols_nothing_twice(bus: AnsweringBus, visitor: Visitor) -> None:
    """Somebody without script presses again, or a browser sends again: both are told the same."""
    bus.answers = {JudgePicture: GOOD, EnrolPicture: Done(words="Kept.")}
    client = visitor("clerk")
    (token,) = tokens(client.get(upload(client, A_JPEG)).text)
    answers = [client.post("/enrol/keep", data={"picture": token}).headers["location"] for _ in range(2)]
    assert answers == ["/people/Ann%20Lee?new=1"] * 2
    assert len(bus.wishes(EnrolPicture)) == 1


def test_what_happens_meanwhile_is_said(bus: AnsweringBus, visitor: Visitor) -> None:
    """A picture that was good may be refused when it is kept."""
    bus.answers = {
        JudgePicture: GOOD,
        EnrolPicture: RefusedWish(problem="the disk is full"),
        ReadPeople: people(),
    }
    client = visitor("clerk")
    (token,) = tokens(client.get(upload(client, A_JPEG)).text)
    answer = client.post("/enrol/keep", data={"picture": token})
    assert "the disk is full" in client.get(answer.headers["location"]).text


def test_a_picture_belongs_to_who_uploaded_it(bus: AnsweringBus, visitor: Visitor) -> None:
    """Another account neither sees it nor keeps it."""
    bus.answers = {JudgePicture: GOOD}
    client = visitor("clerk")
    there = upload(client, A_JPEG)
    (token,) = tokens(client.get(there).text)
    other = visitor("admin", name="Bea")
    assert other.get(f"/enrol/picture?token={token}").status_code == 404
    assert other.get(there).status_code == 303
    other.post("/enrol/keep", data={"picture": token})
    other.post("/enrol/drop", data={"shown": token})
    assert not bus.wishes(EnrolPicture)
    assert visitor("clerk").get(f"/enrol/picture?token={token}").status_code == 200


def test_pictures_that_nobody_wants_are_dropped(bus: AnsweringBus, visitor: Visitor) -> None:
    """They are gone at once."""
    bus.answers = {JudgePicture: GOOD, ReadPeople: people()}
    client = visitor("clerk")
    (token,) = tokens(client.get(upload(client, A_JPEG)).text)
    client.post("/enrol/drop", data={"shown": token})
    assert "1 picture not kept." in client.get("/people").text
    assert client.get(f"/enrol/picture?token={token}").status_code == 404


def test_who_is_erased_has_no_picture_waiting(bus: AnsweringBus, visitor: Visitor) -> None:
    """Whoever uploaded it meanwhile."""
    bus.answers = {JudgePicture: GOOD, ErasePerson: Done(words="Erased.")}
    client = visitor()
    (token,) = tokens(client.get(upload(client, A_JPEG)).text)
    client.post("/person/erase", data={"person": "ann_lee", "typed": "Ann Lee"})
    assert client.get(f"/enrol/picture?token={token}").status_code == 404


def test_nothing_but_a_picture_is_shown_as_one(visitor: Visitor) -> None:
    """A page with a picture's name would be run by the browser; it is not even sent to the broker."""
    client = visitor("clerk")
    page = client.get(upload(client, b"<script>alert(1)</script>")).text
    assert "<img" not in page
    assert "Would be refused" in page
    assert "Keep anyway" not in page


def test_a_picture_that_browsers_do_not_show_becomes_a_jpeg(bus: AnsweringBus, visitor: Visitor) -> None:
    """As those of phones, which are HEIC; the child process decodes it."""
    bus.answers = {JudgePicture: GOOD}
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (3000, 1500))).save(file)
    client = visitor("clerk")
    (token,) = tokens(client.get(upload(client, file.getvalue())).text)
    shown = Image.open(io.BytesIO(client.get(f"/enrol/picture?token={token}").content))
    assert (shown.format, shown.size) == ("JPEG", (2400, 1200))
    (wish,) = bus.wishes(JudgePicture)
    assert wish.data[:2] == b"\xff\xd8"


@pytest.mark.parametrize(
    ("person", "files", "words"),
    [("", [A_JPEG], "person:"), ("Ann", [], "choose a picture first"), ("\x1b", [A_JPEG], "person:")],
)
def test_a_form_that_is_not_whole_asks_again(
    bus: AnsweringBus, visitor: Visitor, person: str, files: list[bytes], words: str
) -> None:
    """Nothing is judged."""
    bus.answers = {ReadPeople: people()}
    client = visitor("clerk")
    assert upload(client, *files, person=person).startswith("/enrol")
    assert words in client.get("/enrol").text
    assert not bus.wishes(JudgePicture)


def test_uploads_are_bounded(bus: AnsweringBus, visitor: Visitor) -> None:
    """By bytes before they are read, by number, and by size of each."""
    bus.answers = {ReadPeople: people()}
    client = visitor("clerk")
    large = client.post("/enrol", content=b"", headers={"Content-Length": str(MAX_UPLOAD_BYTES + 1)})
    assert large.status_code == 413
    assert client.post("/enrol", content=iter([b"x"])).status_code == 411
    many = [("files", (f"{at}.jpg", A_JPEG)) for at in range(MAX_FILES + 1)]
    assert client.post("/enrol", data={"person": "Ann"}, files=many).status_code == 400
    upload(client, bytes(20 * 2**20 + 1))
    assert "larger than 20 MB" in client.get("/enrol").text
    assert visitor("viewer").get("/enrol").status_code == 403
