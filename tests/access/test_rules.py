"""Who may use which door when: the rules file is refused at its place, and judged by the local clock."""

import datetime as dt

import pytest

from turnstile.access.rules import NO_RULES, Rules, build, judge, may_ever, unenrolled
from turnstile.errors import ConfigError
from turnstile.protocol.reasons import Reason

DOORS = ("front", "store")
MONDAY = dt.datetime(2026, 11, 23, 9, 30)  # noqa: DTZ001 - a local time
OFFICE = {"groups": ["staff"], "hours": {"mon-fri": ["07:00-12:00", "13:00-19:00"]}}


def some_rules(*allow: object, **others: object) -> Rules:
    """Return rules of a group of two and of what may be done at the store."""
    doors = {"doors": {"store": {"allow": list(allow)}}} if allow else {}
    return build({"groups": {"staff": ["Ann Lee", "bob"]}, **doors, **others}, doors=DOORS)


def at(day: str, clock: str) -> dt.datetime:
    """Return a local time."""
    return dt.datetime.fromisoformat(f"{day}T{clock}:00")


def test_without_a_rules_file_everybody_enrolled_may_enter_everywhere() -> None:
    """An empty file and none are the same."""
    assert build(None, doors=DOORS) == NO_RULES
    assert judge(NO_RULES, "Ann Lee", "front", MONDAY) is None


def test_a_door_without_allow_lets_in_everybody() -> None:
    """Rules about one door say nothing about another."""
    rules = some_rules(OFFICE)
    assert judge(rules, "Eve Poe", "front", MONDAY) is None
    assert judge(rules, "Eve Poe", "store", MONDAY) is Reason.NOT_ALLOWED


@pytest.mark.parametrize("name", ["Ann Lee", "ann_lee", "ANN  LEE", "Bob"])
def test_names_are_compared_as_people_write_them(name: str) -> None:
    """A picture's file name and a person's name are one person."""
    assert judge(some_rules(OFFICE), name, "store", MONDAY) is None


@pytest.mark.parametrize(
    ("clock", "reason"),
    [
        ("06:59", Reason.OUTSIDE_SCHEDULE),
        ("07:00", None),
        ("11:59", None),
        ("12:00", Reason.OUTSIDE_SCHEDULE),
        ("13:00", None),
        ("19:00", Reason.OUTSIDE_SCHEDULE),
    ],
)
def test_hours_begin_on_the_minute_and_end_before_it(clock: str, reason: Reason | None) -> None:
    """From seven means at seven; until twelve means not at twelve."""
    assert judge(some_rules(OFFICE), "Bob", "store", at("2026-11-23", clock)) is reason


def test_hours_hold_on_their_days_only() -> None:
    """Saturday is not in mon-fri."""
    assert judge(some_rules(OFFICE), "Bob", "store", at("2026-11-28", "09:00")) is Reason.OUTSIDE_SCHEDULE


@pytest.mark.parametrize(
    ("day", "clock", "reason"),
    [
        ("2026-11-27", "21:59", Reason.OUTSIDE_SCHEDULE),
        ("2026-11-27", "22:00", None),
        ("2026-11-28", "01:59", None),
        ("2026-11-28", "02:00", Reason.OUTSIDE_SCHEDULE),
        ("2026-11-28", "22:00", Reason.OUTSIDE_SCHEDULE),
        ("2026-11-27", "01:00", Reason.OUTSIDE_SCHEDULE),
    ],
)
def test_hours_over_midnight_belong_to_the_day_they_begin(
    day: str, clock: str, reason: Reason | None
) -> None:
    """Friday's night shift ends on Saturday, and there is none on Thursday."""
    rules = some_rules({"people": ["Bob"], "hours": {"fri": ["22:00-02:00"]}})
    assert judge(rules, "Bob", "store", at(day, clock)) is reason


