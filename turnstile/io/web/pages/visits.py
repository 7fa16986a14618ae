"""`/visits`: the log, searched; each visit with the sentence that explains it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from turnstile.io.web.admission import asker_of, may_see
from turnstile.io.web.link import NoAnswerError, RefusedWishError
from turnstile.io.web.pages.asking import SOON_S, Asking, visit_path, zone_of
from turnstile.io.web.pages.pictures import Thumbnails, as_jpeg
from turnstile.io.web.rendering import render
from turnstile.protocol.reasons import WORDS
from turnstile.requests.answers import ActEntry, ChainFound, VisitEntry, VisitsFound
from turnstile.requests.wishes import FindVisits, ReadChain
from turnstile.web.explanation import explain
from turnstile.web.forms import FormError
from turnstile.web.places import is_at_least
from turnstile.web.visits_query import CSV_PAGE, VisitsQuery
from turnstile.web.visits_table import header, rows

SIGNED_OUT = "signed out; the rest is missing\r\n"
"""Ends a table that is still being downloaded when its session ends."""


@dataclass(frozen=True)
class VisitsPages:
    """The pages that list visits."""

    asking: Asking
    thumbnails: Thumbnails

    def routes(self) -> list[Route]:
        """Return where they are."""
        return [
            Route("/visits", self.all, name="visits"),
            Route("/visits.csv", self.table),
            Route("/visits/{event}/picture", self.picture),
        ]

    async def all(self, request: Request) -> Response:
        """Show what was searched for, the newest first."""
        query = VisitsQuery.of(request.query_params)
        problem, found = "", None
        try:
            wish = query.wish(zone_of(request))
            found = await self.asking.logger(request, wish, VisitsFound, name=query.logger)
        except FormError as error:
            problem = str(error)
        for visit in found.visits if found else ():
            self.thumbnails.keep(visit.event, visit.picture, (visit.camera,))
        asker = asker_of(request)
        doors = [(camera, camera) for camera in self.asking.site.cameras if may_see(asker, camera)]
        return render(
            request,
            "visits.html",
            status_code=422 if problem else 200,
            query=query,
            problem=problem,
            nobody=found is not None and not found.visits,
            entries=_in_order(found) if found else [],
            next_page=_next_page(query, found),
            csv=query.address("/visits.csv", before=""),
            chain=await self._chain(request, query.logger),
            doors=doors,
            reasons=[(reason.value, words) for reason, words in WORDS.items()],
            loggers=[(name, name) for name in self.asking.site.loggers],
            explain=lambda visit: explain(visit, with_names=is_at_least(asker.role, "clerk")),
            visit_path=visit_path,
        )

    async def table(self, request: Request) -> Response:
        """Download what was searched for as CSV."""
        query = VisitsQuery.of(request.query_params)
        try:
            wish = query.wish(zone_of(request), at_most=CSV_PAGE, pictures=False)
        except FormError as error:
            raise HTTPException(422, str(error)) from error
        first = await self.asking.logger(request, wish, VisitsFound, name=query.logger)
        return StreamingResponse(
            self._lines(request, query, first),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="visits.csv"', "Cache-Control": "no-store"},
        )

    async def picture(self, request: Request) -> Response:
        """Show the face that decided a visit."""
        event = request.path_params["event"]
        kept = self.thumbnails.find(event)
        if kept is not None and all(may_see(asker_of(request), camera) for camera in kept.cameras):
            return as_jpeg(kept.jpeg)
        return as_jpeg((await self.asking.visit(request, event)).picture)

    async def _lines(self, request: Request, query: VisitsQuery, found: VisitsFound) -> AsyncIterator[str]:
        yield "\ufeff" + header()  # without it Excel reads no accents
        while True:
            yield rows(found.visits, zone_of(request))
            if not (found.more and found.visits):
                return
            if not request.state.is_signed_in():
                yield SIGNED_OUT
                return
            older = query._replace(before=str(found.visits[-1].number))
            wish: FindVisits = older.wish(zone_of(request), at_most=CSV_PAGE, pictures=False)
            found = await self.asking.logger(request, wish, VisitsFound, name=query.logger)

    async def _chain(self, request: Request, logger: str) -> ChainFound | None:
        try:
            return await self.asking.logger(request, ReadChain(), ChainFound, name=logger, within_s=SOON_S)
        except (NoAnswerError, RefusedWishError):
            return None


def _in_order(found: VisitsFound) -> list[VisitEntry | ActEntry]:
    """Return visits and the acts between them, the newest first."""
    return sorted([*found.visits, *found.acts], key=lambda one: one.number, reverse=True)


def _next_page(query: VisitsQuery, found: VisitsFound | None) -> str:
    if found is None or not found.more or not found.visits:
        return ""
    return query.address(before=str(found.visits[-1].number))
