"""`logger_node.py query`, `export` and `verify`, and `turnstile log head`: a log, read by its owner.

They open the store themselves, on the machine where it is, whether or not the logger runs; who may read the
file may read the log.
"""

import argparse
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, or_

from turnstile.errors import ConfigError, LogError
from turnstile.io.log.text import local_time
from turnstile.io.log.verification import inspect
from turnstile.io.runner.member import choose_name
from turnstile.io.runner.node import EXIT_CONFIG, EXIT_CRASHED, EXIT_STOPPED
from turnstile.io.site.file import load
from turnstile.io.site.terminal import give_up_output, printable
from turnstile.io.store.database import Database
from turnstile.io.store.store import LogName, Store
from turnstile.io.store.tables import entries, personal
from turnstile.log.chain import Link
from turnstile.log.export import as_csv, as_jsonl, row
from turnstile.log.lines import entry_of, format_entry
from turnstile.log.question import TIMES, Question, moment
from turnstile.protocol.reasons import Reason
from turnstile.site.settings import LoggerSettings, Site

COMMANDS = {
    "query": "Show entries of the access log.",
    "export": "Write entries of the access log for other programs, with all their fields.",
    "verify": "Look for changed, removed or reordered entries, and compare with heads kept elsewhere.",
}

PATIENCE_S = 10.0
"""How long a command waits for the logger to finish a transaction."""


class OpenLog(NamedTuple):
    """A log to read."""

    settings: LoggerSettings
    store: Store


def main(command: str, argv: Sequence[str]) -> int:
    """Run a command; return 0, 1 if the log cannot be read or is not whole, or 78 for a bad site file."""
    options = _command_line(command).parse_args(argv)
    runs = {"query": _query, "export": _export, "verify": _verify}
    return run(options.config, options.name, lambda opened: runs[command](opened, options))


def head(config_path: Path, name: str | None) -> int:
    """Print the newest entry's number and hash, to keep elsewhere; return 0, 1 or 78."""

    def show(opened: OpenLog) -> int:
        newest = opened.store.head
        sys.stdout.write(f"{newest.number} {newest.hash.hex()}\n")
        return EXIT_STOPPED

    return run(config_path, name, show)


def run(config_path: Path, name: str | None, command: Callable[[OpenLog], int]) -> int:
    """Call a command with the log that a site file names, and return its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        site = load(config_path)
        logger = choose_name(site, "logger", name)
        opened = open_log(site, logger)
        try:
            code = command(opened)
            sys.stdout.flush()
        finally:
            opened.store.close()
    except BrokenPipeError:
        give_up_output()
        return EXIT_STOPPED
    except ConfigError as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_CONFIG
    except LogError as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_CRASHED
    return code


def open_log(site: Site, logger: str) -> OpenLog:
    """Open the store of a logger, which must be there.

    Raises:
        LogError: it is not, or cannot be read.
        ConfigError: it is something else.
    """
    settings = site.loggers[logger]
    store = Store(Database(settings.store_address, patience_s=PATIENCE_S), LogName(site.site, logger))
    store.open(create=False)
    return OpenLog(settings, store)


def condition(question: Question) -> ColumnElement[bool]:
    """Return what a question asks as a condition on `entries` and `personal`."""
    wanted: list[ColumnElement[bool]] = [entries.c.number > 0]
    if question.person is not None:
        wanted.append(_person(question.person))
    for column, value in (
        (entries.c.camera, question.camera),
        (entries.c.verdict, question.verdict),
        (entries.c.reason, question.reason),
    ):
        wanted += [] if value is None else [column == value]
    wanted += [] if question.since_ns is None else [entries.c.decided_ns >= question.since_ns]
    wanted += [] if question.until_ns is None else [entries.c.decided_ns < question.until_ns]
    return and_(*wanted)


def _person(name: str) -> ColumnElement[bool]:
    if name.casefold() == "unknown":
        return and_(personal.c.person.is_(None), personal.c.pseudonym.is_(None))
    same = func.lower(personal.c.person) == func.lower(name)
    return or_(same, personal.c.person == name, personal.c.pseudonym == name)


def _found(opened: OpenLog, question: Question, *, pictures: bool = False) -> Iterator[Link]:
    where = condition(question)
    if question.at_most is None:
        return opened.store.links(where, pictures=pictures)
    newest = opened.store.newest(question.at_most, where)
    first = newest[0].record.number if newest else 1
    return opened.store.links(where, after=first - 1, pictures=pictures)


def _query(opened: OpenLog, options: argparse.Namespace) -> int:
    for link in _found(opened, _question(options)):
        line = format_entry(entry_of(link, at=local_time(link.record.decided_ns)))
        sys.stdout.write(f"{printable(line)}\n")
    return EXIT_STOPPED


def _export(opened: OpenLog, options: argparse.Namespace) -> int:
    folder: Path | None = options.thumbnails
    found = _found(opened, _question(options), pictures=folder is not None)
    rows = (
        row(link, at=local_time(link.record.decided_ns), thumbnail=_save_picture(link, folder))
        for link in found
    )
    lines: Iterable[str] = as_csv(rows) if options.format == "csv" else as_jsonl(rows)
    for line in lines:
        sys.stdout.write(line)
    return EXIT_STOPPED


def _save_picture(link: Link, folder: Path | None) -> str | None:
    if folder is None or link.personal.thumbnail is None:
        return None
    file = folder / f"{link.record.number}.jpg"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.write_bytes(link.personal.thumbnail)
    except OSError as error:
        raise LogError(f"cannot write {file}: {error.strerror}") from error
    return str(file)


def _verify(opened: OpenLog, options: argparse.Namespace) -> int:
    report = inspect(opened.store, opened.settings, against=options.against)
    for line in report.lines:
        sys.stdout.write(f"{printable(line)}\n")
    return EXIT_STOPPED if report.whole else EXIT_CRASHED


def _question(options: argparse.Namespace) -> Question:
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


def _command_line(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"logger_node.py {command}", description=COMMANDS[command])
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the site file")
    parser.add_argument("--name", metavar="LOGGER", help="whose log; needed if there are several loggers")
    if command == "verify":
        parser.add_argument(
            "--against", type=_hash, metavar="HASH", help="a hash from `turnstile log head` that was kept"
        )
        return parser
    parser.add_argument("--person", metavar="NAME", help="a name or pseudonym, or unknown")
    parser.add_argument("--camera", metavar="CAMERA")
    parser.add_argument("--verdict", choices=("granted", "denied"))
    parser.add_argument("--reason", choices=[reason.value for reason in Reason])
    parser.add_argument("--since", metavar="TIME", help=TIMES)
    parser.add_argument("--until", metavar="TIME", help="the same; a date means the end of that day")
    parser.add_argument("-n", "--last", type=_count, metavar="N", help="only the newest N")
    if command == "export":
        parser.add_argument("--format", choices=("csv", "jsonl"), default="jsonl")
        parser.add_argument(
            "--thumbnails", type=Path, metavar="FOLDER", help="write the pictures there, named by number"
        )
    return parser


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= len(text) <= 9 and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def _hash(text: str) -> bytes:
    try:
        found = bytes.fromhex(text.strip())
    except ValueError:
        found = b""
    if len(found) != 32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a hash: 64 hexadecimal digits")
    return found