@pytest.mark.parametrize(
    ("day", "allowed"), [("2026-11-21", True), ("2026-11-23", True), ("2026-11-24", False)]
)
def test_days_may_run_over_the_end_of_the_week(day: str, allowed: bool) -> None:  # noqa: FBT001 - an outcome
    """sat-mon is Saturday, Sunday and Monday; 24:00 is the end of the day."""
    rules = some_rules({"people": ["Bob"], "hours": {"sat-mon": ["00:00-24:00"]}})
    assert (judge(rules, "Bob", "store", at(day, "23:59")) is None) is allowed


def test_hours_do_not_hold_on_holidays_unless_they_say_so() -> None:
    """A holiday's night belongs to the holiday."""
    night = {"people": ["Bob"], "hours": {"mon-sun": ["20:00-04:00"]}}
    closed = some_rules(night, holidays=[dt.date(2026, 12, 25)])
    open_too = some_rules({**night, "on_holidays": True}, holidays=["2026-12-25"])
    for day, clock in (("2026-12-25", "21:00"), ("2026-12-26", "03:00")):
        assert judge(closed, "Bob", "store", at(day, clock)) is Reason.OUTSIDE_SCHEDULE
        assert judge(open_too, "Bob", "store", at(day, clock)) is None
    assert judge(closed, "Bob", "store", at("2026-12-25", "03:00")) is None


def test_one_of_several_entries_is_enough() -> None:
    """Somebody in two groups may come when either may."""
    rules = some_rules(OFFICE, {"people": ["Bob"], "hours": {"sun": ["10:00-11:00"]}})
    assert judge(rules, "Bob", "store", at("2026-11-29", "10:30")) is None
    assert judge(rules, "Ann Lee", "store", at("2026-11-29", "10:30")) is Reason.OUTSIDE_SCHEDULE


def test_a_blocked_person_enters_nowhere() -> None:
    """The block list comes before everything else."""
    rules = some_rules(OFFICE, blocked=["ANN LEE"])
    assert {judge(rules, "Ann Lee", door, MONDAY) for door in DOORS} == {Reason.BLOCKED}


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        ("2025-12-31", Reason.NOT_ALLOWED),
        ("2026-01-01", None),
        ("2026-06-30", None),
        ("2026-07-01", Reason.NOT_ALLOWED),
    ],
)
def test_validity_includes_its_first_and_last_day(day: str, reason: Reason | None) -> None:
    """Until the thirtieth means the whole of the thirtieth."""
    rules = some_rules(valid={"Bob": {"from": "2026-01-01", "until": dt.date(2026, 6, 30)}})
    assert judge(rules, "Bob", "front", at(day, "12:00")) is reason


def test_people_who_are_named_and_not_enrolled_are_found() -> None:
    """A misspelt name on the block list blocks nobody."""
    rules = some_rules({"people": ["Carl"]}, blocked=["Evee Poe"], valid={"Dan": {}})
    assert unenrolled(rules, ["Ann Lee", "Bob", "Dan", "Eve Poe"]) == ["Carl", "Evee Poe"]


