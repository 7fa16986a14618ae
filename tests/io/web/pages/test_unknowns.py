"""The page of people seen and not known."""

import pytest

from tests.io.web.pages.conftest import Visitor
from tests.support.answering import AnsweringBus
from tests.support.answers import A_JPEG, a_person, an_unknown, people
from tests.support.builders import a_jpeg
from turnstile.requests.answers import Done, RefusedWish, UnknownsFound
from turnstile.requests.wishes import (
    DiscardUnknowns,
    IgnoreUnknowns,
    NameUnknowns,
    ReadPeople,
    ReadUnknowns,
)


def unknowns(*found: object, **other: object) -> UnknownsFound:
    """Return who was seen and not known."""
    fields: dict[str, object] = {"keep_days": 7.0}
    return UnknownsFound(unknowns=found, **(fields | other))  # type: ignore[arg-type]


def test_there_is_one_tile_a_person(bus: AnsweringBus, visitor: Visitor) -> None:
    """When, where, how often, the best picture, and for how long they are kept."""
    bus.answers = {
        ReadUnknowns: unknowns(
            an_unknown(), an_unknown(id="u 2", visits=1, nearest="Ann Lee", distance=0.52)
        ),
        ReadPeople: people(a_person()),
    }
    client = visitor("clerk")
    page = client.get("/unknown").text
    assert "Seen 3 times" in page
    assert "Seen once" in page
    assert "Nearest: Ann Lee, at 0.52" in page
    assert "Kept for 7 days" in page
    assert 'src="/unknown/picture?id=u+2"' in page
    assert client.get("/unknown/picture?id=u+2").content == A_JPEG
    assert len(bus.wishes(ReadUnknowns)) == 1


def test_pictures_are_of_doors_that_an_account_may_see(bus: AnsweringBus, visitor: Visitor) -> None:
    """What another account has looked at is not shown from memory."""
    bus.answers = {ReadUnknowns: unknowns(an_unknown()), ReadPeople: people()}
    visitor().get("/unknown")
    assert visitor("clerk", ("yard",)).get("/unknown/picture?id=u1").status_code == 404
    assert visitor().get("/unknown/picture?id=none").status_code == 404


def test_a_best_picture_from_another_door_is_not_shown_from_memory(
    bus: AnsweringBus, visitor: Visitor
) -> None:
    """Of somebody seen at two doors, an account of one gets the best picture of that one."""
    at_both = an_unknown(cameras=("front_door", "yard"), picture=a_jpeg(16, 16))
    bus.answers = {ReadUnknowns: unknowns(at_both), ReadPeople: people()}
    visitor().get("/unknown")
    bus.answers[ReadUnknowns] = unknowns(an_unknown(cameras=("yard",)))
    assert visitor("clerk", ("yard",)).get("/unknown/picture?id=u1").content == A_JPEG


@pytest.mark.parametrize(
    ("days", "words"), [(7.0, "you can name them with one press"), (0.0, "keep_days: 7")]
)
def test_an_empty_page_says_what_to_do(bus: AnsweringBus, visitor: Visitor, days: float, words: str) -> None:
    """Nobody came, or nobody is kept."""
    bus.answers = {ReadUnknowns: unknowns(keep_days=days), ReadPeople: people()}
    assert words in visitor("clerk").get("/unknown").text


def test_several_are_named_as_one_person(bus: AnsweringBus, visitor: Visitor) -> None:
    """The browser goes to the person's page, where one press takes it back."""
    bus.answers = {
        NameUnknowns: Done(words="Enrolled.", undo="ab"),
        ReadUnknowns: unknowns(),
        ReadPeople: people(),
    }
    client = visitor("clerk")
    answer = client.post("/unknown/name", data={"unknowns": ["u1", "u2"], "person": " Ann/Lee "})
    assert 'action="/enrol/undo?undo=ab"' in client.get("/unknown").text
    assert answer.headers["location"] == "/people/Ann%2FLee?new=1"
    assert bus.wishes(NameUnknowns) == [NameUnknowns(unknowns=("u1", "u2"), person="Ann/Lee")]


def test_a_picture_too_weak_is_kept_by_a_second_press(bus: AnsweringBus, visitor: Visitor) -> None:
    """All that were chosen come again."""
    bus.answers = {NameUnknowns: RefusedWish(problem="it is blurred", may_anyway=True)}
    asks = visitor("clerk").post("/unknown/name", data={"unknowns": ["u1", "u2"], "person": "Ann"})
    assert "it is blurred" in asks.text
    assert asks.text.count('name="unknowns"') == 2


def test_ignoring_is_taken_back(bus: AnsweringBus, visitor: Visitor) -> None:
    """By the undo of the next page."""
    bus.answers = {
        IgnoreUnknowns: Done(words="Ignored."),
        ReadUnknowns: unknowns(an_unknown(ignored=True)),
        ReadPeople: people(),
    }
    client = visitor("clerk")
    client.post("/unknown/ignore", data={"unknowns": ["u1", "u2"]})
    page = client.get("/unknown?ignored=1").text
    undo = "/unknown/ignore?unknowns=u1&unknowns=u2&undo=1"
    assert undo.replace("&", "&amp;") in page
    assert "Show again" in page
    client.post(undo)
    assert [(one.unknowns, one.undo) for one in bus.wishes(IgnoreUnknowns)] == [
        (("u1", "u2"), False),
        (("u1", "u2"), True),
    ]


def test_discarding_is_asked_once_more(bus: AnsweringBus, visitor: Visitor) -> None:
    """Nothing brings the pictures back."""
    bus.answers = {ReadUnknowns: unknowns(an_unknown()), DiscardUnknowns: Done(words="Deleted.")}
    client = visitor("clerk")
    asks = client.post("/unknown/discard", data={"unknowns": "u1"})
    assert "entries of 3 visits stay in the log" in asks.text
    assert not bus.wishes(DiscardUnknowns)
    client.post("/unknown/discard", data={"unknowns": "u1", "sure": "1"})
    assert bus.wishes(DiscardUnknowns) == [DiscardUnknowns(unknowns=("u1",))]


@pytest.mark.parametrize("path", ["name", "ignore", "discard"])
def test_nothing_is_done_when_nobody_is_chosen(bus: AnsweringBus, visitor: Visitor, path: str) -> None:
    """The page says what to tick."""
    bus.answers = {ReadUnknowns: unknowns(), ReadPeople: people()}
    client = visitor("clerk")
    assert client.post(f"/unknown/{path}", data={"person": "Ann"}).status_code == 303
    assert "choose somebody first" in client.get("/unknown").text
    assert visitor("viewer").post(f"/unknown/{path}", data={"unknowns": "u1"}).status_code == 403
