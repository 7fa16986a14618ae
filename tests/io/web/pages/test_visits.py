"""The pages of visits: searched, explained, downloaded, and what can be done from one."""

import csv
from io import StringIO
from pathlib import Path

import msgspec
import pytest

from tests.io.web.pages.conftest import SITE, Visitor
from tests.support.answering import AnsweringBus
from tests.support.answers import A_JPEG, a_person, a_visit, an_act, people
from tests.support.builders import START_NS, a_result
from tests.support.crowd import ANN, STEP_NS, seen
from tests.support.web_pages import SignedIn, a_client
from turnstile.access.replay import taken
from turnstile.io.access.recording import ResultFile
from turnstile.io.web.link import Asker
from turnstile.requests.answers import ChainFound, Done, RefusedWish, VisitsFound
from turnstile.requests.wishes import (
    AddAnchor,
    EnrolPicture,
    FindVisits,
    ReadChain,
    ReadPeople,
    SeenVisit,
    UndoAnchor,
)
from turnstile.site.settings import DecisionSettings

RECORDED = [
    taken(
        a_result(*([seen(ANN, distance=0.3)] if seq <= 10 else []), seq=seq, captured_ns=at_ns),
        came_ns=at_ns,
        age_s=0.1,
        at_ns=at_ns,
    )
    for seq, at_ns in ((seq, START_NS + seq * STEP_NS) for seq in range(1, 41))
]
CHAIN = ChainFound(logger="log1", head_number=17, head_hash="ab" * 32)


def visits(*entries: object, **other: object) -> VisitsFound:
    """Return what a logger found."""
    return VisitsFound(logger="log1", visits=entries, **other)  # type: ignore[arg-type]


def test_a_visit_is_shown_with_its_sentence_and_picture(bus: AnsweringBus, visitor: Visitor) -> None:
    """The list says why, and the picture is fetched without another question to the logger."""
    bus.answers = {
        FindVisits: visits(a_visit(), acts=(an_act(words="root enrolled Ann Lee; event=9f00:16"),)),
        ReadChain: CHAIN,
    }
    client = visitor("viewer")
    page = client.get("/visits").text
    assert "3 of 5 frames were nearer to Ann Lee (0.24) than the limit 0.31" in page
    assert "root enrolled Ann Lee <span" in page
    assert "The log has 17 entries" in page
    asked = len(bus.wishes(FindVisits))
    picture = client.get("/visits/9f00:17/picture")
    assert picture.content == A_JPEG
    assert picture.headers["cache-control"] == "private, no-store"
    assert len(bus.wishes(FindVisits)) == asked
    assert {request.to for request, _ in bus.asked} == {"log1"}


def test_the_form_is_a_permalink(bus: AnsweringBus, visitor: Visitor) -> None:
    """What was typed is asked for, stands in the form again, and leads to older pages."""
    bus.answers = {FindVisits: visits(a_visit(), more=True), ReadChain: CHAIN}
    page = (
        visitor()
        .get("/visits?person=Ann+%26&verdict=denied&door=yard&reason=unknown&since=2026-11-22T08:30")
        .text
    )
    (wish,) = bus.wishes(FindVisits)
    assert (wish.person, wish.verdict, wish.camera, wish.reason) == ("Ann &", "denied", "yard", "unknown")
    assert 'value="Ann &amp;"' in page
    assert "verdict=denied&amp;reason=unknown&amp;since=2026-11-22T08%3A30&amp;before=17" in page


def test_a_field_that_cannot_be_used_is_said(bus: AnsweringBus, visitor: Visitor) -> None:
    """The form stays as it was typed, and nothing is asked."""
    bus.answers = {ReadChain: CHAIN}
    answer = visitor().get("/visits?since=yesterday")
    assert answer.status_code == 422
    assert "is no time" in answer.text
    assert not bus.wishes(FindVisits)


def test_empty_states_say_what_to_do(bus: AnsweringBus, visitor: Visitor) -> None:
    """Nothing at all, and nothing that was searched for, are two things."""
    bus.answers = {FindVisits: visits(), ReadChain: CHAIN}
    assert "Walk to a camera" in visitor().get("/visits").text
    assert "show all visits" in visitor().get("/visits?person=Eve").text


