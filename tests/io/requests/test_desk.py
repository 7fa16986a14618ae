"""The request desk: what is asked is bounded, on record before it is answered, and never waits for ever."""

import os
import time
from pathlib import Path

import pytest

from tests.io.requests.conftest import RECOGNIZER, Counter, refused
from tests.strangers.test_groups import near
from tests.support.answering import AnsweringBus
from tests.support.asking import a_request
from tests.support.builders import a_site, a_template, an_encoding
from tests.support.waiting import wait_until
from tests.support.web_pages import a_client
from turnstile.access.lockout import Tries
from turnstile.access.rules import NO_RULES
from turnstile.io.access.rules_file import parse
from turnstile.io.requests.desk import MAX_OF_ONE, WITHIN_S
from turnstile.io.requests.opening import kept_days
from turnstile.io.requests.strangers import StrangerEar
from turnstile.io.strangers.store import UnknownVisit
from turnstile.protocol.messages import Fetch, Log
from turnstile.protocol.requests import Act, Request
from turnstile.protocol.topics import Outgoing
from turnstile.requests.answers import (
    AnyAnswer,
    Done,
    PeopleFound,
    PictureJudged,
    RefusedWish,
    RulesFound,
    UnknownsFound,
    ZoneFound,
)
from turnstile.requests.wishes import (
    AddAnchor,
    BlockPerson,
    DiscardUnknowns,
    EnrolPicture,
    ErasePerson,
    FindVisits,
    JudgePicture,
    NameUnknowns,
    ReadPeople,
    ReadRules,
    ReadUnknowns,
    ReadZone,
    RecordAct,
    RenamePerson,
    ReplaceRules,
    SetValidity,
    UnlockDoor,
)

LATE_NS = round((WITHIN_S + 1) * 1e9)


def test_what_a_logger_is_to_answer_is_passed_on(counter: Counter) -> None:
    """On its own topic; for another logger the site's are named."""
    ((about, message),) = counter.desk.take(a_request(FindVisits(), to="log"), 0)
    assert about == "request.log."
    assert isinstance(message, Request)
    assert "the site has log" in refused(counter.ask(a_request(FindVisits(), to="other")))
    assert "not for the broker" in refused(counter.ask(a_request(FindVisits())))


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x81\xa1t\xa4none", bytes(1000)])
def test_what_is_no_wish_is_refused_and_counted(counter: Counter, body: bytes) -> None:
    """Nothing stops the broker."""
    assert "not a wish" in refused(counter.ask(a_request(body)))
    assert counter.desk.counts["refused_wishes"] == 1


def test_an_act_is_on_record_before_it_is_answered(counter: Counter) -> None:
    """The journal gives it to loggers, with who did it."""
    assert counter.ask(a_request(RecordAct(words="signed in"), role="viewer")) == []
    answer = counter.answer_to(a_request(RecordAct(words="left\u202e"), by="Bob"))
    assert isinstance(answer, Done)
    counter.access.take(Fetch(name="log", instance="log-1", source="", after_seq=0))
    outgoing: list[Outgoing] = []
    wait_until(
        lambda: outgoing, "the log", between=lambda: outgoing.extend(counter.access.due(enrolled=None))
    )
    log = outgoing[0].message
    assert isinstance(log, Log)
    acts = [event for event in log.events if isinstance(event, Act)]
    assert [(act.by, act.words) for act in acts] == [("anna", "signed in"), ("Bob", "left?")]


def test_without_a_recognizer_a_picture_is_refused_at_once(counter: Counter) -> None:
    """Nobody waits for what is not there."""
    assert "no recognizer is there" in refused(counter.ask(a_request(JudgePicture(data=b"picture"))))


def test_a_recognizer_that_does_not_answer_is_not_waited_for_long(counter: Counter) -> None:
    """What it says later is not wanted any more, and nothing is enrolled by it."""
    counter.dispatch.joined(RECOGNIZER)
    wish = EnrolPicture(person="Ann", data=b"picture")
    wait_until(lambda: counter.people.enrolment.in_use, "a gallery", between=counter.turn)
    assert counter.ask(a_request(wish)) == []
    wait_until(lambda: counter.dispatch.dispatcher.waiting_pictures, "a picture", between=counter.turn)
    picture = counter.picture()
    assert "no recognizer had time" in refused(counter.turn(LATE_NS))
    template = a_template(token=picture.token, encoding=an_encoding(1))
    counter.people.take(template, 0)
    assert counter.turn() == []
    assert list(counter.faces.iterdir()) == []


