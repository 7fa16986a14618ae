"""Enrol a person: judge pictures, and put them into the faces folder under the person's name.

A picture comes from a file, or from a visit as the log has it: one of the door's own camera helps most. A
picture that does not show one face is refused. So is one of another face than the person's other pictures, of
another person, or that spoils the person's better ones; `--anyway` keeps it. A weak one is kept and named.

A running broker enrols what comes into the folder. Run it on the broker's machine.
"""

import argparse
import hashlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from turnstile.commands.log.opened import add_log
from turnstile.commands.people.pictures import made_of, read_enrolled
from turnstile.commands.people.visit import event, visit_of
from turnstile.errors import ConfigError, PictureError, TurnstileError
from turnstile.files.reading import why
from turnstile.io.people.anchors import open_anchors
from turnstile.io.people.folder import read_picture
from turnstile.io.people.keeping import keep_picture
from turnstile.io.runner.member import choose_name
from turnstile.io.runner.node import EXIT_STOPPED
from turnstile.io.site.file import load
from turnstile.io.site.terminal import printable
from turnstile.io.store.opened import open_log
from turnstile.people.gallery import PICTURE_SUFFIXES
from turnstile.people.quality import in_words, weaknesses
from turnstile.people.register import Encoded, objection
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
        sys.stdout.write(printable(f"kept as {_keep(site, spelt, one)}") + "\n")
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
        TurnstileError: it was of somebody else, or `turnstile not` says that it was not this person.
    """
    if not options.from_event:
        return
    with closing(open_log(site, choose_name(site, "logger", options.name)).store) as store:
        visit = visit_of(store, options.from_event)
    anchors = open_anchors(site.gallery, site.recognition.encoding)

    def was_not(person: str) -> bool:
        return any(one.event == visit.event for one in anchors.of(person))

    other = None if visit.person is None or same_name(visit.person, options.person) else visit.person
    if other is not None and not options.anyway and not was_not(other):
        raise TurnstileError(
            f"event {visit.event} ({visit.at}) was of {other}; if that is wrong, say so first by "
            f"`turnstile not {other!r} --event {visit.event} --yes`; --anyway enrols it as {options.person}"
        )
    if was_not(options.person):
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
    judged = Encoded(person, one.origin, digest, made.encoding, made.looks)
    found = objection(judged, enrolled, engine.description.encoding)
    if found and not anyway:
        raise TurnstileError(f"{one.origin} is refused: {found}; --anyway keeps it")
    return judged


def _keep(site: Site, person: str, one: Candidate) -> Path:
    return keep_picture(Path(site.gallery.faces), person, one.suffix, one.data)
