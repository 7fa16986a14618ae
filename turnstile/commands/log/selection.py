"""The options that say which entries of a log somebody asks for."""

import argparse
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from turnstile.commands.options import number
from turnstile.errors import LogError
from turnstile.io.people.folder import files_in
from turnstile.io.store.opened import OpenLog
from turnstile.log.question import TIMES, Question, moment
from turnstile.people.gallery import files_by_person
from turnstile.protocol.names import near_names, same_name
from turnstile.protocol.reasons import Reason
from turnstile.site.settings import Site

MOST_ENTRIES = 999_999_999


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which entries."""
    parser.add_argument("--person", metavar="NAME", help="a name or pseudonym, or unknown")
    parser.add_argument("--camera", metavar="CAMERA")
    parser.add_argument("--verdict", choices=("granted", "denied"))
    parser.add_argument("--reason", choices=[reason.value for reason in Reason])
    parser.add_argument("--since", metavar="TIME", help=TIMES)
    parser.add_argument("--until", metavar="TIME", help="the same; a date means the end of that day")
    parser.add_argument("-n", "--last", type=number(1, MOST_ENTRIES), metavar="N", help="only the newest N")


def question_of(options: argparse.Namespace) -> Question:
    """Return what the options ask."""
    now = datetime.now().astimezone()
    return Question(
        person=options.person,
        camera=options.camera,
        verdict=options.verdict,
        reason=options.reason,
        since_ns=None if options.since is None else moment(options.since, now=now),
        until_ns=None if options.until is None else moment(options.until, now=now, end=True),
        at_most=options.last,
    )


def require_known(log: OpenLog, question: Question) -> None:
    """Make sure that there is such a person and such a camera, in the log or at the site.

    Raises:
        LogError: there is none; the text names those that are written nearly so.
    """
    if question.person is not None and not same_name(question.person, "unknown"):
        _require(
            f"nobody called {question.person!r} is in the log or enrolled here",
            question.person,
            {*log.store.persons(), *log.store.pseudonyms(), *_enrolled(log.site)},
        )
    if question.camera is not None:
        _require(
            f"no camera {question.camera!r} is in the log or the site",
            question.camera,
            {*log.store.cameras(), *log.site.cameras},
        )


def _require(words: str, asked: str, known: Collection[str]) -> None:
    if not any(same_name(asked, one) for one in known):
        near = ", ".join(map(repr, near_names(asked, known)))
        raise LogError(f"{words}{near and f'; written nearly so: {near}'}")


def _enrolled(site: Site) -> Collection[str]:
    """Return who is enrolled, as far as this machine has the pictures."""
    try:
        files, _ = files_in(Path(site.gallery.faces))
    except OSError:
        return ()
    return files_by_person(files)