def test_what_is_wrong_with_the_log_is_an_alert(bus: AnsweringBus, visitor: Visitor) -> None:
    """Whoever looks at visits must not believe a log that was changed."""
    wrong = ChainFound(logger="log1", head_number=1, head_hash="", verified_ns=1, problems=("entry 1 <b>",))
    bus.answers = {FindVisits: visits(), ReadChain: wrong}
    assert "entry 1 &lt;b&gt;" in visitor().get("/visits").text


def test_the_table_is_all_that_was_found(bus: AnsweringBus, visitor: Visitor) -> None:
    """Every page of the search, and no formula."""

    def pages(wish: FindVisits) -> VisitsFound:
        first = wish.before is None
        return visits(a_visit(number=17 if first else 9, person="=cmd()" if first else "Bob"), more=first)

    bus.answers = {FindVisits: pages}
    answer = visitor("viewer").get("/visits.csv?verdict=granted")
    assert answer.headers["content-disposition"] == 'attachment; filename="visits.csv"'
    assert answer.content.startswith("\ufefftime,".encode())
    table = StringIO(answer.content.decode("utf-8-sig"))
    assert [one["person"] for one in csv.DictReader(table)] == ["'=cmd()", "Bob"]
    assert [(one.before, one.pictures, one.verdict) for one in bus.wishes(FindVisits)] == [
        (None, False, "granted"),
        (17, False, "granted"),
    ]
    assert visitor().get("/visits.csv?before=x").status_code == 422


def test_a_download_ends_with_its_session(bus: AnsweringBus, signed_in: SignedIn, visitor: Visitor) -> None:
    """A thief who reads it slowly gets no more once the owner has signed out everywhere."""

    def pages(_: FindVisits) -> VisitsFound:
        signed_in.asker = None
        return visits(a_visit(), more=True)

    client = visitor("viewer")
    bus.answers = {FindVisits: pages}
    assert client.get("/visits.csv").text.splitlines()[-1].startswith("signed out")
    assert len(bus.wishes(FindVisits)) == 1


def test_one_visit_tells_all_and_a_viewer_less(bus: AnsweringBus, visitor: Visitor) -> None:
    """Names of others and what can be done are for clerks."""
    visit = a_visit(verdict="denied", reason="unknown", person=None, nearest="Bob Poe", distance=0.52)
    bus.answers = {FindVisits: visits(visit), ReadPeople: people(a_person())}
    clerk, viewer = (visitor(role).get("/visits/9f00:17").text for role in ("clerk", "viewer"))
    assert "Bob Poe" in clerk
    assert "Enrol this picture as" in clerk
    assert "Bob Poe" not in viewer
    assert "Enrol" not in viewer
    assert "What other limits would have said" in viewer


@pytest.mark.parametrize(
    "event", ["..%2f..%2fetc%2fpasswd", "9f00", "9f00:x", "<b>", "9f00:17:1", f"a:{2**63}"]
)
def test_no_other_name_reaches_the_logger(bus: AnsweringBus, visitor: Visitor, event: str) -> None:
    """Only what is a visit's name is asked for."""
    assert visitor().get(f"/visits/{event}").status_code == 404
    assert visitor().get(f"/visits/{event}/picture").status_code == 404
    assert not bus.asked


def test_a_picture_of_another_door_is_not_shown(bus: AnsweringBus, visitor: Visitor) -> None:
    """Though somebody else has just looked at it."""

    def of_their_doors(_: FindVisits) -> VisitsFound:
        return visits() if bus.asked[-1][0].doors == ("yard",) else visits(a_visit())

    bus.answers = {FindVisits: of_their_doors, ReadChain: CHAIN}
    visitor().get("/visits")
    assert visitor("viewer", ("yard",)).get("/visits/9f00:17/picture").status_code == 404


