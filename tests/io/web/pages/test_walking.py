"""Guided enrolment at a door: which frames are judged, what is said, and what is offered."""

import re
from collections.abc import Callable, Iterator

import pytest
from httpx import Client

from tests.support.answering import AnsweringBus
from tests.support.answers import people
from tests.support.builders import a_face, a_frame, a_result, some_looks
from tests.support.made_up_site import made_up_pages
from tests.support.waiting import PATIENCE_S, wait_until
from tests.support.web_pages import AS_A_BROWSER, SignedIn
from turnstile.io.web.link import Asker
from turnstile.protocol.fields import Looks
from turnstile.protocol.messages import Face
from turnstile.requests.answers import Done, PictureJudged, RefusedWish
from turnstile.requests.wishes import EnrolPicture, ErasePerson, JudgePicture, ReadPeople

CLERK = Asker("Ada", "clerk")
NEAR = a_face(size=120)
STRAIGHT, TURNED = some_looks(turn=0.02), some_looks(turn=0.2)


class Door:
    """Frames of a door, and what is seen in them."""

    def __init__(self, bus: AnsweringBus, client: Client) -> None:
        self._bus, self._client, self._seq = bus, client, 0

    def show(self, *faces: Face, camera: str = "front_door") -> bytes:
        """Have the link hear a frame and its result, and return the frame's JPEG."""
        self._seq += 1
        frame = a_frame(seq=self._seq, camera=camera, jpeg=b"\xff\xd8\xff%d" % self._seq)
        self._bus.link.take([("frame.", frame)])
        self._bus.link.take([("result.", a_result(*faces, seq=self._seq, camera=camera))])
        return frame.jpeg


@pytest.fixture
def client(bus: AnsweringBus, signed_in: SignedIn) -> Iterator[Client]:
    """Give a clerk's client of a server whose event loop runs on between requests."""
    bus.answers = {ReadPeople: people(), JudgePicture: PictureJudged(looks=STRAIGHT)}
    signed_in.asker = CLERK
    with made_up_pages(bus, signed_in) as address:
        headers = {**AS_A_BROWSER, "Origin": address}
        with Client(base_url=address, headers=headers, timeout=PATIENCE_S) as found:
            yield found


@pytest.fixture
def begin(client: Client) -> Callable[[], str]:
    """Give what begins a walk and returns its address."""

    def walk() -> str:
        assert "Ann" in client.get("/enrol/camera?person=Ann").text
        answer = client.post("/enrol/camera", data={"person": "Ann", "door": "front_door"})
        there: str = answer.headers["location"]
        return there

    return walk


def said(client: Client, path: str) -> str:
    """Return the guidance of a walk."""
    found = re.search(r'class="guidance"[^>]*>([^<]*)<', client.get(f"{path}/state").text)
    assert found
    return found[1]


def test_only_a_single_face_near_enough_is_judged(
    bus: AnsweringBus, client: Client, begin: Callable[[], str]
) -> None:
    """Nobody, two people, somebody far away and other doors are told what to change."""
    path, door = begin(), Door(bus, client)
    assert said(client, path) == "Nobody is in view. Walk to the camera."
    for faces, words in (
        ((NEAR, NEAR), "One person at a time, please."),
        ((a_face(size=60),), "Come closer."),
        ((), "Nobody is in view. Walk to the camera."),
    ):
        door.show(*faces)
        wait_until(lambda words=words: said(client, path) == words, words)  # type: ignore[misc]
    door.show(NEAR, camera="yard")
    assert not bus.wishes(JudgePicture)
    jpeg = door.show(NEAR)
    wait_until(lambda: bus.wishes(JudgePicture), "a judgement")
    assert bus.wishes(JudgePicture) == [JudgePicture(person="Ann", data=jpeg)]
    wait_until(lambda: said(client, path) == "Turn your head a little to one side.", "the next pose")
    assert client.get(f"{path}/picture").content == jpeg


