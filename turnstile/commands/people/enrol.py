"""Enrol a person: judge pictures, and put them into the faces folder under the person's name.

A picture comes from a file, or from a visit as the log has it: one of the door's own camera helps most. A
picture that does not show one face is refused. So is one of another face than the person's other pictures, of
another person, or that spoils the person's better ones; `--anyway` keeps it. A weak one is kept and named.

A running broker enrols what comes into the folder. Run it on the broker's machine.
"""

import argparse
import hashlib
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import NamedTuple

from turnstile.commands.log.opened import add_log, open_log
from turnstile.commands.people.pictures import made_of, read_enrolled
from turnstile.commands.people.visit import event, visit_of
from turnstile.errors import ConfigError, PictureError, TurnstileError
from turnstile.files.reading import why
from turnstile.files.whole import owner_of, write_whole
from turnstile.io.people.anchors import open_anchors
from turnstile.io.people.folder import read_picture
from turnstile.io.runner.member import choose_name
from turnstile.io.runner.node import EXIT_STOPPED
from turnstile.io.site.file import load
from turnstile.io.site.terminal import printable
from turnstile.people.agreement import EnrolledPicture, alike, bounds_of, disagreeing
from turnstile.people.gallery import PICTURE_SUFFIXES, person_of
from turnstile.people.quality import in_words, spoils, weaknesses
from turnstile.people.register import Encoded
from turnstile.protocol.names import same_name
from turnstile.site.settings import Site
from turnstile.vision.engines.engine import Engine
from turnstile.vision.engines.selection import make_engine
from turnstile.vision.pictures import decode_enrolment


class Candidate(NamedTuple):
    """A picture to enrol."""

    origin: str
    """Where it comes from, for people."""
    suffix: str
    data: bytes


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("person", metavar="NAME", help="who is in the picture: 'Ada Lovelace'")
    parser.add_argument("pictures", metavar="PICTURE", nargs="*", type=Path, help="a file with one face")
    parser.add_argument(
        "--from-event",
        type=event,
        metavar="N",
        help="the picture of a visit, by the end of its line in the log",
    )
    parser.add_argument("--anyway", action="store_true", help="keep what would be refused")
    add_log(parser)


def run(options: argparse.Namespace) -> int:
    """Keep the pictures, all or none; return 0.

    Raises:
        TurnstileError: a picture is refused, or cannot be read or written; none is kept then.
    """
    if not options.pictures and not options.from_event:
        raise ConfigError("name a PICTURE, or a visit with --from-event N")
    site = load(options.config)
    candidates = [*_files(options.pictures), *_of_visit(site, options)]
    enrolled = [one for one in read_enrolled(site) if one.encoding]
    spelt = next((one.person for one in enrolled if same_name(one.person, options.person)), options.person)
    engine = make_engine(site.recognition)
    for one in candidates:
        judged = _judge(one, spelt, enrolled, engine, anyway=options.anyway)
        enrolled.append(judged)
        told = in_words(weaknesses(judged.looks))
        sys.stdout.write(printable(f"{one.origin}: {f'weak, {told}' if told else 'good'}") + "\n")
    for one in candidates:
        sys.stdout.write(printable(f"kept as {_keep(Path(site.gallery.faces), spelt, one)}") + "\n")
    return EXIT_STOPPED


def _files(paths: Sequence[Path]) -> Iterator[Candidate]:
    for path in paths:
        try:
            data = read_picture(path)
        except OSError as error:
            raise TurnstileError(f"{path} cannot be read: {why(error, about=path)}") from error
        except ValueError as error:
            raise TurnstileError(f"{path} {error}") from error
        suffix = path.suffix.lower()
        yield Candidate(str(path), suffix if suffix in PICTURE_SUFFIXES else ".jpg", data)


