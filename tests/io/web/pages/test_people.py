"""The pages of people: everybody, one of them, and what can be done about them."""

import re

import pytest

from tests.io.web.pages.conftest import Visitor
from tests.support.answering import AnsweringBus
from tests.support.answers import A_JPEG, AT_NS, a_person, a_visit, people
from turnstile.requests.answers import (
    Done,
    EnrolledPictureState,
    HelpfulFound,
    HelpfulVisit,
    LastSeenFound,
    PictureFound,
    RefusedWish,
    VisitsFound,
)
from turnstile.requests.wishes import (
    BlockPerson,
    EnrolPicture,
    ErasePerson,
    FindHelpful,
    FindLastSeen,
    FindVisits,
    ReadPeople,
    ReadPicture,
    RemovePicture,
    RenamePerson,
    SetValidity,
    UndoAnchor,
)

SEEN = LastSeenFound(people={"ann lee": (AT_NS, "yard", "9f00:17")})
ODD = 'Ann/"Lee" <b>?&#'


def test_everybody_is_shown_with_what_the_distances_promise(bus: AnsweringBus, visitor: Visitor) -> None:
    """States, reasons, closest other person, last seen, expected rejection, and a plot with words."""
    weak = EnrolledPictureState(file="Ann_Lee.2.jpg", state="weak", reason="it is dark")
    ann = a_person(
        pictures=(*a_person().pictures, weak), closest="Bob", closest_distance=0.47, rejection=0.12
    )
    found = people(ann, own_distances=(0.2,), other_distances=(0.47,), max_distance=0.31, stranger_rate=0.001)
    bus.answers = {ReadPeople: found, FindLastSeen: SEEN}
    page = visitor("clerk").get("/people").text
    for words in ("1 used, 1 weak", "it is dark", "Bob", "0.47", "12 %", "0.1 % of strangers", "yard"):
        assert words in page
    assert 'href="/visits/9f00:17"' in page
    assert "The bound is 0.31" in page
    assert "<svg" in page


def test_the_page_is_there_without_the_log(bus: AnsweringBus, visitor: Visitor) -> None:
    """When somebody was seen last is then not known."""
    bus.answers = {ReadPeople: people(a_person())}
    assert "not on record" in visitor("clerk").get("/people").text


def test_visits_that_would_help_are_enrolled_by_one_press(bus: AnsweringBus, visitor: Visitor) -> None:
    """On both pages; neither those that are enrolled nor those that were of somebody else."""
    picture = EnrolledPictureState(file="Ann_Lee.jpg", state="used", digest="d1")
    ann = a_person(pictures=(picture,), anchors=("9f00:3",), hint="fewer than 3 good pictures")
    visits = tuple(
        HelpfulVisit(event=f"9f00:{at}", camera="yard", at_ns=AT_NS, digest=f"d{at}") for at in (1, 2, 3)
    )
    bus.answers = {
        ReadPeople: people(ann, a_person(person="Bob")),
        FindHelpful: HelpfulFound(people={"Ann Lee": visits}),
        FindVisits: VisitsFound(logger="log1", visits=(a_visit(event="9f00:2"),)),
        EnrolPicture: Done(words="Enrolled."),
    }
    client = visitor("clerk")
    for path in ("/people", "/people/Ann%20Lee"):
        page = client.get(path).text
        assert re.findall(r'action="(/visits/[^"]+/enrol)"', page) == ["/visits/9f00:2/enrol"]
    assert {wish.people for wish in bus.wishes(FindHelpful)} == {("Ann Lee",)}
    answer = client.post("/visits/9f00:2/enrol", data={"person": "Ann Lee", "then": "person"})
    assert answer.headers["location"] == "/people/Ann%20Lee?new=1"


def test_empty_states_say_what_to_do(bus: AnsweringBus, visitor: Visitor) -> None:
    """Nobody at all, and nobody of a name."""
    bus.answers = {ReadPeople: people()}
    assert "Add somebody by a picture" in visitor("clerk").get("/people").text
    assert "Nobody is called that" in visitor("clerk").get("/people?name=Eve").text