def test_a_picture_that_fails_two_recognizers_is_refused(counter: Counter) -> None:
    """It is nobody's file, so enrolment hears nothing of it."""
    counter.dispatch.joined(RECOGNIZER)
    assert counter.ask(a_request(JudgePicture(data=b"picture"))) == []
    assert counter.desk.set_aside("asked-0")
    (answer,) = counter.turn()
    assert isinstance(answer, PictureJudged)
    assert "two recognizers failed" in answer.problem
    assert not counter.desk.set_aside("0" * 64)


def test_one_account_cannot_keep_all_others_waiting(counter: Counter) -> None:
    """Beyond its share it is refused; others are not."""
    counter.dispatch.joined(RECOGNIZER)
    ask = a_request(JudgePicture(data=b"picture"))
    found = [counter.ask(ask) for _ in range(MAX_OF_ONE + 1)]
    assert found[:-1] == [[]] * MAX_OF_ONE
    assert "too much is asked" in refused(found[-1])
    assert counter.ask(a_request(JudgePicture(data=b"picture"), by="Bob")) == []


def test_more_than_so_many_bytes_do_not_wait(counter: Counter) -> None:
    """Whoever they come from."""
    counter.dispatch.joined(RECOGNIZER)
    found = [counter.ask(a_request(JudgePicture(data=bytes(7_500_000)), by=f"{one}")) for one in range(10)]
    assert found[:8] == [[]] * 8
    assert "too much is asked" in refused(found[9])


@pytest.mark.parametrize("wish", [ReadRules(), ErasePerson(person="Ann"), ReplaceRules(text="{}", was="")])
def test_a_clerk_does_nothing_of_an_admins(counter: Counter, wish: ReadRules) -> None:
    """It is said that the account may not."""
    (answer,) = counter.ask(a_request(wish, role="clerk"))
    assert isinstance(answer, RefusedWish)
    assert answer.forbidden


def test_rules_hold_from_the_next_result_on(counter: Counter) -> None:
    """Before anybody looks at the file again."""
    rules = counter.answer_to(a_request(ReadRules()))
    assert isinstance(rules, RulesFound)
    done = counter.answer_to(a_request(ReplaceRules(text="blocked: [Eve]\n", was=rules.version)))
    assert isinstance(done, Done)
    counter.turn()
    assert counter.access.decider.rules is not None
    assert counter.access.decider.rules.blocked == ("Eve",)


@pytest.mark.parametrize(
    ("logger", "days"), [("", 7), (", keep_entries_days: 3", 3), (", keep_thumbnails_days: 2", 2)]
)
def test_unknown_people_are_kept_no_longer_than_their_entries(folder: Path, logger: str, days: int) -> None:
    """Nor than the pictures of these."""
    site = a_site(folder, f"loggers: {{log: {{file: log.txt{logger}}}}}")
    assert kept_days(site) == days


def test_a_file_with_any_bytes_as_its_name_keeps_nobody_from_reading(counter: Counter) -> None:
    """It is shown as far as text can."""
    Path(os.fsdecode(bytes(counter.faces) + b"/\xff\xfe.jpg")).write_bytes(b"picture")
    wait_until(lambda: counter.people.enrolment.unread, "the folder", between=counter.turn)
    people = counter.answer_to(a_request(ReadPeople()))
    assert isinstance(people, PeopleFound)
    assert [one.file for one in people.unused] == ["??.jpg"]


