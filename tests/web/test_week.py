"""The rules as a week, and who may enter."""

import datetime as dt

from turnstile.access.rules import Rules, build
from turnstile.web.week import Stretch, monday_of, weeks, who_may_enter

MONDAY = dt.date(2026, 12, 21)


def rules() -> Rules:
    """Return rules with a night shift over midnight and a holiday."""
    allow = [
        {"groups": ["staff"], "hours": {"mon-fri": ["07:00-12:00", "13:00-19:00"]}},
        {"people": ["Carl Moe"], "hours": {"thu": ["22:00-02:00"]}, "on_holidays": True},
    ]
    document = {
        "groups": {"staff": ["Ann Lee"]},
        "doors": {"store": {"allow": allow, "nearest_only": True, "min_face_px": 80, "liveness": "passive"}},
        "holidays": [dt.date(2026, 12, 25)],
        "blocked": ["Eve Poe"],
    }
    return build(document, doors=["store", "yard"])


def test_a_door_without_rules_is_open_all_week() -> None:
    """Everybody enrolled may use it."""
    (week,) = weeks(rules(), ["yard"], MONDAY)
    assert week.everyone
    assert {day.stretches for day in week.days} == {(Stretch(0, 1440, 1),)}


def test_hours_go_past_midnight_and_holidays_close() -> None:
    """The night shift ends on a holiday, when nobody else comes."""
    (week,) = weeks(rules(), ["store"], MONDAY)
    assert [one.clock for one in week.days[0].stretches] == ["07:00-12:00", "13:00-19:00"]
    assert [one.clock for one in week.days[3].stretches] == ["07:00-12:00", "13:00-19:00", "22:00-24:00"]
    friday = week.days[4]
    assert friday.is_holiday
    assert [one.clock for one in friday.stretches] == ["00:00-02:00"]


def test_entries_are_told_in_words() -> None:
    """The list beside the plot says the same."""
    (week,) = weeks(rules(), ["store"], MONDAY)
    assert week.whom == (
        "staff: mon-fri 07:00-12:00, 13:00-19:00",
        "Carl Moe: thu 22:00-02:00, on holidays too",
    )
    assert "faces narrower than 80 px" in week.settings


def test_who_may_enter_is_told_with_the_reason() -> None:
    """At noon, in the lunch break, and for whom it is never."""
    at = dt.datetime(2026, 12, 21, 12, 30)  # noqa: DTZ001 - local time of the rules
    found = who_may_enter(rules(), ["Ann Lee", "Carl Moe", "Eve Poe"], ["store", "yard"], at)
    assert {(one.person, one.door): one.problem for one in found} == {
        ("Ann Lee", "store"): "not at this time",
        ("Ann Lee", "yard"): "",
        ("Carl Moe", "store"): "not at this time",
        ("Carl Moe", "yard"): "",
        ("Eve Poe", "store"): "blocked",
        ("Eve Poe", "yard"): "blocked",
    }


def test_a_week_begins_on_monday() -> None:
    """Whatever day is asked for."""
    assert monday_of(dt.date(2026, 12, 27)) == MONDAY