def _of_visit(site: Site, options: argparse.Namespace) -> Iterator[Candidate]:
    """Give the picture of the visit that is asked for.

    Raises:
        TurnstileError: it was granted to somebody else, or `turnstile not` says that it was not this person.
    """
    if not options.from_event:
        return
    with closing(open_log(site, choose_name(site, "logger", options.name)).store) as store:
        visit = visit_of(store, options.from_event)
    if visit.person is not None and not same_name(visit.person, options.person) and not options.anyway:
        raise TurnstileError(
            f"event {visit.event} ({visit.at}) was of {visit.person}; with --anyway it is {options.person}"
        )
    anchors = open_anchors(site.gallery, site.recognition.encoding).of(options.person)
    if any(one.event == visit.event for one in anchors):
        raise TurnstileError(
            f"event {visit.event} ({visit.at}) was not of {options.person}, as somebody said; "
            f"`turnstile not {options.person!r} --undo {visit.event}` takes that back"
        )
    yield Candidate(f"event {visit.event}, {visit.at}", ".jpg", visit.picture)


def _judge(
    one: Candidate, person: str, enrolled: Sequence[Encoded], engine: Engine, *, anyway: bool
) -> Encoded:
    """Return a picture with its encoding.

    Raises:
        TurnstileError: it cannot be used, or is refused.
    """
    digest = hashlib.sha256(one.data).hexdigest()
    try:
        made = made_of(engine.enrol(decode_enrolment(one.data)))
    except PictureError as error:
        raise TurnstileError(f"{one.origin}: {error}") from error
    new = EnrolledPicture(one.origin, person, digest, made.encoding)
    found = _objection(new, enrolled, engine.description.encoding)
    others = any(same_name(own.person, person) and not spoils(own.looks) for own in enrolled)
    if not found and others and spoils(made.looks):
        found = f"{in_words(weaknesses(made.looks))}, and {person} has better pictures"
    if found and not anyway:
        raise TurnstileError(f"{one.origin} is refused: {found}; --anyway keeps it")
    return Encoded(person, one.origin, digest, made.encoding, made.looks)


def _objection(new: EnrolledPicture, enrolled: Sequence[Encoded], encoding: str) -> str:
    """Return why a picture cannot be the person's, by those enrolled; empty if nothing speaks against it."""
    there = [EnrolledPicture(one.file, one.person, one.digest, one.encoding) for one in enrolled]
    same = next((one for one in there if one.digest == new.digest), None)
    if same is not None:
        return f"it is enrolled already, as {same.file} of {same.person}"
    bounds = bounds_of(encoding)
    couple = min(alike([new], there, bounds), default=None)
    if couple is not None:
        other = couple.one if couple.other is new else couple.other
        return f"it shows nearly the face of {other.person} ({couple.distance:.2f} from {other.file})"
    own = [one for one in there if one.person == new.person]
    return disagreeing([*own, new], bounds).get(new.file, "") if own else ""


def _keep(faces: Path, person: str, one: Candidate) -> Path:
    """Write a picture under the next free name of the person's, whole or not at all; return where.

    Raises:
        TurnstileError: no file name would name the person, or it cannot be written.
    """
    stem = _stem(person)
    names = (f"{stem}{'' if number == 1 else f'_{number}'}" for number in count(1))
    try:
        faces.mkdir(parents=True, exist_ok=True)
        there = {path.stem.casefold() for path in faces.iterdir()}
        path = faces / f"{next(name for name in names if name.casefold() not in there)}{one.suffix}"
        mode = stat.S_IMODE(faces.stat().st_mode) & 0o666
        write_whole(path, one.data, mode=mode, owner=owner_of(faces), durable=True)
    except OSError as error:
        raise TurnstileError(f"{faces} cannot be written: {why(error, about=faces)}") from error
    return path


def _stem(person: str) -> str:
    """Return the beginning of a file name that names a person."""
    typed = "_".join(person.split())
    for stem in (typed.lower(), typed):
        found = person_of(f"{stem}.jpg") if "/" not in stem else None
        if found is not None and same_name(found, person) and (stem == typed or found == person):
            return stem
    raise TurnstileError(f"{person!r} cannot be a person's name here; one is 'Ada Lovelace'")