def test_a_name_may_hold_anything_that_prints(bus: AnsweringBus, visitor: Visitor) -> None:
    """Its page is found, and it is no markup anywhere."""
    bus.answers = {ReadPeople: people(a_person(person=ODD)), FindLastSeen: SEEN}
    client = visitor()
    page = client.get("/people").text
    assert "<b>" not in page
    address = "/people/Ann%2F%22Lee%22%20%3Cb%3E%3F%26%23"
    assert f'href="{address}"' in page
    one = client.get(address)
    assert one.status_code == 200
    assert "<b>" not in one.text
    assert client.get("/people/Eve").status_code == 404


def test_an_enrolment_picture_is_shown(bus: AnsweringBus, visitor: Visitor) -> None:
    """Only to clerks; the broker knows which files there are."""
    bus.answers = {ReadPicture: PictureFound(jpeg=A_JPEG)}
    assert visitor("clerk").get("/picture?file=Ann.jpg").content == A_JPEG
    assert visitor("clerk").get("/picture?file=..%5Csite.yaml").status_code == 404
    assert visitor("clerk").get("/picture").status_code == 404
    assert visitor("viewer").get("/picture?file=Ann.jpg").status_code == 403
    assert len(bus.wishes(ReadPicture)) == 1


def test_a_new_name_is_taken_back_by_undo(bus: AnsweringBus, visitor: Visitor) -> None:
    """The undo has both names."""
    bus.answers = {
        ReadPeople: people(a_person(person="Ann Poe")),
        RenamePerson: Done(words="Ann Lee is Ann Poe."),
    }
    client = visitor("clerk")
    answer = client.post("/person/rename", data={"person": "Ann Lee", "to": "Ann Poe"})
    assert answer.headers["location"] == "/people/Ann%20Poe?new=1"
    assert "/person/rename?person=Ann+Poe&amp;to=Ann+Lee" in client.get("/people/Ann%20Poe").text
    client.post("/person/rename?person=Ann+Poe&to=Ann+Lee")
    assert bus.wishes(RenamePerson)[1] == RenamePerson(person="Ann Poe", to="Ann Lee")


def test_a_name_that_does_not_print_is_refused(bus: AnsweringBus, visitor: Visitor) -> None:
    """It would steer a terminal."""
    bus.answers = {ReadPeople: people(a_person())}
    client = visitor("clerk")
    client.post("/person/rename", data={"person": "Ann Lee", "to": "\u202eeel"})
    assert "this cannot be done: to:" in client.get("/people/Ann%20Lee").text
    assert not bus.wishes(RenamePerson)


def test_blocking_is_taken_back_by_the_opposite(bus: AnsweringBus, visitor: Visitor) -> None:
    """In either direction."""
    bus.answers = {ReadPeople: people(a_person()), BlockPerson: Done(words="Blocked.")}
    client = visitor()
    client.post("/person/block", data={"person": "Ann Lee", "blocked": "1"})
    assert "/person/block?person=Ann+Lee&amp;blocked=0" in client.get("/people/Ann%20Lee").text
    client.post("/person/block?person=Ann+Lee&blocked=0")
    assert [one.blocked for one in bus.wishes(BlockPerson)] == [True, False]


def test_dates_are_set_and_those_before_come_back(bus: AnsweringBus, visitor: Visitor) -> None:
    """An empty one is any day."""
    bus.answers = {ReadPeople: people(a_person(from_day="2026-01-01")), SetValidity: Done(words="Set.")}
    client = visitor()
    client.post("/person/validity", data={"person": "Ann Lee", "from_day": "", "until_day": "2026-06-30"})
    undo = "/person/validity?person=Ann+Lee&from_day=2026-01-01&until_day="
    assert undo.replace("&", "&amp;") in client.get("/people/Ann%20Lee").text
    client.post(undo)
    assert bus.wishes(SetValidity) == [
        SetValidity(person="Ann Lee", from_day="", until_day="2026-06-30"),
        SetValidity(person="Ann Lee", from_day="2026-01-01", until_day=""),
    ]


