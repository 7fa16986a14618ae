"""One erasure: a person goes from every file of this machine, and what cannot be reached is named.

`turnstile erase` runs it, and the broker's thread when an admin asks for it in a browser.
"""

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from turnstile.counts import counted
from turnstile.errors import JournalError, LogError, TurnstileError
from turnstile.io.access.rules_file import earlier_of
from turnstile.io.erasure.faces import FacesOf
from turnstile.io.erasure.leftovers import in_comments, leftovers, out_of_reach
from turnstile.io.journal.erasure import ErasureRequest, ask_to_erase, erase_from_journal
from turnstile.io.log.retention import earlier_names, erase_person
from turnstile.io.log.rewriting import log_files, rewrite
from turnstile.io.people.anchors import open_anchors
from turnstile.io.store.database import StoreAbsentError
from turnstile.io.store.opened import open_log
from turnstile.io.strangers.store import UnknownStore
from turnstile.log.lines import without_person
from turnstile.protocol.names import bears, near_names
from turnstile.site.settings import Site

PASSES = 5
PAUSE_S = 1.0
"""Between two passes; what was on its way from the broker to a logger has arrived."""


@dataclass(kw_only=True)
class ErasureRun:
    """An erasure, to be run once."""

    site: Site
    site_path: Path
    person: str
    dry_run: bool = False
    pseudonym: str = field(default_factory=lambda: f"erased-{secrets.token_hex(4)}")
    journal_is_ours: bool = False
    """This process has the journal open: its thread is asked, and the file is not touched here."""
    forget_rules: Callable[[], int] | None = None
    """Removes the person from the rules, unless this is a dry run; returns from how many places.
    `None`: rules are for people to edit, and named."""
    found: int = 0
    """How many things were erased, or would be."""
    problems: dict[str, None] = field(default_factory=dict)
    """What could not be erased, in words; each once."""
    _known: set[str] = field(default_factory=set)
    """Everybody else whose name was met."""
    _journal_is_silent: bool = False

    def run(self) -> Iterator[str]:
        """Erase everything, and say what was."""
        if self.dry_run:
            yield "nothing is changed; this is what would go:"
        gallery = self.site.gallery
        faces = FacesOf(self.person, Path(gallery.faces), Path(gallery.cache))
        self._known |= faces.known
        yield from self._erase_pictures(faces)
        yield from self._erase_rules(faces)
        yield from self._noting(self._erase_anchors())
        yield from self._erase_earlier_rules()
        for attempt in range(1 if self.dry_run else PASSES):
            before = self.found
            yield from self._noting(self._erase_unknowns())
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

    def _noting(self, lines: Iterator[str]) -> Iterator[str]:
        """Say what a part erases, and note what keeps it from that."""
        try:
            yield from lines
        except TurnstileError as error:
            self._note(str(error))

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

    def _erase_rules(self, faces: FacesOf) -> Iterator[str]:
        """Remove the name from the rules, unless a picture is left: whom they bar could enter by it."""
        if self.forget_rules is None:
            return
        if not self.dry_run and any(os.path.lexists(path) for path in faces.pictures):
            self._note("the rules keep the name, as a picture of the person is still there")
            return
        try:
            places = self.forget_rules()
        except TurnstileError as error:
            self._note(f"the rules may hold the name: {error}")
            return
        self.found += places
        if places:
            yield f"rules: the name {self._done('removed')} from {counted(places, 'place')}"

    def _erase_anchors(self) -> Iterator[str]:
        """Remove the faces of which somebody said that they are not the person's."""
        anchors = open_anchors(self.site.gallery, self.site.recognition.encoding)
        files = anchors.files_of(self.person)
        removed = len(files) if self.dry_run else anchors.remove(self.person)
        self.found += removed
        if removed:
            yield f"anchors: {counted(removed, 'file')} {self._done('removed')} with faces not theirs"

    def _erase_unknowns(self) -> Iterator[str]:
        """Remove the visits of unknown people that came nearest to the person."""
        unknowns = UnknownStore(Path(self.site.unknowns.file), self.site.recognition.encoding, keep_days=0)
        with contextlib.closing(unknowns):
            removed = unknowns.forget_person(self.person, dry_run=self.dry_run)
        self.found += removed
        if removed:
            yield f"unknown people: {counted(removed, 'visit')} {self._done('removed')} that came near"

    def _erase_earlier_rules(self) -> Iterator[str]:
        """Remove the rules as they were before their last change in a browser, if they have the name."""
        path = earlier_of(Path(self.site.decision.rules))
        try:
            if not bears(path.read_text("utf-8", errors="replace"), self.person):
                return
            if not self.dry_run:
                path.unlink()
        except FileNotFoundError:
            return
        except OSError as error:
            self._note(f"{path} may hold the name: {error.strerror}")
            return
        self.found += 1
        yield f"rules: what was before their last change {self._done('removed')}"

    def _erase_encodings(self, faces: FacesOf) -> Iterator[str]:
        """Remove encodings without a picture; by now the person's are among these."""
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
            yield from self._noting(self._erase_log(name, quiet=again))
            yield from self._noting(self._erase_text(name, Path(logger.file), quiet=again))

    def _erase_journal(self, *, quiet: bool) -> Iterator[str]:
        journal = Path(self.site.broker.journal)
        request = ErasureRequest(person=self.person, pseudonym=self.pseudonym, dry_run=self.dry_run)
        try:
            ask = ask_to_erase if self.journal_is_ours else erase_from_journal
            erased = ask(journal, request)
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
        with contextlib.closing(opened.store):
            self._note(*earlier_names(opened.store, self.person))
            erased = erase_person(opened.store, self.person, self.pseudonym, dry_run=self.dry_run)
            self._known |= set(opened.store.persons())
            if erased and not self.dry_run:
                opened.store.database.clean()
        self.found += erased
        if not quiet or erased:
            yield f"log of {name}: {counted(erased, 'entry', 'entries')} {self._new_name}"

    def _erase_text(self, name: str, path: Path, *, quiet: bool) -> Iterator[str]:
        lines = 0
        for file in log_files(path):
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
