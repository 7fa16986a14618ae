"""What pages share: to ask the broker or a logger, and to say on the next page what came of it."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote, urlencode

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from turnstile.io.web.admission import asker_of
from turnstile.io.web.link import ANSWER_S, BusLink, NoAnswerError, RefusedWishError
from turnstile.io.web.rendering import redirect, render
from turnstile.io.web.zone import SiteZone
from turnstile.protocol.requests import BROKER
from turnstile.requests.answers import AnyAnswer, Done, LastSeenFound, PeopleFound, VisitEntry, VisitsFound
from turnstile.requests.wishes import AnyWish, FindLastSeen, FindVisits, ReadPeople
from turnstile.site.settings import Site
from turnstile.web.forms import FormError, wish_of

JUDGE_S = 30.0
"""How long a picture may wait for a recognizer and be looked at."""
SOON_S = 3.0
"""How long a page waits for what it can be without."""

MAX_FIELDS = 1200
"""Of a form: as many as people may be chosen at once, and a few."""

_A = TypeVar("_A", bound=AnyAnswer)


@dataclass(frozen=True)
class Asking:
    """Asks in the name of whoever is signed in."""

    site: Site
    link: BusLink

    async def broker(
        self, request: Request, wish: AnyWish, kind: type[_A], *, within_s: float = ANSWER_S
    ) -> _A:
        """Return the broker's answer.

        Raises:
            RefusedWishError: it was refused.
            NoAnswerError: none came in time, or one of another kind.
        """
        return await self._ask(request, wish, kind, to=BROKER, within_s=within_s)

    async def logger(
        self, request: Request, wish: AnyWish, kind: type[_A], *, name: str = "", within_s: float = ANSWER_S
    ) -> _A:
        """Return the answer of a logger, by default of the site's first.

        Raises:
            RefusedWishError: it was refused.
            NoAnswerError: none came in time, or one of another kind.
            HTTPException: the site has no such logger.
        """
        known = list(self.site.loggers)
        if not known or (name and name not in known):
            raise HTTPException(404, f"the site has no logger {name!r}" if name else "the site has no logger")
        return await self._ask(request, wish, kind, to=name or known[0], within_s=within_s)

    async def visit(self, request: Request, event: str) -> VisitEntry:
        """Return one visit.

        Raises:
            HTTPException: there is none, or the account may not see its door.
        """
        try:
            wish = wish_of(FindVisits, event=event, at_most=1)
        except FormError as error:
            raise HTTPException(404, "no visit has such a name") from error
        found = await self.logger(request, wish, VisitsFound)
        if not found.visits:
            raise HTTPException(404, "this visit is not in the log, or not of a door of this account")
        return found.visits[0]

    async def people(self, request: Request) -> PeopleFound | None:
        """Return everybody enrolled, for pages that can be without; `None`: it is not known now."""
        try:
            return await self.broker(request, ReadPeople(), PeopleFound, within_s=SOON_S)
        except (NoAnswerError, RefusedWishError):
            return None

    async def last_seen(self, request: Request) -> LastSeenFound | None:
        """Return when people were granted entry last; `None`: it is not known now."""
        try:
            return await self.logger(request, FindLastSeen(), LastSeenFound, within_s=SOON_S)
        except (NoAnswerError, RefusedWishError, HTTPException):
            return None

    async def do(
        self,
        request: Request,
        make_wish: Callable[[], AnyWish],
        *,
        back: str,
        then: str = "",
        undo: str = "",
        within_s: float = ANSWER_S,
    ) -> Response:
        """Have the broker do what a form wants, and go back to a page that says so.

        Args:
            request: the POST.
            make_wish: from the form's fields; what it raises as `FormError` is said.
            back: the page to go back to.
            then: the page to go to when it is done, if that is another one.
            undo: the path whose POST takes it back, where the answer has none.
            within_s: how long to wait.
        """
        try:
            answer = await self.broker(request, make_wish(), Done, within_s=within_s)
        except FormError as error:
            return redirect(request, back, problem=str(error))
        except RefusedWishError as error:
            if error.refusal.may_anyway:
                return await _ask_again(request, error, back)
            return redirect(request, back, problem=str(error))
        undo = undo or undo_path([answer.undo] if answer.undo else [])
        return redirect(request, then or back, done=answer.words, undo=undo)

    async def _ask(self, request: Request, wish: AnyWish, kind: type[_A], *, to: str, within_s: float) -> _A:
        answer = await self.link.ask(wish, asker_of(request), to=to, within_s=within_s)
        if not isinstance(answer, kind):
            raise NoAnswerError(f"{to} answered with something else: {type(answer).__name__}")
        return answer


async def _ask_again(request: Request, error: RefusedWishError, back: str) -> Response:
    """Return a page that says why something was refused, with a button that does it anyway."""
    sent = await form_of(request)
    fields = [
        (name, value) for name, value in sent.multi_items() if isinstance(value, str) and name != "anyway"
    ]
    action = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return render(
        request, "anyway.html", status_code=409, problem=str(error), fields=fields, action=action, back=back
    )


async def form_of(request: Request) -> FormData:
    """Return the fields of a form without files."""
    return await request.form(max_files=0, max_fields=MAX_FIELDS)


def text_of(form: FormData, name: str) -> str:
    """Return what was typed into a field; empty if it is not there."""
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def texts_of(form: FormData, name: str) -> tuple[str, ...]:
    """Return what all fields of a name hold."""
    return tuple(value for value in form.getlist(name) if isinstance(value, str) and value)


def person_path(person: str) -> str:
    """Return the address of a person's page."""
    return f"/people/{quote(person, safe='')}"


def new_person_path(person: str) -> str:
    """Return the address of the page of somebody who was enrolled this moment."""
    return f"{person_path(person)}?new=1"


def undo_path(undo: Sequence[str]) -> str:
    """Return the address whose POST takes enrolments back; empty if there is nothing to take back."""
    return with_query("/enrol/undo", [("undo", one) for one in undo]) if undo else ""


def visit_path(event: str) -> str:
    """Return the address of a visit's page."""
    return f"/visits/{quote(event, safe=':')}"


def with_query(path: str, fields: Sequence[tuple[str, str]]) -> str:
    """Return an address with fields."""
    return f"{path}?{urlencode(fields)}"


def zone_of(request: Request) -> dt.tzinfo | None:
    """Return the zone that pages show times in; `None`: this machine's."""
    zone: SiteZone = request.app.state.zone
    return zone.tz
