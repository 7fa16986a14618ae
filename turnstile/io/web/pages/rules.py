"""`/rules`: what the rules file says, as a week a door and a list of people, and an editor of its text."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from turnstile.access.rules import NO_RULES, Rules
from turnstile.errors import ConfigError
from turnstile.io.access import rules_file
from turnstile.io.web.admission import needs
from turnstile.io.web.link import RefusedWishError
from turnstile.io.web.pages.asking import Asking, form_of, person_path, text_of, zone_of
from turnstile.io.web.rendering import redirect, render
from turnstile.requests.answers import Done, RulesFound
from turnstile.requests.wishes import ReadRules, ReplaceRules, UndoRules
from turnstile.web.forms import FormError, wish_of
from turnstile.web.visits_query import moment_ns
from turnstile.web.week import Entering, monday_of, weeks, who_may_enter

PATH = "/rules"


class Draft(NamedTuple):
    """A text that may become the rules file."""

    text: str
    was: str
    """Version of the file that was edited."""
    problem: str = ""
    checked: bool = False
    """It was looked at, and nothing was wrong."""
    theirs: str | None = None
    """What somebody else wrote meanwhile."""


@dataclass(frozen=True)
class RulesPages:
    """The week, who may enter, and the editor."""

    asking: Asking

    def routes(self) -> list[Route]:
        """Return where they are."""
        admin = needs("admin")
        return [
            Route(PATH, admin(self.all), name="rules"),
            Route(f"{PATH}/edit", admin(self.edit), methods=["GET"]),
            Route(f"{PATH}/edit", admin(self.take_edit), methods=["POST"]),
            Route(f"{PATH}/undo", admin(self.undo), methods=["POST"]),
        ]

    async def all(self, request: Request) -> Response:
        """Show what holds."""
        found = await self._read(request)
        request.app.state.zone.use(found.timezone)
        rules, problem = self._parsed(found)
        asked = request.query_params.get("at", "").strip()
        at, time_problem = _local(zone_of(request), found, asked)
        people = await self.asking.people(request)
        doors = list(self.asking.site.cameras)
        persons = [one.person for one in people.people] if people else []
        entering = who_may_enter(rules, persons, doors, at)
        return render(
            request,
            "rules.html",
            found=found,
            rules=rules,
            problem=found.problem or problem,
            weeks=weeks(rules, doors, monday_of(at.date())),
            doors=doors,
            table=_by_person(entering, len(doors)),
            at=at,
            asked=asked,
            time_problem=time_problem,
            people_known=people is not None,
            person_path=person_path,
            undo=f"{PATH}/undo?was={found.version}",
        )

    async def edit(self, request: Request) -> Response:
        """Show the text."""
        found = await self._read(request)
        return self._editor(request, found, Draft(found.text, found.version, problem=found.problem))

    async def take_edit(self, request: Request) -> Response:
        """Check a text, and save it if that is wanted."""
        form = await form_of(request)
        text = _plain_lines(form.get("text"))
        draft = Draft(text, text_of(form, "was"))
        found = await self._read(request)
        _, problem = self._parse(text, found.path)
        if problem:
            return self._editor(request, found, draft._replace(problem=problem), status_code=422)
        if text_of(form, "action") != "save":
            return self._editor(request, found, draft._replace(checked=True))
        if draft.was != found.version:
            merged = draft._replace(was=found.version, theirs=found.text)
            return self._editor(request, found, merged, status_code=409)
        try:
            wish = wish_of(ReplaceRules, text=text, was=draft.was)
            answer = await self.asking.broker(request, wish, Done)
        except (FormError, RefusedWishError) as error:
            return self._editor(request, found, draft._replace(problem=str(error)), status_code=409)
        now = await self._read(request)
        return redirect(request, PATH, done=answer.words, undo=f"{PATH}/undo?was={now.version}")

    async def undo(self, request: Request) -> Response:
        """Take back the last change that came from here."""
        was = request.query_params.get("was", "")
        return await self.asking.do(request, lambda: wish_of(UndoRules, was=was), back=PATH)

    def _editor(
        self, request: Request, found: RulesFound, draft: Draft, *, status_code: int = 200
    ) -> Response:
        return render(
            request,
            "rules_edit.html",
            status_code=status_code,
            draft=draft,
            found=found,
            lines=draft.text.count("\n") + 1,
            doors=list(self.asking.site.cameras),
        )

    async def _read(self, request: Request) -> RulesFound:
        return await self.asking.broker(request, ReadRules(), RulesFound)

    def _parsed(self, found: RulesFound) -> tuple[Rules, str]:
        return self._parse(found.text, found.path) if found.text else (NO_RULES, "")

    def _parse(self, text: str, path: str) -> tuple[Rules, str]:
        """Return the rules of a text, or why it holds none."""
        try:
            name = Path(Path(path).name or "rules.yaml")
            return rules_file.parse(text.encode(), name, doors=self.asking.site.cameras), ""
        except ConfigError as error:
            return NO_RULES, str(error)


def _plain_lines(text: object) -> str:
    """Return a text area's contents as a file has them: browsers send CR and LF."""
    written = text if isinstance(text, str) else ""
    return written.replace("\r\n", "\n").replace("\r", "\n")


def _local(zone: dt.tzinfo | None, found: RulesFound, asked: str) -> tuple[dt.datetime, str]:
    """Return the local time that is asked about, by default the broker's now; and what is wrong with it."""
    at_ns, problem = None, ""
    try:
        at_ns = moment_ns(asked, zone, of="At")
    except FormError as error:
        problem = str(error)
    at_s = (found.now_ns if at_ns is None else at_ns) / 1e9
    return dt.datetime.fromtimestamp(at_s, dt.UTC).astimezone(zone), problem


def _by_person(entering: Sequence[Entering], doors: int) -> list[tuple[str, Sequence[Entering]]]:
    """Return a row a person, with a cell for each door."""
    rows = [entering[at : at + doors] for at in range(0, len(entering), doors)] if doors else []
    return [(row[0].person, row) for row in rows]
