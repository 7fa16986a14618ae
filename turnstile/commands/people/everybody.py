"""List everybody who is enrolled: pictures and their states, closest other person, last seen, rejection.

`limit` is the largest distance at which a person is recognised. `rejected` is the share of frames, taken
years after the pictures, in which that is expected to fail. Below each person stand the pictures that are not
good, with the reason. A weak picture is used. One that is left out makes the person's others worse.

Whoever has fewer than three good pictures is named at the end, with recent granted visits whose pictures
would help: `turnstile enrol NAME --from-event N` takes one. Nothing is learnt without that word.

Run it on the broker's machine. Last seen and visits come from the log, if it is on this machine, too.
"""

import argparse
import datetime as dt
import json
import pydoc
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

from turnstile.commands.log.opened import add_log
from turnstile.commands.people.pictures import read_enrolled
from turnstile.commands.people.visit import last_seen
from turnstile.counts import counted
from turnstile.errors import ConfigError, LogError, TurnstileError
from turnstile.io.people.anchors import open_anchors
from turnstile.io.runner.member import choose_name
from turnstile.io.runner.node import EXIT_STOPPED
from turnstile.io.site.file import load
from turnstile.io.site.terminal import printable
from turnstile.io.store.helpful import RECENT_NS, GrantedVisit, helpful
from turnstile.io.store.opened import open_log
from turnstile.people.anchors import NO_ANCHORS, Anchored
from turnstile.people.quality import ENOUGH_PICTURES
from turnstile.people.register import PersonState, names_of, register
from turnstile.protocol.names import name_key, near_names, same_name
from turnstile.site.settings import Site

NAME_COLUMNS = 28


class SeenPeople(NamedTuple):
    """What the log and the anchors say of people, by key of the name."""

    last_ns: Mapping[str, int] = {}
    helpful: Mapping[str, Sequence[str]] = {}
    problem: str = ""
    """Why the log says nothing."""
    anchored: Anchored = NO_ANCHORS


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("person", metavar="NAME", nargs="?", help="only this one, with all pictures")
    parser.add_argument("--pictures", action="store_true", help="list good pictures, too")
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    add_log(parser)


def run(options: argparse.Namespace) -> int:
    """Print everybody; return 0.

    Raises:
        TurnstileError: the faces folder cannot be read, or nobody has the name.
    """
    site = load(options.config)
    pictures = list(read_enrolled(site))
    people = register(pictures, site.recognition.encoding, site.decision)
    if options.person is not None:
        people = _only(people, options.person)
    anchors = open_anchors(site.gallery, site.recognition.encoding)
    digests = {one.digest for one in pictures}
    seen = _seen(site, options.name, people, digests)._replace(anchored=anchors.read())
    if options.json:
        text = json.dumps([_as_json(one, seen) for one in people], indent=1, ensure_ascii=False) + "\n"
    else:
        everything = options.pictures or options.person is not None
        text = "".join(f"{printable(line)}\n" for line in lines(people, seen, everything=everything))
    if sys.stdout.isatty() and not options.json:
        pydoc.pager(text)
    else:
        sys.stdout.write(text)
    return EXIT_STOPPED


def lines(people: Sequence[PersonState], seen: SeenPeople, *, everything: bool) -> Iterator[str]:
    """Give what is printed, line by line."""
    header = ("person", "pictures", "limit", "rejected", "last seen", "closest other person")
    yield _row(*header)
    for one in people:
        yield _row(
            one.person,
            f"{one.used} of {len(one.pictures)}",
            "-" if one.limit is None else f"{one.limit:.3f}",
            "-" if one.rejection is None else f"{one.rejection:.1%}",
            _moment(seen.last_ns.get(name_key(one.person))),
            "-" if one.closest is None else f"{one.closest.distance:.3f} {one.closest.person}",
        )
        yield from (f"    {told}" for told in _anchors(one, seen.anchored))
        for picture in one.pictures:
            if everything or picture.reason:
                reason = f": {picture.reason}" if picture.reason else ""
                yield f"    {picture.file}: {picture.state}{reason}"
    total = sum(len(one.pictures) for one in people)
    yield f"{counted(len(people), 'person', 'people')}, {counted(total, 'picture')}"
    if seen.problem:
        yield f"last seen is not known: {seen.problem}"
    yield from _few(people, seen)


