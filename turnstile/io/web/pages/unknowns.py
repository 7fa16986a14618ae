"""`/unknown`: people seen and not known, to be named, ignored or discarded; several at once."""

from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from turnstile.io.web.admission import asker_of, may_see, needs
from turnstile.io.web.pages.asking import (
    JUDGE_S,
    Asking,
    form_of,
    new_person_path,
    text_of,
    texts_of,
    visit_path,
    with_query,
)
from turnstile.io.web.pages.pictures import SeenPicture, Thumbnails, as_jpeg
from turnstile.io.web.rendering import redirect, render
from turnstile.requests.answers import UnknownsFound
from turnstile.requests.wishes import DiscardUnknowns, IgnoreUnknowns, NameUnknowns, ReadUnknowns
from turnstile.web.forms import wish_of

PATH = "/unknown"
_NOBODY = "choose somebody first: tick one or more of the pictures"


@dataclass(frozen=True)
class UnknownsPages:
    """The tiles, and what can be done with them."""

    asking: Asking
    thumbnails: Thumbnails

    def routes(self) -> list[Route]:
        """Return where they are."""
        clerk = needs("clerk")
        return [
            Route(PATH, clerk(self.all), name="unknown"),
            Route(f"{PATH}/picture", clerk(self.picture)),
            Route(f"{PATH}/name", clerk(self.name), methods=["POST"]),
            Route(f"{PATH}/ignore", clerk(self.ignore), methods=["POST"]),
            Route(f"{PATH}/discard", clerk(self.discard), methods=["POST"]),
        ]

    async def all(self, request: Request) -> Response:
        """Show one tile a person."""
        ignored = bool(request.query_params.get("ignored"))
        found = await self._read(request, ignored=ignored)
        people = await self.asking.people(request)
        return render(
            request,
            "unknown.html",
            found=found,
            shows_ignored=ignored,
            people=[one.person for one in people.people] if people else [],
            picture=lambda one: with_query(f"{PATH}/picture", [("id", one.id)]),
            visit_path=visit_path,
        )

    async def picture(self, request: Request) -> Response:
        """Show somebody's best picture."""
        wanted = request.query_params.get("id", "")
        kept = self._kept(request, wanted)
        if kept is None:
            await self._read(request, ignored=True)
            kept = self._kept(request, wanted)
        if kept is None:
            raise HTTPException(404, "this picture is not kept")
        return as_jpeg(kept.jpeg)

    async def name(self, request: Request) -> Response:
        """Enrol those chosen as one person."""
        form = await form_of(request)
        chosen, person = texts_of(form, "unknowns"), text_of(form, "person")
        if not chosen:
            return redirect(request, PATH, problem=_NOBODY)

        def wish() -> NameUnknowns:
            anyway = bool(text_of(form, "anyway"))
            return wish_of(NameUnknowns, unknowns=chosen, person=person, anyway=anyway)

        then = new_person_path(person)
        return await self.asking.do(request, wish, back=PATH, then=then, within_s=JUDGE_S)

    async def ignore(self, request: Request) -> Response:
        """Show those chosen no more, or again."""
        form = await form_of(request)
        chosen = texts_of(form, "unknowns") or tuple(request.query_params.getlist("unknowns"))
        if not chosen:
            return redirect(request, PATH, problem=_NOBODY)
        takes_back = bool(request.query_params.get("undo"))
        again = with_query(
            f"{PATH}/ignore", [*(("unknowns", one) for one in chosen[:_MAX_UNDO]), ("undo", "1")]
        )
        return await self.asking.do(
            request,
            lambda: wish_of(IgnoreUnknowns, unknowns=chosen, undo=takes_back),
            back=PATH,
            undo="" if takes_back or len(chosen) > _MAX_UNDO else again,
        )

    async def discard(self, request: Request) -> Response:
        """Delete what is kept of those chosen; asked once more, as nothing brings it back."""
        form = await form_of(request)
        chosen = texts_of(form, "unknowns")
        if not chosen:
            return redirect(request, PATH, problem=_NOBODY)
        if not text_of(form, "sure"):
            found = await self._read(request, ignored=True)
            shown = [one for one in found.unknowns if one.id in chosen]
            return render(request, "discard.html", chosen=shown, ids=chosen, back=PATH)
        self.thumbnails.forget()
        return await self.asking.do(request, lambda: wish_of(DiscardUnknowns, unknowns=chosen), back=PATH)

    def _kept(self, request: Request, wanted: str) -> SeenPicture | None:
        """Return a picture from memory, unless it may have been taken at a door that is not the account's."""
        kept, asker = self.thumbnails.find(_name(wanted)), asker_of(request)
        return kept if kept and all(may_see(asker, camera) for camera in kept.cameras) else None

    async def _read(self, request: Request, *, ignored: bool) -> UnknownsFound:
        found = await self.asking.broker(request, ReadUnknowns(ignored=ignored), UnknownsFound)
        for one in found.unknowns:
            self.thumbnails.keep(_name(one.id), one.picture, one.cameras)
        return found


def _name(id_: str) -> str:
    """Return the name of a picture among those that pages have shown."""
    return f"unknown {id_}"


_MAX_UNDO = 50
"""People whose ignoring can be taken back by one press: their names stand in an address."""