def test_who_cannot_be_renamed_keeps_pictures_and_name(counter: Counter) -> None:
    """A file of the new name that is no picture of theirs is in the way of the rules: all is put back."""
    (counter.faces / "ann_lee.jpg").write_bytes(b"picture")
    wait_until(lambda: counter.people.enrolment.persons, "the folder", between=counter.turn)
    rules = Path(counter.site.decision.rules)
    rules.write_text("blocked: [Ann Lee]\ngroups: {ann roe: []}\n")
    answer = counter.answer_to(a_request(RenamePerson(person="Ann Lee", to="Ann Roe")))
    assert isinstance(answer, RefusedWish)
    assert "nothing is renamed" in answer.problem
    assert [path.name for path in counter.faces.iterdir()] == ["ann_lee.jpg"]
    assert counter.people.enrolment.erased == set()
    rules.write_text("blocked: [Ann Lee]\n")
    answer = counter.answer_to(a_request(RenamePerson(person="ann lee", to="Ann Roe")))
    assert isinstance(answer, Done), answer
    assert [path.name for path in counter.faces.iterdir()] == ["ann_roe.jpg"]
    assert rules.read_text() == "blocked: [Ann Roe]\n"
    found = counter.answer_to(a_request(ReadRules()))
    assert isinstance(found, RulesFound)
    assert not found.may_undo, "the rules before would not bar Ann Roe"


def test_a_clerk_of_one_door_sees_unknown_people_of_that_door_only(counter: Counter) -> None:
    """Of one face at two doors the one visit; who was seen elsewhere can be neither named nor discarded."""
    at_ns = time.time_ns()
    for seq, camera in enumerate(("front_door", "back_door")):
        visit = UnknownVisit(f"aa:{seq}", camera, at_ns + seq, "Ann", 0.5, near(1), b"jpeg")
        assert isinstance(counter.access.strangers, StrangerEar)
        counter.access.strangers.keep(visit)
    found = counter.answer_to(a_request(ReadUnknowns(), role="clerk", doors=("front_door",)))
    assert isinstance(found, UnknownsFound)
    assert [(one.id, one.visits, one.cameras) for one in found.unknowns] == [("aa:0", 1, ("front_door",))]
    nobody = counter.answer_to(a_request(ReadUnknowns(), role="clerk", doors=("store",)))
    assert isinstance(nobody, UnknownsFound)
    assert nobody.unknowns == ()
    for wish in (NameUnknowns(unknowns=("aa:1",), person="Ann"), DiscardUnknowns(unknowns=("aa:1",))):
        refusal = counter.answer_to(a_request(wish, role="clerk", doors=("store",)))
        assert isinstance(refusal, RefusedWish)
        assert "other doors" in refusal.problem
    done = counter.answer_to(a_request(DiscardUnknowns(unknowns=("aa:0",)), doors=("front_door",)))
    assert isinstance(done, Done)
    left = counter.answer_to(a_request(ReadUnknowns()))
    assert isinstance(left, UnknownsFound)
    assert [one.id for one in left.unknowns] == ["aa:1"]


def enrolled(counter: Counter, *files: str) -> Path:
    """Have pictures read, and return where the rules are."""
    for file in files:
        (counter.faces / file).write_bytes(file.encode())
    wait_until(
        lambda: len(counter.people.enrolment.persons) == len(files), "the folder", between=counter.turn
    )
    return Path(counter.site.decision.rules)


def test_a_rename_that_ends_halfway_lets_nobody_in_whom_rules_bar(counter: Counter) -> None:
    """The rules have both names before the first file has another."""
    rules = enrolled(counter, "ann_lee.jpg")
    rules.write_text("blocked:\n- Ann Lee  # of the second floor\nvalid: {Ann Lee: {until: 2030-01-01}}\n")
    counter.ask(a_request(RenamePerson(person="Ann Lee", to="Ann Roe")))
    wait_until(lambda: "Ann Roe" in rules.read_text(), "the rules")
    both = parse(rules.read_bytes(), rules, doors=())
    assert both.blocked == ("Ann Lee", "Ann Roe")
    assert both.validities.keys() == {"ann lee", "ann roe"}
    assert [path.name for path in counter.faces.iterdir()] == ["ann_lee.jpg"]
    wait_until((counter.faces / "ann_roe.jpg").exists, "the rename", between=counter.turn)
    wait_until(lambda: "Ann Lee" not in rules.read_text(), "the rules", between=counter.turn)
    assert "- Ann Roe  # of the second floor\n" in rules.read_text()


def test_a_rename_that_fails_puts_the_rules_back(counter: Counter) -> None:
    """A picture that is gone meanwhile keeps all others where they were."""
    rules = enrolled(counter, "ann_lee.jpg", "ann_lee_2.jpg")
    rules.write_text("blocked: [Ann Lee]\n")
    (counter.faces / "ann_lee_2.jpg").unlink()
    answer = counter.answer_to(a_request(RenamePerson(person="Ann Lee", to="Ann Roe")))
    assert isinstance(answer, RefusedWish)
    assert rules.read_text() == "blocked: [Ann Lee]\n"
    assert [path.name for path in counter.faces.iterdir()] == ["ann_lee.jpg"]