@pytest.mark.parametrize(
    ("document", "place", "words"),
    [
        ([], (), "the file must be keys with values, not []"),
        ({"door": {}}, ("door",), "did you mean doors?"),
        ({"doors": {"cellar": {}}}, ("doors", "cellar"), "no camera is named 'cellar'"),
        ({"doors": {"store": {"allow": []}}}, ("doors", "store", "allow"), "a list of 1 or more entries"),
        ({"doors": {"store": {"allow": [{}]}}}, ("doors", "store", "allow", 0), "neither groups nor people"),
        (
            {"doors": {"store": {"allow": [{"groups": ["crew"]}]}}},
            ("doors", "store", "allow", 0, "groups"),
            "no group is named 'crew'",
        ),
        (
            {"doors": {"front": {"min_face_px": 3}, "store": {"min_face_px": -1}}},
            ("doors", "store", "min_face_px"),
            "a whole number from 0 to 10000, not -1",
        ),
        (
            {"doors": {"store": {"allow": [{"people": ["B"], "hours": {"mon": ["7-9"]}}]}}},
            ("doors", "store", "allow", 0, "hours", "mon", 0),
            "a time like 07:00-19:00",
        ),
        (
            {"doors": {"store": {"allow": [{"people": ["B"], "hours": {"monday": ["07:00-09:00"]}}]}}},
            ("doors", "store", "allow", 0, "hours", "monday"),
            "days like mon",
        ),
        (
            {"doors": {"store": {"allow": [{"people": ["B"], "hours": {"mon": ["09:00-09:00"]}}]}}},
            ("doors", "store", "allow", 0, "hours", "mon"),
            "no time at all",
        ),
        (
            {"valid": {"Ann": {}, "Bob": {"from": "2026-02-02", "until": "2026-02-01"}}},
            ("valid", "Bob"),
            "until is before from",
        ),
        ({"valid": {"Ann": {}, "Bob": {"until": "soon"}}}, ("valid", "Bob", "until"), "date"),
        ({"holidays": ["2026-12-25", 7]}, ("holidays", 1), "date"),
        ({"blocked": [""]}, ("blocked", 0), "a name of 1 to 200 characters"),
        ({"groups": {"staff": ["Ann"]}, "blocked": ["Staff"]}, ("blocked",), "'Staff' is a group"),
        ({"groups": {"staff": ["Ann"]}, "valid": {"staff": {}}}, ("valid",), "'staff' is a group"),
        (
            {"doors": {"store": {"allow": [{"people": ["B"], "hours": {}}]}}},
            ("doors", "store", "allow", 0, "hours"),
            "one or more",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    document: object, place: tuple[str | int, ...], words: str
) -> None:
    """The place leads to the line."""
    with pytest.raises(ConfigError) as caught:
        build(document, doors=DOORS)
    assert words in str(caught.value)
    assert caught.value.place == place


@pytest.mark.parametrize(
    "written", ["Jose\u0301 Poe", "jos\u00e9_poe", "JOS\u00c9\u00a0POE ", "Jos\u00e9  Poe"]
)
def test_a_blocked_name_is_blocked_however_it_is_written(written: str) -> None:
    """On the block list, in a group and with dates, by the function that compares names everywhere."""
    person = "Jos\u00e9 Poe"
    assert judge(build({"blocked": [written]}, doors=DOORS), person, "front", MONDAY) is Reason.BLOCKED
    expired = build({"valid": {written: {"until": "2026-01-01"}}}, doors=DOORS)
    assert judge(expired, person, "front", MONDAY) is Reason.NOT_ALLOWED
    allow = [{"groups": ["CREW "]}]
    group = build({"groups": {"crew": [written]}, "doors": {"store": {"allow": allow}}}, doors=DOORS)
    assert judge(group, person, "store", MONDAY) is None
    assert unenrolled(group, [person]) == []


@pytest.mark.parametrize("section", ["groups", "valid"])
def test_a_name_that_stands_twice_is_refused(section: str) -> None:
    """Written in two ways: nobody could say which of them holds."""
    twice: dict[str, object] = {"Ann Lee": {}, "ann_lee": {}} if section == "valid" else {"A": [], "a": []}
    with pytest.raises(ConfigError, match="the same name as") as caught:
        build({section: twice}, doors=DOORS)
    assert caught.value.place == (section, list(twice)[1])


def test_an_allowance_without_hours_holds_at_any_time() -> None:
    """At night and on Sundays too."""
    rules = some_rules({"groups": ["staff"]})
    assert judge(rules, "Ann Lee", "store", at("2026-11-22", "03:00")) is None


def test_who_may_ever_use_a_door_is_told() -> None:
    """Whatever the hours are; whoever is blocked may never."""
    rules = build(
        {"doors": {"store": {"allow": [{"people": ["Ann Lee"]}]}}, "blocked": ["Eve Poe"]},
        doors=["store", "gate"],
    )
    assert may_ever(rules, "ann_lee", "store")
    assert not may_ever(rules, "Bob Ray", "store")
    assert may_ever(rules, "Bob Ray", "gate")
    assert not may_ever(rules, "Eve Poe", "gate")
