"""The rules as a week of each door, and who may enter at a time."""

import datetime as dt
from collections.abc import Iterable
from typing import NamedTuple

from turnstile.access.rules import Allow, DoorRules, Rules, is_time, judge
from turnstile.protocol.reasons import WORDS

STEP_MINUTES = 15
_STEPS = 24 * 60 // STEP_MINUTES


class Stretch(NamedTuple):
    """Some hours of a day in which the same entries of the rules hold."""

    begin_minute: int
    end_minute: int
    entries: int
    """How many entries let somebody in."""

    @property
    def clock(self) -> str:
        """Return it as ``07:00-12:00``."""
        begin, end = (
            f"{minute // 60:02}:{minute % 60:02}" for minute in (self.begin_minute, self.end_minute)
        )
        return f"{begin}-{end}"


class Day(NamedTuple):
    """A day of a door's week."""

    date: dt.date
    is_holiday: bool
    stretches: tuple[Stretch, ...]


class DoorWeek(NamedTuple):
    """When a door lets somebody in, and whom."""

    door: str
    everyone: bool
    """No entry restricts: everybody enrolled may use it at all times."""
    days: tuple[Day, ...]
    whom: tuple[str, ...]
    """Each entry of the rules in words."""
    settings: str
    """What else the rules say of the door."""


class Entering(NamedTuple):
    """Whether somebody may use a door at a time."""

    person: str
    door: str
    problem: str
    """Why not; empty: they may."""


def weeks(rules: Rules, doors: Iterable[str], monday: dt.date) -> list[DoorWeek]:
    """Return the week of each door that begins on a day."""
    return [_week(rules, door, monday) for door in doors]


def who_may_enter(
    rules: Rules, people: Iterable[str], doors: Iterable[str], at: dt.datetime
) -> list[Entering]:
    """Return for each person and door whether they may enter at a local time."""
    all_doors = tuple(doors)
    return [
        Entering(person, door, WORDS[reason] if (reason := judge(rules, person, door, at)) else "")
        for person in people
        for door in all_doors
    ]


def monday_of(day: dt.date) -> dt.date:
    """Return the Monday of a day's week."""
    return day - dt.timedelta(days=day.weekday())


def _week(rules: Rules, door: str, monday: dt.date) -> DoorWeek:
    rule = rules.doors.get(door, DoorRules())
    dates = [monday + dt.timedelta(days=ahead) for ahead in range(7)]
    days = tuple(Day(date, date in rules.holidays, _stretches(rule.allow, date, rules)) for date in dates)
    whom = tuple(_in_words(allow) for allow in rule.allow or ())
    return DoorWeek(door, rule.allow is None, days, whom, _settings(rule))


def _stretches(allowed: tuple[Allow, ...] | None, date: dt.date, rules: Rules) -> tuple[Stretch, ...]:
    """Return when entries hold on a day: hours of the day before that go past midnight too."""
    if allowed is None:
        return (Stretch(0, 24 * 60, 1),)
    found: list[Stretch] = []
    for step in range(_STEPS):
        begin = step * STEP_MINUTES
        at = dt.datetime.combine(date, dt.time(begin // 60, begin % 60))
        entries = sum(is_time(allow, at, rules) for allow in allowed)
        if found and found[-1].entries == entries:
            found[-1] = found[-1]._replace(end_minute=begin + STEP_MINUTES)
        else:
            found.append(Stretch(begin, begin + STEP_MINUTES, entries))
    return tuple(one for one in found if one.entries)


def _in_words(allow: Allow) -> str:
    who = ", ".join((*allow.groups, *allow.people))
    hours = "; ".join(f"{days} {', '.join(spans)}" for days, spans in allow.hours.items())
    holidays = ", on holidays too" if allow.on_holidays and hours else ""
    return f"{who}: {hours or 'at all times'}{holidays}"


def _settings(rule: DoorRules) -> str:
    told = (
        "only the nearest face counts" if rule.nearest_only else "",
        f"faces narrower than {rule.min_face_px} px do not count" if rule.min_face_px else "",
        "photographs are refused" if rule.liveness == "passive" else "",
    )
    return "; ".join(filter(None, told))
