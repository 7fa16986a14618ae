"""Remove a person's pictures, encodings and name from every file of this machine, for ever.

- The pictures in ``faces/`` are removed. The broker then sends every recognizer a gallery without the person.
- The encodings of all pictures that are not in ``faces/`` are removed from the cache.
- A pseudonym replaces the name in the broker's journal, in the logs and in their text. Pictures of the face
  are removed there. The chain still verifies, and `verify` says that somebody was erased.
- Rules, the site file and recordings are not changed. The command says which of them to edit or remove.

Out of reach are backups, and what a disk or a database server keeps of overwritten blocks. Run the command on
every machine that has a log.
"""

import argparse
import contextlib
import hashlib
import re
import secrets
import sys
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from turnstile.commands.log.opened import open_log
from turnstile.commands.options import add_config
from turnstile.errors import ConfigError, JournalError, LogError
from turnstile.io.journal.erasure import Request, erase_from_journal
from turnstile.io.log.retention import erase_person
from turnstile.io.log.rewriting import log_files, rewrite
from turnstile.io.runner.node import EXIT_CRASHED, EXIT_STOPPED
from turnstile.io.site.file import load
from turnstile.io.site.terminal import printable
from turnstile.io.store.database import StoreAbsentError
from turnstile.log.lines import without_person
from turnstile.people.gallery import is_picture, person_of
from turnstile.site.settings import Site

PASSES = 5
PAUSE_S = 1.0
"""Between two passes; what was on its way from the broker to a logger has arrived."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("person", metavar="PERSON", help="the name as the log has it: 'Barack Obama'")
    add_config(parser)


def run(options: argparse.Namespace) -> int:
    """Erase a person; return 0, or 1 if something could not be erased.

    Raises:
        LogError: nothing was found.
    """
    site, person = load(options.config), unicodedata.normalize("NFC", options.person)
    erasure = ErasureRun(site=site, site_path=options.config, person=person)
    for line in erasure.run():
        sys.stdout.write(f"{printable(line)}\n")
    for problem in erasure.problems:
        sys.stderr.write(f"error: {printable(problem)}\n")
    if not erasure.found and not erasure.problems:
        raise LogError(f"nobody called {person!r} was found; write the name as the log has it")
    return EXIT_STOPPED if erasure.found and not erasure.problems else EXIT_CRASHED


_ENCODING = re.compile(r"\.?([0-9a-f]{64})\..+")
"""A file of the encoding cache, whole or half written."""


@dataclass(kw_only=True)
class ErasureRun:
    """One run of the command."""

    site: Site
    site_path: Path
    person: str
    pseudonym: str = field(default_factory=lambda: f"erased-{secrets.token_hex(4)}")
    found: int = 0
    """How many things were erased."""
    problems: list[str] = field(default_factory=list)
    """What could not be, in words."""

    def run(self) -> Iterator[str]:
        """Erase everything, and say what was."""
        yield from self._erase_pictures()
        for attempt in range(PASSES):
            before = self.found
            yield from self._erase_decisions(again=attempt > 0)
            if self.problems or (attempt and self.found == before):
                break
            time.sleep(PAUSE_S)
        yield from self._erase_encodings()
        self._search_what_people_wrote()

    def _erase_pictures(self) -> Iterator[str]:
        faces = Path(self.site.gallery.faces)
        mine = [
            path for path in _pictures(faces) if person_of(path.relative_to(faces).as_posix()) == self.person
        ]
        digests = set[str]()
        for path in mine:
            try:
                digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
                path.unlink()
                self.found += 1
            except OSError as error:
                self.problems.append(f"{path} cannot be removed: {error.strerror}")
        for folder in {path.parent for path in mine} - {faces}:
            with contextlib.suppress(OSError):
                folder.rmdir()
        yield f"faces: {_counted(len(mine), 'picture')} removed from {faces}"

    def _erase_encodings(self) -> Iterator[str]:
        """Remove encodings that belong to no picture in faces, which now those of the person are among."""
        cache, faces = Path(self.site.gallery.cache), Path(self.site.gallery.faces)
        kept = set[str]()
        for path in _pictures(faces):
            with contextlib.suppress(OSError):
                kept.add(hashlib.sha256(path.read_bytes()).hexdigest())
        removed = 0
        for path in sorted(cache.glob("*/*")):
            encoding = _ENCODING.fullmatch(path.name)
            if encoding is not None and encoding[1] not in kept:
                try:
                    path.unlink()
                    removed += 1
                except OSError as error:
                    self.problems.append(f"{path} cannot be removed: {error.strerror}")
        yield f"encodings: {removed} removed from {cache}, all that belong to no picture in {faces}"

    def _erase_decisions(self, *, again: bool) -> Iterator[str]:
        """Remove the name from the journal, logs and texts; a later pass reports only what it found."""
        yield from self._erase_journal(quiet=again)
        for name, logger in self.site.loggers.items():
            yield from self._erase_log(name, quiet=again)
            yield from self._erase_text(name, Path(logger.file), quiet=again)

    def _erase_journal(self, *, quiet: bool) -> Iterator[str]:
        journal = Path(self.site.broker.journal)
        try:
            count = erase_from_journal(journal, Request(person=self.person, pseudonym=self.pseudonym))
        except JournalError as error:
            self.problems.append(str(error))
            return
        self.found += count or 0
        if not quiet or count:
            yield "journal: erased by the broker" if count is None else f"journal: {_counted(count, 'event')}"

    def _erase_log(self, name: str, *, quiet: bool) -> Iterator[str]:
        try:
            opened = open_log(self.site, name)
        except StoreAbsentError:
            if not quiet:
                yield f"log of {name}: not on this machine; if it is on another, run this there too"
            return
        except (LogError, ConfigError) as error:
            self.problems.append(str(error))
            return
        with contextlib.closing(opened.store):
            try:
                erased = erase_person(opened.store, self.person, self.pseudonym)
                if erased:
                    opened.store.database.clean()
            except LogError as error:
                self.problems.append(str(error))
                return
        self.found += erased
        if not quiet or erased:
            yield f"log of {name}: {_counted(erased, 'entry', 'entries')} now of {self.pseudonym}"

    def _erase_text(self, name: str, path: Path, *, quiet: bool) -> Iterator[str]:
        lines = 0
        for file in log_files(path):
            try:
                lines += rewrite(file, lambda line: without_person(line, self.person, self.pseudonym))
            except LogError as error:
                self.problems.append(str(error))
        self.found += lines
        if not quiet or lines:
            yield f"text of {name}: {_counted(lines, 'line')} in {path.name} and what rotation made of it"

    def _search_what_people_wrote(self) -> None:
        decision = self.site.decision
        name = re.compile(rf"(?<!\w){re.escape(self.person)}(?!\w)", re.IGNORECASE)
        for path in (self.site_path, Path(decision.rules)):
            with contextlib.suppress(OSError):
                text = unicodedata.normalize("NFC", path.read_text("utf-8", errors="replace"))
                for number, line in enumerate(text.split("\n"), 1):
                    if name.search(line):
                        self.problems.append(f"{path} has the name in line {number}: edit it")
        for recording in (decision.record, f"{decision.record}.1") if decision.record else ():
            if Path(recording).exists():
                self.problems.append(f"{recording} has recorded names and encodings: remove it")


def _pictures(faces: Path) -> Iterator[Path]:
    for path in sorted([*faces.glob("*"), *faces.glob("*/*")]):
        if is_picture(path.relative_to(faces).as_posix()) and path.is_file():
            yield path


def _counted(count: int, one: str, more: str = "") -> str:
    return f"{count} {one if count == 1 else more or one + 's'}"
