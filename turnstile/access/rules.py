"""The rules file: who may use which door, and when.

::

    groups:
      staff: [Ann Lee, Barack Obama]
      cleaners: [Carl Moe]
    doors:
      front_door:
        nearest_only: true        # only the biggest face in view is decided upon
        min_face_px: 80           # and not before it is this wide
        liveness: passive         # nor is a photograph that is held before the camera
      store:
        allow:
          - groups: [staff]
            hours: {mon-fri: ["07:00-12:00", "13:00-19:00"], sat: ["08:00-12:00"]}
          - groups: [cleaners]
            people: [Dan Roe]
            hours: {mon-thu: ["22:00-02:00"]}      # until two on the next day
            on_holidays: true
    holidays: [2026-12-25, 2026-12-26]
    valid:
      Carl Moe: {from: 2026-01-01, until: 2026-06-30}
    blocked: [Eve Poe]
    timezone: Europe/Vienna      # of hours and dates; without it, the broker's own

A door without `allow`, or not named at all, lets in everyone enrolled who is neither blocked nor out of
date. Names of people and groups are compared as `turnstile.protocol.names` says.
"""

import datetime as dt
from collections.abc import Iterable
from functools import cached_property
from typing import Annotated

import msgspec
from msgspec import Meta

from turnstile.errors import ConfigError, Place
from turnstile.protocol.fields import Name, PersonName
from turnstile.protocol.names import name_key
from turnstile.protocol.reasons import Reason
from turnstile.site.problems import structured
from turnstile.site.settings import Liveness

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = "|".join(DAYS)
_MINUTES_A_DAY = 24 * 60

Days = Annotated[str, Meta(pattern=rf"^({_DAY})(-({_DAY}))?$", description="days like mon, sat or mon-fri")]
"""``mon`` or ``mon-fri``; ``sat-mon`` is three days."""

Span = Annotated[
    str,
    Meta(
        pattern=r"^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$",
        description="a time like 07:00-19:00",
    ),
]
"""``07:00-19:00``, the end excluded; ``22:00-02:00`` ends on the next day."""

GroupName = Annotated[str, Meta(min_length=1, max_length=200)]


class RulesSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the rules file: immutable, unknown keys refused."""


class Allow(RulesSection, frozen=True, kw_only=True):
    """Some people, at some times."""

    groups: tuple[GroupName, ...] = ()
    people: tuple[PersonName, ...] = ()
    hours: Annotated[dict[Days, tuple[Span, ...]], Meta(min_length=1)] = {}
    """Without it, at all times."""
    on_holidays: bool = False
    """Whether `hours` hold on holidays too."""


class DoorRules(RulesSection, frozen=True, kw_only=True):
    """What holds at one door."""

    allow: Annotated[tuple[Allow, ...], Meta(min_length=1)] | None = None
    """Only people of these entries may use the door; without it, everyone enrolled may."""
    nearest_only: bool | None = None
    min_face_px: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    liveness: Liveness | None = None
    """``passive``: who is recognised is denied if the face may be a picture, and granted later else."""


class Validity(RulesSection, frozen=True, kw_only=True, rename={"from_": "from"}):
    """The days on which somebody may enter, both included."""

    from_: dt.date | None = None
    until: dt.date | None = None


class Rules(RulesSection, frozen=True, kw_only=True, dict=True):
    """A whole rules file."""

    groups: dict[GroupName, tuple[PersonName, ...]] = {}
    doors: dict[Name, DoorRules] = {}
    holidays: tuple[dt.date, ...] = ()
    valid: dict[PersonName, Validity] = {}
    blocked: tuple[PersonName, ...] = ()
    timezone: str = ""

    @cached_property
    def blocked_keys(self) -> frozenset[str]:
        """Return the blocked people in the form that is compared."""
        return frozenset(map(name_key, self.blocked))

    @cached_property
    def validities(self) -> dict[str, Validity]:
        """Return the validities by person, in the form that is compared."""
        return {name_key(person): validity for person, validity in self.valid.items()}

    @cached_property
    def members(self) -> dict[str, frozenset[str]]:
        """Return the people of each group, all names in the form that is compared."""
        return {name_key(group): frozenset(map(name_key, people)) for group, people in self.groups.items()}

    def named(self) -> set[str]:
        """Return every name in the file, as written."""
        allowed = (one.people for door in self.doors.values() for one in door.allow or ())
        lists = (*self.groups.values(), *allowed, tuple(self.valid), self.blocked)
        return {person for people in lists for person in people}


NO_RULES = Rules()


def build(document: object, *, doors: Iterable[str]) -> Rules:
    """Return the rules that a decoded YAML document holds; an empty document holds none.

    Args:
        document: of dictionaries, lists, texts, numbers and dates.
        doors: the site's cameras.

    Raises:
        ConfigError: an unknown key, door or group, a wrong type, an impossible value. It names the place.
    """
    if document is None:
        return NO_RULES
    rules = structured(document, Rules)
    known = sorted(doors)
    for door, rule in rules.doors.items():
        if door not in known:
            raise ConfigError(
                f"no camera is named {door!r}; there are: {', '.join(known)}", place=("doors", door)
            )
        for at, allow in enumerate(rule.allow or ()):
            _check_allow(allow, rules, place=("doors", door, "allow", at))
    _refuse_doubles(rules.groups, "groups")
    _refuse_doubles(rules.valid, "valid")
    _refuse_groups(rules.blocked, "blocked", rules)
    _refuse_groups(rules.valid, "valid", rules)
    for person, validity in rules.valid.items():
        if validity.from_ and validity.until and validity.until < validity.from_:
            raise ConfigError("until is before from", place=("valid", person))
    return rules


def judge(rules: Rules, person: str, door: str, local: dt.datetime) -> Reason | None:
    """Return why a recognised person may not use a door at a local time; `None` if they may."""
    key = name_key(person)
    if key in rules.blocked_keys:
        return Reason.BLOCKED
    validity = rules.validities.get(key, _ALWAYS)
    today = local.date()
    if (validity.from_ and today < validity.from_) or (validity.until and today > validity.until):
        return Reason.NOT_ALLOWED
    rule = rules.doors.get(door)
    if rule is None or rule.allow is None:
        return None
    meant = [allow for allow in rule.allow if _is_meant(allow, key, rules)]
    if not meant:
        return Reason.NOT_ALLOWED
    return None if any(is_time(allow, local, rules) for allow in meant) else Reason.OUTSIDE_SCHEDULE


def is_time(allow: Allow, local: dt.datetime, rules: Rules) -> bool:
    """Tell whether hours hold now: those that begin today, or those of yesterday over midnight."""
    if not allow.hours:
        return True
    minute = local.hour * 60 + local.minute
    for ago in (0, 1):
        day = local.date() - dt.timedelta(days=ago)
        if day in rules.holidays and not allow.on_holidays:
            continue
        for days, spans in allow.hours.items():
            if day.weekday() not in _weekdays(days):
                continue
            for begin, end in map(_minutes, spans):
                last = end if end > begin else end + _MINUTES_A_DAY
                if begin <= minute + ago * _MINUTES_A_DAY < last:
                    return True
    return False


def may_ever(rules: Rules, person: str, door: str) -> bool:
    """Tell whether somebody enrolled may use a door on some day at some time."""
    key, rule = name_key(person), rules.doors.get(door)
    if key in rules.blocked_keys:
        return False
    return rule is None or rule.allow is None or any(_is_meant(one, key, rules) for one in rule.allow)


def unenrolled(rules: Rules, persons: Iterable[str]) -> list[str]:
    """Return the names in the rules that nobody enrolled has; a typing error is likely."""
    enrolled = set(map(name_key, persons))
    return sorted(person for person in rules.named() if name_key(person) not in enrolled)


_ALWAYS = Validity()


def _refuse_doubles(names: Iterable[str], section: str) -> None:
    """Refuse two ways to write one name: nobody could say which of them holds."""
    written: dict[str, str] = {}
    for name in names:
        before = written.setdefault(name_key(name), name)
        if before != name:
            raise ConfigError(f"the same name as {before!r} above; keep one of them", place=(section, name))


def _refuse_groups(names: Iterable[str], section: str, rules: Rules) -> None:
    """Refuse a group where people are meant: nobody in it would be barred."""
    for name in names:
        if name_key(name) in rules.members:
            raise ConfigError(f"{name!r} is a group; name its people here, one by one", place=(section,))


def _check_allow(allow: Allow, rules: Rules, *, place: Place) -> None:
    if not allow.groups and not allow.people:
        raise ConfigError("names neither groups nor people", place=place)
    for group in allow.groups:
        if name_key(group) not in rules.members:
            known = ", ".join(sorted(rules.groups)) or "none"
            raise ConfigError(f"no group is named {group!r}; there are: {known}", place=(*place, "groups"))
    for days, spans in allow.hours.items():
        for span in spans:
            begin, end = _minutes(span)
            if begin == end:
                raise ConfigError(f"{span} is no time at all", place=(*place, "hours", days))


def _is_meant(allow: Allow, key: str, rules: Rules) -> bool:
    if any(key in rules.members[name_key(group)] for group in allow.groups):
        return True
    return key in map(name_key, allow.people)


def _weekdays(days: str) -> set[int]:
    first, _, last = days.partition("-")
    begin, end = DAYS.index(first), DAYS.index(last or first)
    return {at % 7 for at in range(begin, end + 1 if end >= begin else end + 8)}


def _minutes(span: str) -> tuple[int, int]:
    begin, end = ([int(part) for part in clock.split(":")] for clock in span.split("-"))
    return begin[0] * 60 + begin[1], end[0] * 60 + end[1]
