"""Remove a person's pictures, encodings and name from every file of this machine, for ever.

- The pictures in ``faces/`` are removed. The broker then sends every recognizer a gallery without the person.
- What `turnstile not` keeps of the person's name is removed.
- The encodings of all pictures that are not in ``faces/`` are removed from the cache.
- A pseudonym replaces the name in the broker's journal, in the logs and in their text. Pictures of the face
  are removed there. The chain still verifies, and `verify` says that somebody was erased.
- A running broker forgets the person's open visits, and answers what it erased.
- Rules, the site file, recordings and files of unknown kinds are not changed. The command names those that
  have the name, or may have it.

Every file keeps its owner and mode. The name may be in any spelling that is the same name. Run the command on
every machine that has a log. Its last lines say what it cannot reach.

Exit code 0 means that the name is gone from every file looked at, but for comments in files that people
write: these are named. It is 1 if nobody has that name, or an error line says what may still have it.
"""

import argparse
import contextlib
import re
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from turnstile.commands.log.faces import FacesOf
from turnstile.commands.log.leftovers import in_comments, leftovers, out_of_reach
from turnstile.commands.log.opened import open_log
from turnstile.commands.options import add_config
from turnstile.counts import counted
from turnstile.errors import ConfigError, JournalError, LogError, TurnstileError
from turnstile.io.journal.erasure import ErasureRequest, erase_from_journal
from turnstile.io.log.retention import erase_person
from turnstile.io.log.rewriting import log_files, rewrite
from turnstile.io.people.anchors import open_anchors
from turnstile.io.runner.node import EXIT_CRASHED, EXIT_STOPPED
from turnstile.io.site.file import load
from turnstile.io.site.terminal import printable
from turnstile.io.store.database import StoreAbsentError
from turnstile.log.lines import without_person
from turnstile.protocol.names import name_key, near_names
from turnstile.site.settings import Site

_PSEUDONYM = re.compile("erased-[0-9a-f]{8}")

