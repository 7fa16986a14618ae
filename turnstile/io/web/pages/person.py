"""What can be done about a person: rename, block, set dates, remove a picture, erase."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from turnstile.io.web.admission import needs
from turnstile.io.web.link import RefusedWishError
from turnstile.io.web.pages.asking import (
    Asking,
    form_of,
    new_person_path,
    person_path,
    text_of,
    with_query,
)
from turnstile.io.web.pages.pictures import PendingPictures, Thumbnails
from turnstile.io.web.pages.walk import Walks
from turnstile.io.web.rendering import redirect, render
from turnstile.protocol.names import same_name
from turnstile.requests.answers import Done, PeopleFound, PersonEntry
from turnstile.requests.wishes import (
    BlockPerson,
    ErasePerson,
    ReadPeople,
    RemovePicture,
    RenamePerson,
    SetValidity,
    UndoAnchor,
)
from turnstile.web.forms import FormError, wish_of

LONG_S = 30.0
"""How long erasing may take: loggers rewrite their entries."""


@dataclass(frozen=True)
class PersonActions:
    """The forms of a person's page."""

    asking: Asking
    thumbnails: Thumbnails
    pending: PendingPictures
    walks: Walks

    def routes(self) -> list[Route]:
        """Return where they are."""
        clerk, admin = needs("clerk"), needs("admin")
        return [
            Route("/person/rename", clerk(self.rename), methods=["POST"]),
            Route("/person/undo-anchor", clerk(self.undo_anchor), methods=["POST"]),
            Route("/person/block", admin(self.block), methods=["POST"]),
            Route("/person/validity", admin(self.set_validity), methods=["POST"]),
            Route("/person/remove-picture", admin(self.remove_picture), methods=["POST"]),
            Route("/person/erase", admin(self.ask_to_erase), methods=["GET"]),
            Route("/person/erase", admin(self.erase), methods=["POST"]),
        ]

    async def rename(self, request: Request) -> Response:
        """Give a person another name; the undo gives the old one back."""
        person, to = await _field(request, "person"), await _field(request, "to")
        return await self.asking.do(
            request,
            lambda: wish_of(RenamePerson, person=person, to=to),
            back=person_path(person),
            then=new_person_path(to),
            undo=with_query("/person/rename", [("person", to), ("to", person)]),
        )

    async def undo_anchor(self, request: Request) -> Response:
        """Take back that a visit was not of a person."""
        person, event = await _field(request, "person"), await _field(request, "event")
        return await self.asking.do(
            request, lambda: wish_of(UndoAnchor, person=person, event=event), back=person_path(person)
        )

    async def block(self, request: Request) -> Response:
        """Let a person enter no door, or again; the undo does the opposite."""
        person, blocked = await _field(request, "person"), await _field(request, "blocked") == "1"
        opposite = [("person", person), ("blocked", "0" if blocked else "1")]
        return await self.asking.do(
            request,
            lambda: wish_of(BlockPerson, person=person, blocked=blocked),
            back=person_path(person),
            undo=with_query("/person/block", opposite),
        )

    async def set_validity(self, request: Request) -> Response:
        """Set on which days a person may enter; the undo sets those of before."""
        person = await _field(request, "person")
        days = {name: await _field(request, name) for name in ("from_day", "until_day")}
        before = await self._person(request, person)
        was = [("from_day", before.from_day), ("until_day", before.until_day)] if before else []
        return await self.asking.do(
            request,
            lambda: wish_of(SetValidity, person=person, **days),
            back=person_path(person),
            undo=with_query("/person/validity", [("person", person), *was]) if before else "",
        )

    async def remove_picture(self, request: Request) -> Response:
        """Take a picture away for ever."""
        person, file = await _field(request, "person"), await _field(request, "file")
        before = await self._person(request, person)
        is_last = before is not None and [one.file for one in before.pictures] == [file]
        return await self.asking.do(
            request,
            lambda: wish_of(RemovePicture, file=file),
            back=person_path(person),
            then="/people" if is_last else person_path(person),
        )

    async def ask_to_erase(self, request: Request) -> Response:
        """Show what erasing a person removes, and ask for the name."""
        return await self._erase_page(request, request.query_params.get("person", ""))

    async def erase(self, request: Request) -> Response:
        """Erase a person, if the name was typed."""
        person = await _field(request, "person")
        if not same_name(await _field(request, "typed"), person):
            problem = f"type the name as it stands here to erase it: {person}"
            return await self._erase_page(request, person, problem=problem)
        try:
            return await self.asking.do(
                request,
                lambda: wish_of(ErasePerson, person=person),
                back=person_path(person),
                then="/people",
                within_s=LONG_S,
            )
        finally:  # pages may have shown her meanwhile
            self.thumbnails.forget()
            self.pending.forget(person)
            self.walks.forget_person(person)

    async def _erase_page(self, request: Request, person: str, *, problem: str = "") -> Response:
        try:
            wish = wish_of(ErasePerson, person=person, dry_run=True)
            goes = await self.asking.broker(request, wish, Done, within_s=LONG_S)
        except (FormError, RefusedWishError) as error:
            return redirect(request, "/people", problem=str(error))
        return render(
            request,
            "erase.html",
            status_code=422 if problem else 200,
            person=person,
            goes=goes.words,
            problem=problem,
            back=person_path(person),
        )

    async def _person(self, request: Request, person: str) -> PersonEntry | None:
        found = await self.asking.broker(request, ReadPeople(), PeopleFound)
        return next((one for one in found.people if same_name(one.person, person)), None)


async def _field(request: Request, name: str) -> str:
    """Return a field of a form; an undo has it in its address."""
    return text_of(await form_of(request), name) or request.query_params.get(name, "")
