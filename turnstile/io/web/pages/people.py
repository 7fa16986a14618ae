"""`/people`: everybody enrolled, with their pictures and what the distances promise; one page a person."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from turnstile.io.web.admission import asker_of, may_see, needs
from turnstile.io.web.link import Asker, NoAnswerError, RefusedWishError
from turnstile.io.web.pages.asking import SOON_S, Asking, person_path, visit_path, with_query
from turnstile.io.web.pages.pictures import as_jpeg
from turnstile.io.web.rendering import render
from turnstile.protocol.names import name_key, same_name
from turnstile.requests.answers import (
    HelpfulFound,
    HelpfulVisit,
    PeopleFound,
    PersonEntry,
    PictureFound,
)
from turnstile.requests.wishes import FindHelpful, ReadPeople, ReadPicture
from turnstile.web.distances_plot import HEIGHT, WIDTH, plot_of
from turnstile.web.forms import FormError, wish_of

Helped = list[tuple[PersonEntry, list[HelpfulVisit]]]
"""People who have few pictures, and visits to take more from."""
SeenLast = Mapping[str, tuple[int, str, str]]
"""When, where and in which event people were seen, by the form in which names are compared."""

PATH = "/people"
READ_S = 10.0
"""How long the broker may take to read the pictures of somebody new."""
AGAIN_S = 0.25
HELPED, MAX_HELPED = 8, 1000
"""For how many people visits are shown that would help, and for how many they are looked for."""


@dataclass(frozen=True)
class PeoplePages:
    """The list of people, and the page of one."""

    asking: Asking

    def routes(self) -> list[Route]:
        """Return where they are; any name is an address below `PATH`."""
        clerk = needs("clerk")
        return [
            Route(PATH, clerk(self.all), name="people"),
            Route("/picture", clerk(self.picture)),
            Route(f"{PATH}/{{person:path}}", clerk(self.one), name="person"),
        ]

    async def all(self, request: Request) -> Response:
        """Show everybody."""
        found = await self.asking.broker(request, ReadPeople(), PeopleFound)
        wanted = request.query_params.get("name", "").strip()
        shown = [one for one in found.people if name_key(wanted) in name_key(one.person)]
        helpful, seen = await self._by_the_log(request, shown)
        return render(
            request,
            "people.html",
            people=shown,
            helpful=helpful[:HELPED],
            more_helpful=helpful[HELPED:],
            found=found,
            wanted=wanted,
            last_seen=seen,
            plot=plot_of(found),
            plot_width=WIDTH,
            plot_height=HEIGHT,
            doors_of=_doors_for(asker_of(request)),
            **_ADDRESSES,
        )

    async def one(self, request: Request) -> Response:
        """Show one person; somebody new is waited for, until their pictures are read."""
        wanted = request.path_params["person"]
        until_s = time.monotonic() + (READ_S if "new" in request.query_params else 0.0)
        while True:
            found = await self.asking.broker(request, ReadPeople(), PeopleFound)
            person = next((one for one in found.people if same_name(one.person, wanted)), None)
            if person is not None:
                break
            if time.monotonic() > until_s:
                raise HTTPException(404, "nobody enrolled has this name")
            await asyncio.sleep(AGAIN_S)
        helpful, seen = await self._by_the_log(request, [person])
        return render(
            request,
            "person.html",
            person=person,
            helpful=helpful,
            last_seen=seen.get(name_key(person.person)),
            others=[one.person for one in found.people if one is not person],
            doors_of=_doors_for(asker_of(request)),
            **_ADDRESSES,
        )

    async def _by_the_log(self, request: Request, people: Sequence[PersonEntry]) -> tuple[Helped, SeenLast]:
        """Return visits that would help some people, and when everybody was seen, as far as is known."""
        helpful, seen = await asyncio.gather(self._helpful(request, people), self.asking.last_seen(request))
        return helpful, {} if seen is None else {name_key(one): at for one, at in seen.people.items()}

    async def _helpful(self, request: Request, people: Sequence[PersonEntry]) -> Helped:
        """Return who has few pictures, and recent visits to enrol more from; nobody while it is not known."""
        few = [one for one in people if one.hint]
        if not few:
            return []
        wish = FindHelpful(
            people=tuple(one.person for one in few[:MAX_HELPED]),
            min_face_px=self.asking.site.recognition.min_enrol_face_px,
        )
        try:
            found = await self.asking.logger(request, wish, HelpfulFound, within_s=SOON_S)
        except (NoAnswerError, RefusedWishError, HTTPException):
            return []
        visits = [(one, _still_helpful(one, found.people.get(one.person, ()))) for one in few]
        return [(one, helpful) for one, helpful in visits if helpful]

    async def picture(self, request: Request) -> Response:
        """Show an enrolment picture."""
        try:
            wish = wish_of(ReadPicture, file=request.query_params.get("file", ""))
        except FormError as error:
            raise HTTPException(404, "no picture has such a name") from error
        return as_jpeg((await self.asking.broker(request, wish, PictureFound)).jpeg)


def _still_helpful(person: PersonEntry, visits: Sequence[HelpfulVisit]) -> list[HelpfulVisit]:
    """Return the visits that were not enrolled yet, and of which nobody said that they were not of them."""
    digests = {picture.digest for picture in person.pictures}
    return [one for one in visits if one.digest not in digests and one.event not in person.anchors]


def picture_path(file: str) -> str:
    """Return the address of an enrolment picture."""
    return with_query("/picture", [("file", file)])


def _first_picture(person: PersonEntry) -> str:
    """Return the address of the picture that stands for a person; empty if they have none."""
    for state in _SHOWN_FIRST:
        for picture in person.pictures:
            if picture.state == state:
                return picture_path(picture.file)
    return ""


def _doors_for(asker: Asker) -> Callable[[PersonEntry], list[str]]:
    """Return what tells at which of an account's doors a person may enter."""
    return lambda person: [door for door in person.doors if may_see(asker, door)]


_SHOWN_FIRST = ("used", "weak", "waiting", "not used")
_ADDRESSES: dict[str, Any] = {
    "person_path": person_path,
    "picture_path": picture_path,
    "first_picture": _first_picture,
    "visit_path": visit_path,
    "with_query": with_query,
    "name_key": name_key,
}
"""What templates make addresses with."""