def _anchors(one: PersonState, anchored: Anchored) -> Iterator[str]:
    """Say which faces are not the person's, or that this cannot be read."""
    key = name_key(one.person)
    if anchored.trouble or key in anchored.barred:
        yield f"NOT LET IN: {anchored.trouble or anchored.barred[key]}"
    elif key in anchored.encodings:
        faces = counted(len(anchored.encodings[key]), "visit was", "visits were")
        yield f"{faces} not of this person: `turnstile not --list`"


def _few(people: Sequence[PersonState], seen: SeenPeople) -> Iterator[str]:
    few = [one for one in people if one.used < ENOUGH_PICTURES]
    if few:
        yield ""
        yield (
            f"fewer than {ENOUGH_PICTURES} good pictures; three of the door's own camera help most "
            "(turnstile enrol NAME --from-event N):"
        )
    for one in few:
        events = seen.helpful.get(name_key(one.person), ())
        told = (
            f"events {', '.join(events)}" if events else "no recent granted visit has a picture large enough"
        )
        yield f"    {one.person}, {one.used}: {told}"


def _row(person: str, pictures: str, limit: str, rejected: str, last: str, closest: str) -> str:
    return f"{person:<{NAME_COLUMNS}}  {pictures:<8}  {limit:<5}  {rejected:<8}  {last:<16}  {closest}"


def _moment(at_ns: int | None) -> str:
    if at_ns is None:
        return "-"
    return dt.datetime.fromtimestamp(at_ns / 1e9, dt.UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def _only(people: Sequence[PersonState], person: str) -> list[PersonState]:
    found = [one for one in people if same_name(one.person, person)]
    if not found:
        near = ", ".join(map(repr, near_names(person, [one.person for one in people])))
        raise TurnstileError(f"nobody called {person!r} is enrolled{near and f'; written nearly so: {near}'}")
    return found


def _seen(
    site: Site, logger: str | None, people: Sequence[PersonState], digests: Collection[str]
) -> SeenPeople:
    few = [person for person, used in names_of(people).items() if used < ENOUGH_PICTURES]
    since_ns = time.time_ns() - RECENT_NS
    try:
        log = open_log(site, choose_name(site, "logger", logger))
        with closing(log.store) as store:
            proposed = helpful(store, few, since_ns=since_ns, min_face_px=site.recognition.min_enrol_face_px)
            return SeenPeople(last_seen(store), _still_helpful(proposed, digests, site))
    except (ConfigError, LogError) as error:
        return SeenPeople(problem=str(error))


def _still_helpful(
    proposed: Mapping[str, Sequence[GrantedVisit]], digests: Collection[str], site: Site
) -> Mapping[str, Sequence[str]]:
    """Return visits to enrol from without those that are enrolled, or were not of that person.

    There are none while nobody can tell.
    """
    try:
        known = open_anchors(site.gallery, site.recognition.encoding).everybody()
    except TurnstileError:
        return {}
    anchored = {(name_key(one.person), anchor.event) for one in known for anchor in one.anchors}
    return {
        key: [one.event for one in visits if one.digest not in digests and (key, one.event) not in anchored]
        for key, visits in proposed.items()
    }


def _as_json(one: PersonState, seen: SeenPeople) -> dict[str, object]:
    key = name_key(one.person)
    last_ns = seen.last_ns.get(key)
    return {
        "person": one.person,
        "pictures": [picture._asdict() for picture in one.pictures],
        "used": one.used,
        "limit": one.limit,
        "expected_rejection": one.rejection,
        "closest": None if one.closest is None else one.closest._asdict(),
        "last_seen": None
        if last_ns is None
        else dt.datetime.fromtimestamp(last_ns / 1e9, dt.UTC).isoformat(),
        "helpful_events": list(seen.helpful.get(key, ())),
        "anchors": len(seen.anchored.encodings.get(key, ())),
        "barred": seen.anchored.trouble or seen.anchored.barred.get(key, ""),
    }
