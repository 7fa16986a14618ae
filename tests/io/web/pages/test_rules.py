"""The page of rules: the week, who may enter, and the editor."""

import pytest

from tests.io.web.pages.conftest import Visitor
from tests.support.answering import AnsweringBus
from tests.support.answers import AT_NS, a_person, people
from turnstile.requests.answers import Done, RefusedWish, RulesFound
from turnstile.requests.wishes import ReadPeople, ReadRules, ReplaceRules, UndoRules

TEXT = """# who may enter
groups:
  staff: [Ann Lee]
doors:
  front_door:
    allow:
      - groups: [staff]
        hours: {mon-fri: ["07:00-19:00"]}
blocked: [Eve Poe]
timezone: Europe/Vienna
"""


def rules(text: str = TEXT, **other: object) -> RulesFound:
    """Return the rules file."""
    fields: dict[str, object] = {
        "text": text,
        "version": "v1",
        "path": "/srv/rules.yaml",
        "timezone": "Europe/Vienna",
        "now_ns": AT_NS,
    }
    return RulesFound(**(fields | other))  # type: ignore[arg-type]


def test_the_week_and_the_lists_are_shown(bus: AnsweringBus, visitor: Visitor) -> None:
    """Each door has its hours, drawn and in words."""
    bus.answers = {ReadRules: rules(), ReadPeople: people(a_person())}
    page = visitor().get("/rules").text
    assert "staff: mon-fri 07:00-19:00" in page
    assert "Everybody enrolled, at all times." in page
    assert "Eve Poe" in page
    assert 'class="week"' in page
    assert "Wed 18 Nov 2026, 12:06" in page


@pytest.mark.parametrize(
    ("at", "words"),
    [("2026-11-18T08:00", "may enter"), ("2026-11-22T08:00", "not at this time"), ("soon", "is no time")],
)
def test_who_may_enter_is_told_for_a_time(bus: AnsweringBus, visitor: Visitor, at: str, words: str) -> None:
    """In the time zone of the rules; a time that is none is said."""
    bus.answers = {ReadRules: rules(), ReadPeople: people(a_person())}
    assert words in visitor().get(f"/rules?at={at}").text


def test_without_rules_the_page_says_what_that_means(bus: AnsweringBus, visitor: Visitor) -> None:
    """And how to write some."""
    bus.answers = {ReadRules: rules("", absent="no rules"), ReadPeople: people()}
    page = visitor().get("/rules").text
    assert "Everybody enrolled may use every door" in page
    assert "Nobody is enrolled" in page


def test_rules_that_do_not_hold_are_an_alert(bus: AnsweringBus, visitor: Visitor) -> None:
    """The broker's words come first."""
    bus.answers = {ReadRules: rules("groups: [", problem="nobody may enter: <x>"), ReadPeople: people()}
    assert "nobody may enter: &lt;x&gt;" in visitor().get("/rules").text


def test_a_mistake_is_told_with_its_line_and_nothing_is_saved(bus: AnsweringBus, visitor: Visitor) -> None:
    """What was typed stays there."""
    bus.answers = {ReadRules: rules()}
    wrong = TEXT.replace("front_door", "font_door")
    answer = visitor().post("/rules/edit", data={"text": wrong, "was": "v1", "action": "save"})
    assert answer.status_code == 422
    assert "rules.yaml:5" in answer.text
    assert "font_door" in answer.text
    assert not bus.wishes(ReplaceRules)


def test_a_text_is_checked_without_saving(bus: AnsweringBus, visitor: Visitor) -> None:
    """The page says that it is not saved yet."""
    bus.answers = {ReadRules: rules()}
    answer = visitor().post("/rules/edit", data={"text": TEXT, "was": "v1", "action": "check"})
    assert "It is not saved yet" in answer.text
    assert not bus.wishes(ReplaceRules)


def test_a_text_is_saved_as_a_file_has_it_and_taken_back(bus: AnsweringBus, visitor: Visitor) -> None:
    """Comments are kept, and line ends are those of a file."""
    bus.answers = {
        ReadRules: rules(),
        ReplaceRules: Done(words="The rules are changed."),
        UndoRules: Done(words="Taken back."),
        ReadPeople: people(),
    }
    client = visitor()
    text = TEXT.replace("\n", "\r\n")
    client.post("/rules/edit", data={"text": text, "was": "v1", "action": "save"})
    assert bus.wishes(ReplaceRules) == [ReplaceRules(text=TEXT, was="v1")]
    assert 'action="/rules/undo?was=v1"' in client.get("/rules").text
    client.post("/rules/undo?was=v1")
    assert bus.wishes(UndoRules) == [UndoRules(was="v1")]


def test_anothers_edit_is_not_written_over(bus: AnsweringBus, visitor: Visitor) -> None:
    """Theirs is shown beside, and saving again is a choice."""
    bus.answers = {ReadRules: rules("{}  # theirs", version="v2")}
    answer = visitor().post("/rules/edit", data={"text": TEXT, "was": "v1", "action": "save"})
    assert answer.status_code == 409
    assert "Somebody else changed the rules meanwhile" in answer.text
    assert "{}  # theirs" in answer.text
    assert 'name="was" value="v2"' in answer.text
    assert not bus.wishes(ReplaceRules)


def test_what_the_broker_refuses_is_said_and_the_text_stays(bus: AnsweringBus, visitor: Visitor) -> None:
    """Nothing typed is lost."""
    bus.answers = {ReadRules: rules(), ReplaceRules: RefusedWish(problem="the disk is full")}
    answer = visitor().post("/rules/edit", data={"text": TEXT, "was": "v1", "action": "save"})
    assert "the disk is full" in answer.text
    assert "# who may enter" in answer.text


def test_a_text_area_is_not_left_by_what_stands_in_it(bus: AnsweringBus, visitor: Visitor) -> None:
    """A comment with markup is text."""
    bus.answers = {ReadRules: rules("{}  # </textarea><script>")}
    assert "&lt;/textarea&gt;&lt;script&gt;" in visitor().get("/rules/edit").text


def test_rules_are_for_admins(bus: AnsweringBus, visitor: Visitor) -> None:
    """A clerk reads none and changes none."""
    assert visitor("clerk").get("/rules").status_code == 403
    assert visitor("clerk").post("/rules/undo?was=v1").status_code == 403
    assert not bus.asked