def test_the_last_picture_takes_its_person_along(bus: AnsweringBus, visitor: Visitor) -> None:
    """The browser does not go to a page that is gone."""
    bus.answers = {ReadPeople: people(a_person()), RemovePicture: Done(words="Removed.")}
    answer = visitor().post("/person/remove-picture", data={"person": "Ann Lee", "file": "Ann_Lee.jpg"})
    assert answer.headers["location"] == "/people"
    assert bus.wishes(RemovePicture) == [RemovePicture(file="Ann_Lee.jpg")]


def test_erasing_says_what_goes_and_asks_for_the_name(bus: AnsweringBus, visitor: Visitor) -> None:
    """A wrong name erases nobody."""
    bus.answers = {
        ReadPeople: people(),
        ErasePerson: lambda wish: Done(words="2 pictures <go>" if wish.dry_run else "Erased."),
    }
    client = visitor()
    page = client.get("/person/erase?person=Ann+Lee").text
    assert "2 pictures &lt;go&gt;" in page
    wrong = client.post("/person/erase", data={"person": "Ann Lee", "typed": "Ann"})
    assert wrong.status_code == 422
    assert "type the name as it stands here" in wrong.text
    assert all(one.dry_run for one in bus.wishes(ErasePerson))
    right = client.post("/person/erase", data={"person": "Ann Lee", "typed": "ann lee"})
    assert right.headers["location"] == "/people"
    assert "Erased." in client.get("/people").text


def test_an_anchor_is_taken_back_from_the_persons_page(bus: AnsweringBus, visitor: Visitor) -> None:
    """Each visit that was not of them stands there."""
    bus.answers = {ReadPeople: people(a_person(anchors=("9f00:12",))), UndoAnchor: Done(words="Taken back.")}
    client = visitor("clerk")
    assert "/visits/9f00:12" in client.get("/people/Ann%20Lee").text
    client.post("/person/undo-anchor", data={"person": "Ann Lee", "event": "9f00:12"})
    assert bus.wishes(UndoAnchor) == [UndoAnchor(person="Ann Lee", event="9f00:12")]


def test_a_refusal_is_said_on_the_page(bus: AnsweringBus, visitor: Visitor) -> None:
    """Nothing was changed."""
    bus.answers = {ReadPeople: people(a_person()), BlockPerson: RefusedWish(problem="the rules are broken")}
    client = visitor()
    client.post("/person/block", data={"person": "Ann Lee", "blocked": "1"})
    assert "the rules are broken" in client.get("/people/Ann%20Lee").text


@pytest.mark.parametrize("path", ["block", "validity", "remove-picture", "erase"])
def test_a_clerk_changes_no_rules_and_erases_nobody(bus: AnsweringBus, visitor: Visitor, path: str) -> None:
    """Nor is the form shown."""
    assert visitor("clerk").post(f"/person/{path}", data={"person": "Ann Lee"}).status_code == 403
    assert not bus.asked
    bus.answers = {ReadPeople: people(a_person())}
    assert f"/person/{path}" not in visitor("clerk").get("/people/Ann%20Lee").text


def test_an_account_of_one_door_learns_of_no_other(bus: AnsweringBus, visitor: Visitor) -> None:
    """And finds no form that the broker would refuse, since it concerns all doors."""
    bus.answers[ReadPeople] = people(a_person(doors=("front_door", "yard")))
    one_door = visitor("admin", ("yard",))
    listed, page = one_door.get("/people").text, one_door.get("/people/Ann%20Lee").text
    for text in (listed, page):
        assert "yard" in text
        assert "front_door" not in text
    actions = ("rename", "block", "validity", "remove-picture", "erase")
    assert not [one for one in actions if f"/person/{one}" in page]
    everywhere = visitor("admin").get("/people/Ann%20Lee").text
    assert [one for one in actions if f"/person/{one}" in everywhere] == [*actions]