def test_three_poses_are_offered_and_kept_by_a_press(
    bus: AnsweringBus, client: Client, begin: Callable[[], str]
) -> None:
    """Nothing is kept before."""
    poses = iter((STRAIGHT, TURNED, some_looks(turn=0.02, nod=STRAIGHT.nod + 0.1)))

    def judged(_: JudgePicture) -> PictureJudged:
        looks: Looks = next(poses)
        return PictureJudged(looks=looks)

    bus.answers |= {JudgePicture: judged, EnrolPicture: Done(words="Kept.")}
    path, door = begin(), Door(bus, client)
    wait_until(
        lambda: said(client, path) == "Thank you. Choose what to keep.",
        lambda: said(client, path),
        between=lambda: door.show(NEAR),
    )
    there = client.post(f"{path}/choose").headers["location"]
    page = client.get(there).text
    tokens = re.findall(r'name="picture" value="([^"]+)"', page)
    assert len(tokens) == 3
    assert not bus.wishes(EnrolPicture)
    client.post("/enrol/keep", data={"picture": tokens})
    kept = [one.data for one in bus.wishes(EnrolPicture)]
    assert kept == [one.data for one in bus.wishes(JudgePicture)]
    assert client.get(path).status_code == 404


def test_what_is_wrong_with_a_frame_is_said(
    bus: AnsweringBus, client: Client, begin: Callable[[], str]
) -> None:
    """The broker refuses it, and the next one is tried."""
    bus.answers[JudgePicture] = RefusedWish(problem="it is dark")
    path, door = begin(), Door(bus, client)
    door.show(NEAR)
    wait_until(lambda: said(client, path) == "Please stay in view: it is dark.", "the reason")


def test_who_may_not_enrol_is_told_at_once(
    bus: AnsweringBus, client: Client, begin: Callable[[], str]
) -> None:
    """The walk ends."""
    bus.answers[JudgePicture] = RefusedWish(problem="Ada may not do this", forbidden=True)
    path, door = begin(), Door(bus, client)
    door.show(NEAR)
    wait_until(lambda: said(client, path) == "Ada may not do this.", "the refusal")
    assert client.post(f"{path}/choose").headers["location"] == "/enrol/camera"


@pytest.mark.parametrize(
    ("person", "door", "words"),
    [("", "front_door", "person:"), ("Ann", "", "choose a door"), ("Ann", "cellar", "choose a door")],
)
def test_a_form_that_is_not_whole_asks_again(client: Client, person: str, door: str, words: str) -> None:
    """No camera is watched."""
    answer = client.post("/enrol/camera", data={"person": person, "door": door})
    assert answer.headers["location"].startswith("/enrol/camera")
    assert words in client.get("/enrol/camera").text


def test_a_walk_is_for_the_account_that_began_it(
    client: Client, signed_in: SignedIn, begin: Callable[[], str]
) -> None:
    """And a door for those who may see it."""
    path = begin()
    signed_in.asker = CLERK._replace(name="Bea", doors=("yard",))
    for part in ("", "/state", "/picture"):
        assert client.get(f"{path}{part}").status_code == 404
    assert "front_door" not in client.get("/enrol/camera").text
    answer = client.post("/enrol/camera", data={"person": "Ann", "door": "front_door"})
    assert answer.headers["location"] == "/enrol/camera?person=Ann"


def test_few_doors_are_watched_at_a_time(client: Client, begin: Callable[[], str]) -> None:
    """Others are asked to wait."""
    paths = [begin() for _ in range(8)]
    assert len(set(paths)) == 8
    assert begin() == "/enrol/camera?person=Ann"
    assert "wait a minute" in client.get("/enrol/camera").text


def test_who_is_erased_has_no_walk_left(
    bus: AnsweringBus, client: Client, signed_in: SignedIn, begin: Callable[[], str]
) -> None:
    """Its pictures were still to be kept."""
    path = begin()
    bus.answers[ErasePerson] = Done(words="erased")
    signed_in.asker = CLERK._replace(role="admin")
    client.post("/person/erase", data={"person": "ann", "typed": "Ann"})
    assert client.get(path).status_code == 404
