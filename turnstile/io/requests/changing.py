"""What people who are signed in want of somebody enrolled: another name, an end, "this was not her"."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from turnstile.errors import TurnstileError
from turnstile.io.people.anchors import AnchorFolder, open_anchors
from turnstile.io.people.desk import PeopleDesk
from turnstile.io.people.keeping import free_name
from turnstile.io.requests.enrolling import EnrolmentRequests
from turnstile.io.requests.rules_text import RulesText, Written
from turnstile.io.requests.steps import Encode, PutOnRecord, in_thread
from turnstile.people.gallery import person_of, stem_of
from turnstile.protocol.names import name_key, quoted, same_name
from turnstile.requests import rules_edits
from turnstile.requests.answers import AnyAnswer, Done
from turnstile.requests.wishes import AddAnchor, ErasePerson, RenamePerson, UndoAnchor
from turnstile.site.settings import Site


class BegunRename(NamedTuple):
    """Rules that have both names, so that a rename that ends halfway lets nobody in whom they bar."""

    written: Written | None
    """`None` if they do not have the name."""
    text: str = ""
    """What stood there before."""


class ErasedPerson(NamedTuple):
    """What an erasure came to."""

    lines: tuple[str, ...]
    """What was removed; none if there was nothing."""
    problems: tuple[str, ...]
    pseudonym: str
    written: Written | None
    """The rules without the person; `None` if they did not have the name."""


@dataclass(kw_only=True)
class PersonRequests:
    """Wishes about somebody enrolled."""

    site: Site
    people: PeopleDesk
    pictures: EnrolmentRequests
    rules: RulesText
    site_path: Path
    use: Callable[[Written], None]
    """Lets new rules hold."""

    async def add_anchor(self, wish: AddAnchor) -> AnyAnswer:
        """Keep the face of a visit that was not of a person."""
        self.pictures.require_record()
        person, since = self._enrolled(wish.person), self.pictures.gone.since(wish.person)
        seen = await Encode(data=wish.picture)
        await in_thread(lambda: self._add_anchor(person, wish.event, seen.encoding, since))
        await PutOnRecord(words=f"said that event {wish.event} was not of {quoted(person)}")
        return Done(words=f"a face nearer to that one than to {person} is unknown from now on")

    async def undo_anchor(self, wish: UndoAnchor) -> AnyAnswer:
        """Forget that."""
        self.pictures.require_record()
        await in_thread(lambda: self._anchors.undo(wish.person, wish.event))
        await PutOnRecord(words=f"took back that event {wish.event} was not of {quoted(wish.person)}")
        return Done(words=f"event {wish.event} says nothing of {wish.person} any more")

    async def rename(self, wish: RenamePerson) -> AnyAnswer:
        """Give a person's pictures, anchors and rules another name; all or none, as far as files allow."""
        self.pictures.require_record()
        person, to = self._enrolled(wish.person), " ".join(wish.to.split())
        if not same_name(person, to) and any(
            same_name(one, to) for one in self.people.enrolment.persons.values()
        ):
            raise TurnstileError(f"{to} is enrolled already; two people cannot have one name")
        stem_of(to)
        files = [file for file, one in self.people.enrolment.persons.items() if one == person]
        is_another = not same_name(person, to)
        if is_another:
            self.people.unenrol(person)  # or the old name might enter when the rules do not name it any more
        try:
            begun = await in_thread(lambda: self._begin_rename(person, to))
            if begun.written is not None:
                self.use(begun.written)
            written = await in_thread(lambda: self._rename(person, to, files, begun))
        except TurnstileError:
            if is_another:
                self.people.enrolment.let_in_again(person)
            raise
        if written is not None:
            self.use(written)
        await PutOnRecord(words=f"renamed {quoted(person)} to {quoted(to)}")
        return Done(words=f"{person} is {to} now; the log keeps the old name")

    async def erase(self, wish: ErasePerson) -> AnyAnswer:
        """Remove a person from every file of the broker's machine, rules and unknown people included."""
        if not wish.dry_run:
            self.pictures.require_record()
        if not name_key(wish.person):
            raise TurnstileError(f"a name has letters; {wish.person!r} has none")
        person = " ".join(wish.person.split())
        if not wish.dry_run:
            self.people.unenrol(person)  # or the rules might let the name in before its pictures are gone
        found = await in_thread(lambda: self._erase(person, dry_run=wish.dry_run))
        if found.written is not None:
            self.use(found.written)
        if not found.lines:
            raise TurnstileError("; ".join(found.problems)[:4000])
        told = "\n".join([*found.lines, *(f"look at this: {one}" for one in found.problems)])[:4000]
        if not wish.dry_run:
            self.pictures.recent.forget_person(wish.person)
            await PutOnRecord(words=f"erased a person, who is {found.pseudonym} now")
        return Done(words=told)

    def _erase(self, person: str, *, dry_run: bool) -> ErasedPerson:
        # only whoever erases needs the logs' database library in the broker
        from turnstile.io.erasure.run import ErasureRun  # noqa: PLC0415

        written: list[Written] = []

        def forget() -> int:
            changed = self.rules.changed(lambda rules: rules_edits.forget(rules, person))
            if changed.places and not dry_run:
                written.append(self.rules.replace(changed.text, was=changed.was, may_undo=False))
            return changed.places

        if not dry_run:
            self.pictures.gone.note(person)
        run = ErasureRun(
            site=self.site,
            site_path=self.site_path,
            person=person,
            dry_run=dry_run,
            journal_is_ours=True,
            forget_rules=forget,
        )
        lines = tuple(run.run())
        if not dry_run:
            self.pictures.gone.note(person)
        rules = written[0] if written else None
        return ErasedPerson(lines if run.found else (), tuple(run.problems), run.pseudonym, rules)

    @property
    def _anchors(self) -> AnchorFolder:
        return open_anchors(self.site.gallery, self.site.recognition.encoding)

    def _enrolled(self, person: str) -> str:
        known = self.people.enrolment.persons.values()
        found = next((one for one in known if same_name(one, person)), None)
        if found is None:
            raise TurnstileError(f"nobody called {person!r} is enrolled")
        return found

    def _add_anchor(self, person: str, event: str, encoding: bytes, since: int) -> None:
        self.pictures.gone.refuse_if_later(person, since)
        self._anchors.add(person, event, encoding)

    def _begin_rename(self, person: str, to: str) -> BegunRename:
        """Let the rules say of the other name what they say of the person. Call from a thread."""
        self.pictures.gone.note(person)
        if same_name(person, to):
            return BegunRename(None)
        try:
            both = self.rules.changed(lambda rules: rules_edits.add_name(rules, person, to))
            if not both.places:
                return BegunRename(None)
            before, _ = self.rules.read()
            return BegunRename(self.rules.replace(both.text, was=both.was, may_undo=False), before)
        except TurnstileError as error:
            raise TurnstileError(f"nothing is renamed: {error}") from error

    def _rename(self, person: str, to: str, files: list[str], begun: BegunRename) -> Written | None:
        """Do the rest, or put everything back. Call from a thread."""
        undo: list[Callable[[], object]] = []
        if begun.written is not None:
            version = begun.written.version
            undo.append(lambda: self.rules.replace(begun.text, was=version, may_undo=False))
        try:
            self._add_anchors(person, to, undo)
            for file in files:
                self._rename_file(file, to, undo)
            written = self._rename_in_rules(person, to)
            if not same_name(person, to):
                self._anchors.remove(person)
                self.pictures.gone.note(person)
        except (TurnstileError, OSError) as error:
            for back in reversed(undo):
                with suppress(TurnstileError, OSError):
                    back()
            raise TurnstileError(f"nothing is renamed: {error}") from error
        return written

    def _rename_in_rules(self, person: str, to: str) -> Written | None:
        """Leave the rules one name where they have both; the text before it would let the person in again."""
        changed = self.rules.changed(lambda rules: rules_edits.rename(rules, person, to))
        return self.rules.replace(changed.text, was=changed.was, may_undo=False) if changed.places else None

    def _add_anchors(self, person: str, to: str, undo: list[Callable[[], object]]) -> None:
        """Give the other name a person's anchors; the person's own are removed at the very end."""
        if same_name(person, to):
            return
        undo.append(lambda: self._anchors.remove(to))
        for one in self._anchors.of(person):
            self._anchors.add(to, one.event, one.encoding)

    def _rename_file(self, file: str, to: str, undo: list[Callable[[], object]]) -> None:
        faces = Path(self.site.gallery.faces)
        old, folder = faces / file, PurePosixPath(file).parent
        new = free_name(faces / _moved(folder, to), to, old.suffix)
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
        undo.append(lambda: new.rename(old))
        with suppress(OSError):
            if old.parent != faces:
                old.parent.rmdir()


def _moved(folder: PurePosixPath, to: str) -> PurePosixPath:
    """Return the folder for a picture under another name: the innermost that names somebody changes."""
    parts = list(folder.parts)
    for at in reversed(range(len(parts))):
        if person_of("/".join((*parts[: at + 1], "any.jpg"))) is not None:
            parts[at] = stem_of(to)
            break
    return PurePosixPath(*parts)