@pytest.mark.parametrize("other", ["", "rules.yml"])
def test_one_line_never_takes_the_place_of_rules_that_are_gone(counter: Counter, other: str) -> None:
    """Or whom they barred could enter: nobody can until they are put back."""
    rules = enrolled(counter, "ann_lee.jpg")
    rules.write_text("blocked: [Ann Lee]\n")
    wait_until(lambda: counter.access.rules.rules != NO_RULES, "the rules", between=counter.turn)
    if other:
        rules.rename(rules.with_name(other))
    else:
        rules.unlink()
    for wish in (BlockPerson(person="Bob", blocked=True), SetValidity(person="Bob", until_day="2030-01-01")):
        refusal = counter.answer_to(a_request(wish))
        assert isinstance(refusal, RefusedWish)
        assert "rename it" in refusal.problem if other else "the rules are gone" in refusal.problem
    assert not rules.exists()


WISHES_ABOUT_ANN = (
    EnrolPicture(person="Ann Lee", data=b"another", anyway=True),
    AddAnchor(person="Ann Lee", event="aa:1", picture=b"another"),
)


@pytest.mark.parametrize("wish", WISHES_ABOUT_ANN)
def test_nothing_is_kept_of_who_is_erased_while_a_picture_is_looked_at(
    counter: Counter, wish: EnrolPicture | AddAnchor
) -> None:
    """Nor an anchor; what is asked for afterwards is kept."""
    enrolled(counter, "ann_lee.jpg", "bob.jpg")
    counter.dispatch.joined(RECOGNIZER)
    wait_until(lambda: counter.people.enrolment.in_use, "a gallery", between=counter.turn)
    assert counter.ask(a_request(wish)) == []
    assert isinstance(counter.answer_to(a_request(ErasePerson(person="ANN LEE"), by="Ada")), Done)
    counter.people.asked("asked-0", a_template(encoding=an_encoding(1)), "")
    found: list[AnyAnswer] = []
    wait_until(lambda: found, "an answer", between=lambda: found.extend(counter.turn()))
    assert "Ann Lee was erased or renamed meanwhile" in refused(found)
    assert [path.name for path in counter.faces.iterdir()] == ["bob.jpg"]
    assert not Path(counter.site.gallery.anchors_folder).exists()


def test_an_act_that_is_asked_for_again_is_on_record_once(counter: Counter) -> None:
    """A web node that got no answer cannot know whether it was done."""
    for _ in range(2):
        wish = RecordAct(words="signed in", once="ab" * 16)
        assert isinstance(counter.answer_to(a_request(wish, role="viewer")), Done)
    assert counter.access.journal.last_seq == 1


@pytest.mark.parametrize(("rules", "zone"), [("{timezone: Asia/Tokyo}\n", "Asia/Tokyo"), ("{}\n", "Etc/UCT")])
def test_a_viewer_learns_the_time_zone(
    counter: Counter, rules: str, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the rules, or of the broker's machine where they name none."""
    monkeypatch.setenv("TZ", "Etc/UCT")
    assert isinstance(counter.answer_to(a_request(ReplaceRules(text=rules, was="absent"))), Done)
    assert counter.ask(a_request(ReadZone(), role="viewer")) == [ZoneFound(timezone=zone)]


def test_a_lockout_ends_by_a_press_on_the_page_of_health(counter: Counter) -> None:
    """The page's form, the desk and the decider, joined."""
    counter.access.decider.tries["front_door"] = Tries(locked_until_ns=time.monotonic_ns() + 600 * 10**9)
    bus = AnsweringBus()
    bus.answers[UnlockDoor] = lambda wish: counter.answer_to(a_request(wish))
    client = a_client(site=counter.site, link=bus.link)
    client.post("/health/unlock", data={"camera": "front_door"})
    assert "front_door is unlocked." in client.get("/health").text
    assert counter.access.locked_out == ""
    again = client.post("/health/unlock", data={"camera": "front_door"})
    assert "front_door is not locked out" in again.text
