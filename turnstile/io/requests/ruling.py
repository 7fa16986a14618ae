"""What people who are signed in want of the rules and of doors."""

import time
from dataclasses import dataclass

from turnstile.errors import TurnstileError
from turnstile.io.access.desk import AccessDesk
from turnstile.io.requests.enrolling import EnrolmentRequests
from turnstile.io.requests.rules_text import RulesText, Written
from turnstile.io.requests.steps import PutOnRecord, in_thread
from turnstile.io.site.zone import machine_zone
from turnstile.protocol.names import quoted
from turnstile.requests import rules_edits
from turnstile.requests.answers import AnyAnswer, Done, RulesFound, ZoneFound
from turnstile.requests.wishes import (
    BlockPerson,
    ReadRules,
    ReadZone,
    RecordAct,
    ReplaceRules,
    SetValidity,
    UndoRules,
    UnlockDoor,
)


@dataclass(kw_only=True)
class RulesRequests:
    """Wishes about rules and doors."""

    access: AccessDesk
    pictures: EnrolmentRequests
    text: RulesText

    async def read(self, _wish: ReadRules) -> AnyAnswer:
        """Return the rules file."""
        standing = self.access.rules.standing
        (text, version), may_undo = await in_thread(lambda: (self.text.read(), self.text.may_undo))
        return RulesFound(
            text=text,
            version=version,
            path=f"{self.text.path}"[:500],
            problem=standing.problem[:4000],
            absent=standing.absent[:4000],
            may_undo=may_undo,
            timezone=self._zone(),
            now_ns=time.time_ns(),
        )

    async def read_zone(self, _wish: ReadZone) -> AnyAnswer:
        """Return the time zone that hours are in."""
        return ZoneFound(timezone=self._zone())

    async def replace(self, wish: ReplaceRules) -> AnyAnswer:
        """Write the file anew."""
        self.pictures.require_record()
        self.use(await in_thread(lambda: self.text.replace(wish.text, was=wish.was)))
        await PutOnRecord(words="changed the rules")
        return Done(words="the rules are changed")

    async def undo(self, wish: UndoRules) -> AnyAnswer:
        """Take the last change back."""
        self.pictures.require_record()
        self.use(await in_thread(lambda: self.text.undo(was=wish.was)))
        await PutOnRecord(words="took the last change of the rules back")
        return Done(words="the rules are as they were before")

    async def block(self, wish: BlockPerson) -> AnyAnswer:
        """Bar a person, or bar them no more."""
        self.pictures.require_record()
        person = self.pictures.spelt(wish.person)
        edit = rules_edits.block if wish.blocked else rules_edits.unblock
        self.use(await in_thread(lambda: self.text.change(lambda rules: edit(rules, person))))
        done = "blocked" if wish.blocked else "unblocked"
        await PutOnRecord(words=f"{done} {quoted(person)}")
        return Done(words=f"{person} is {done}")

    async def set_validity(self, wish: SetValidity) -> AnyAnswer:
        """Set on which days a person may enter."""
        self.pictures.require_record()
        person, days = self.pictures.spelt(wish.person), (wish.from_day, wish.until_day)
        self.use(
            await in_thread(
                lambda: self.text.change(lambda rules: rules_edits.set_validity(rules, person, *days))
            )
        )
        words = " ".join(f"{word} {day}" for word, day in zip(("from", "until"), days, strict=True) if day)
        await PutOnRecord(words=f"let {quoted(person)} enter {words or 'on any day'}")
        return Done(words=f"{person} may enter {words or 'on any day'}")

    async def unlock(self, wish: UnlockDoor) -> AnyAnswer:
        """End a door's lockout: the access desk does it once it is on record."""
        self.pictures.require_record()
        if wish.camera not in self.access.decider.locked_s(time.monotonic_ns()):
            raise TurnstileError(f"{wish.camera} is not locked out")
        await PutOnRecord(words=f"unlocked {wish.camera}", camera=wish.camera)
        return Done(words=f"{wish.camera} is unlocked")

    async def record(self, wish: RecordAct) -> AnyAnswer:
        """Put on record what the web node did itself."""
        self.pictures.require_record()
        await PutOnRecord(words=wish.words.replace('"', "'"))
        return Done(words="it is on record")

    def _zone(self) -> str:
        rules = self.access.rules.rules
        return (rules.timezone if rules is not None else "") or machine_zone()

    def use(self, written: Written) -> None:
        """Let new rules hold from the next result on."""
        self.access.rules.put(written.rules)
        if self.access.rules.refresh():  # whoever asks next is told of these
            self.access.decider.rules = self.access.rules.rules