def test_a_visit_is_enrolled_with_its_picture(bus: AnsweringBus, visitor: Visitor) -> None:
    """Its event goes with it, and what was done is said on the visit's page."""
    bus.answers = {
        FindVisits: visits(a_visit()),
        ReadPeople: people(a_person()),
        EnrolPicture: Done(words="Bob Poe is enrolled."),
    }
    client = visitor("clerk")
    answer = client.post("/visits/9f00:17/enrol", data={"person": "Bob Poe"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/visits/9f00:17")
    (wish,) = bus.wishes(EnrolPicture)
    assert (wish.person, wish.data, wish.anyway) == ("Bob Poe", A_JPEG, False)
    assert wish.visit == SeenVisit(event="9f00:17", person="Ann Lee")
    assert "Bob Poe is enrolled." in client.get("/visits/9f00:17").text


def test_what_is_refused_can_be_done_anyway_by_a_second_press(bus: AnsweringBus, visitor: Visitor) -> None:
    """The page says why, and its form sends the same with `anyway`."""
    refusal = RefusedWish(problem="it looks like Ann Lee", may_anyway=True)
    bus.answers = {
        FindVisits: visits(a_visit()),
        EnrolPicture: lambda wish: Done(words="Kept.") if wish.anyway else refusal,
    }
    client = visitor("clerk")
    asks = client.post("/visits/9f00:17/enrol", data={"person": "<Bob>"})
    assert asks.status_code == 409
    assert "it looks like Ann Lee" in asks.text
    assert 'name="person" value="&lt;Bob&gt;"' in asks.text
    assert client.post("/visits/9f00:17/enrol", data={"person": "<Bob>", "anyway": "1"}).status_code == 303


def test_not_them_is_noted_and_taken_back(bus: AnsweringBus, visitor: Visitor) -> None:
    """The undo stands on the next page, and the visit's page says what holds."""
    bus.answers = {
        FindVisits: visits(a_visit()),
        ReadPeople: people(a_person(anchors=("9f00:17",))),
        AddAnchor: Done(words="Noted."),
        UndoAnchor: Done(words="Taken back."),
    }
    client = visitor("clerk")
    client.post("/visits/9f00:17/not-them")
    (wish,) = bus.wishes(AddAnchor)
    assert (wish.person, wish.event, wish.picture) == ("Ann Lee", "9f00:17", A_JPEG)
    page = client.get("/visits/9f00:17").text
    assert "was not Ann Lee" in page
    undo = "/visits/9f00:17/not-them/undo?person=Ann+Lee"
    assert f'action="{undo}"' in page
    client.post(undo)
    assert bus.wishes(UndoAnchor) == [UndoAnchor(person="Ann Lee", event="9f00:17")]


def test_a_visit_without_picture_cannot_be_enrolled(bus: AnsweringBus, visitor: Visitor) -> None:
    """The page says so before, and after."""
    bus.answers = {FindVisits: visits(a_visit(picture=b"")), ReadPeople: people()}
    client = visitor("clerk")
    assert "not kept any more" in client.get("/visits/9f00:17").text
    client.post("/visits/9f00:17/enrol", data={"person": "Bob"})
    assert "has no picture any more" in client.get("/visits/9f00:17").text
    assert not bus.wishes(EnrolPicture)


def test_other_settings_are_tried_on_the_recording(
    bus: AnsweringBus, signed_in: SignedIn, folder: Path
) -> None:
    """Where it is on this machine; a setting out of range is said."""
    recorded = ResultFile(folder / "results.bin")
    for body in RECORDED:
        recorded.write(body)
    recorded.close()
    at_ns = START_NS + 5 * STEP_NS
    bus.answers = {FindVisits: visits(a_visit(decided_ns=at_ns)), ReadPeople: people()}
    decision = DecisionSettings(record=str(folder / "results.bin"))
    client = a_client(signed_in, site=msgspec.structs.replace(SITE, decision=decision), link=bus.link)
    page = client.get("/visits/9f00:17?max_distance=0.2").text
    assert "With these settings: <strong>denied" in page
    assert "from 40 recorded frames" in page
    assert "this cannot be tried" in client.get("/visits/9f00:17?max_distance=9").text
    signed_in.asker = Asker("Ada", "viewer")
    assert "With these settings" not in client.get("/visits/9f00:17?max_distance=0.2").text


@pytest.mark.parametrize("path", ["enrol", "not-them", "not-them/undo"])
def test_a_viewer_changes_nothing(bus: AnsweringBus, visitor: Visitor, path: str) -> None:
    """Refused before anything is asked."""
    assert visitor("viewer").post(f"/visits/9f00:17/{path}", data={"person": "x"}).status_code == 403
    assert not bus.asked