PASSES = 5
PAUSE_S = 1.0
"""Between two passes; what was on its way from the broker to a logger has arrived."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("person", metavar="PERSON", help="the name as the log has it: 'Barack Obama'")
    parser.add_argument("--dry-run", action="store_true", help="only say what would go")
    add_config(parser)


def run(options: argparse.Namespace) -> int:
    """Erase a person; return 0, or 1 if nobody has the name or something may still have it.

    Raises:
        ConfigError: the name has no letters, or is a pseudonym, whose person has been erased.
    """
    if not name_key(options.person):
        raise ConfigError(f"a name has letters; {options.person!r} has none")
    if _PSEUDONYM.fullmatch(name_key(options.person)):
        raise ConfigError(f"{options.person} stands for somebody who was erased; nothing more is known")
    erasure = ErasureRun(
        site=load(options.config),
        site_path=options.config,
        person=" ".join(options.person.split()),
        dry_run=options.dry_run,
    )
    for line in erasure.run():
        sys.stdout.write(f"{printable(line)}\n")
        sys.stdout.flush()
    for problem in erasure.problems:
        sys.stderr.write(f"error: {printable(problem)}\n")
    return EXIT_STOPPED if erasure.found and not erasure.problems else EXIT_CRASHED


@dataclass(kw_only=True)
class ErasureRun:
    """One run of the command."""

    site: Site
    site_path: Path
    person: str
    dry_run: bool = False
    pseudonym: str = field(default_factory=lambda: f"erased-{secrets.token_hex(4)}")
    found: int = 0
    """How many things were erased, or would be."""
    problems: dict[str, None] = field(default_factory=dict)
    """What could not be erased, in words; each once."""
    _known: set[str] = field(default_factory=set)
    """Everybody of another name who was met."""
    _journal_is_silent: bool = False

    def run(self) -> Iterator[str]:
        """Erase everything, and say what was."""
        if self.dry_run:
            yield "nothing is changed; this is what would go:"
        gallery = self.site.gallery
        faces = FacesOf(self.person, Path(gallery.faces), Path(gallery.cache))
        self._known |= faces.known
        yield from self._erase_pictures(faces)
        yield from self._erase_anchors()
        for attempt in range(1 if self.dry_run else PASSES):
            before = self.found
            yield from self._erase_decisions(again=attempt > 0)
            if self._journal_is_silent or (attempt and self.found == before):
                break
            if not self.dry_run:
                time.sleep(PAUSE_S)
        if self.found:
            yield from self._erase_encodings(faces)
        self._note(*faces.problems, *leftovers(self.site, self.site_path, self.person))
        if not self.found:
            self._note(self._nobody())
            return
        for place in in_comments(self.site, self.site_path, self.person):
            yield f"not changed: {place}"
        for place in out_of_reach(self.site):
            yield f"not reached: {place}"

    def _note(self, *problems: str) -> None:
        self.problems |= dict.fromkeys(problems)

    def _done(self, done: str) -> str:
        """Return what was done to something, or in a dry run what would be."""
        return f"would be {done}" if self.dry_run else done

    @property
    def _new_name(self) -> str:
        return "would be of a pseudonym" if self.dry_run else f"now of {self.pseudonym}"

    def _nobody(self) -> str:
        near = near_names(self.person, self._known)
        hint = f"; known are {', '.join(map(repr, near))}" if near else ""
        return f"nobody called {self.person!r} was found in pictures, journal or logs of this machine{hint}"

    def _erase_pictures(self, faces: FacesOf) -> Iterator[str]:
        gone = faces.pictures if self.dry_run else [path for path in faces.pictures if faces.remove(path)]
        self.found += len(gone)
        root = Path(self.site.gallery.faces)
        for folder in {path.parent for path in gone} - {root}:
            with contextlib.suppress(OSError):
                folder.rmdir()
        yield f"faces: {counted(len(gone), 'picture')} {self._done('removed')} from {root}"

    def _erase_anchors(self) -> Iterator[str]:
        """Remove the faces of which somebody said that they are not the person's."""
        anchors = open_anchors(self.site.gallery, self.site.recognition.encoding)
        try:
            files = anchors.files_of(self.person)
            removed = len(files) if self.dry_run else anchors.remove(self.person)
        except TurnstileError as error:
            self._note(str(error))
            return
        self.found += removed
        if removed:
            yield f"anchors: {counted(removed, 'file')} {self._done('removed')} with faces not theirs"

    def _erase_encodings(self, faces: FacesOf) -> Iterator[str]:
        """Remove encodings that belong to no picture in faces, which now those of the person are among."""
        cached = faces.encodings()
        removed = len(cached) if self.dry_run else sum(faces.remove(path) for path in cached)
        gallery = self.site.gallery
        yield (
            f"encodings: {removed} {self._done('removed')} from {gallery.cache}, all that belong to no "
            f"picture in {gallery.faces}"
        )

    def _erase_decisions(self, *, again: bool) -> Iterator[str]:
        """Remove the name from the journal, logs and texts; a later pass reports only what it found."""
        yield from self._erase_journal(quiet=again)
        for name, logger in self.site.loggers.items():
            yield from self._erase_log(name, quiet=again)
            yield from self._erase_text(name, Path(logger.file), quiet=again)

    def _erase_journal(self, *, quiet: bool) -> Iterator[str]:
        journal = Path(self.site.broker.journal)
        request = ErasureRequest(person=self.person, pseudonym=self.pseudonym, dry_run=self.dry_run)
        try:
            erased = erase_from_journal(journal, request)
        except JournalError as error:
            self._journal_is_silent = True
            self._note(str(error))
            return
        if erased is None:
            if not quiet:
                yield f"journal: not on this machine ({journal}); if it is on another, run this there, too"
            return
        self.found += erased.events + erased.visits
        if not quiet or erased.events or erased.visits:
            yield (
                f"journal: {counted(erased.events, 'event')} {self._new_name}, "
                f"{counted(erased.visits, 'open visit')} {self._done('forgotten')}"
            )

    def _erase_log(self, name: str, *, quiet: bool) -> Iterator[str]:
        try:
            opened = open_log(self.site, name)
        except StoreAbsentError:
            if not quiet:
                yield f"log of {name}: not on this machine; if it is on another, run this there, too"
            return
        except (LogError, ConfigError) as error:
            self._note(str(error))
            return
        with contextlib.closing(opened.store):
            try:
                erased = erase_person(opened.store, self.person, self.pseudonym, dry_run=self.dry_run)
                self._known |= set(opened.store.persons())
                if erased and not self.dry_run:
                    opened.store.database.clean()
            except LogError as error:
                self._note(str(error))
                return
        self.found += erased
        if not quiet or erased:
            yield f"log of {name}: {counted(erased, 'entry', 'entries')} {self._new_name}"

    def _erase_text(self, name: str, path: Path, *, quiet: bool) -> Iterator[str]:
        lines = 0
        try:
            files = log_files(path)
        except LogError as error:
            self._note(str(error))
            return
        for file in files:
            try:
                lines += rewrite(
                    file,
                    lambda line: without_person(line, self.person, self.pseudonym),
                    dry_run=self.dry_run,
                )
            except LogError as error:
                self._note(f"{error}; it may hold the name")
        self.found += lines
        if not quiet or lines:
            changed = f"{counted(lines, 'line')} {self._done('changed')}"
            yield f"text of {name}: {changed} in {path.name} and what rotation made of it"
