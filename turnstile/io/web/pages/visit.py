"""`/visits/EVENT`: one visit; enrol its picture, say that it was not them, try other settings."""

from dataclasses import dataclass
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from turnstile.access.replay import AnyRecord, RecordedResult
from turnstile.errors import ConfigError
from turnstile.io.access import recording
from turnstile.io.web.admission import asker_of, needs
from turnstile.io.web.pages.asking import (
    JUDGE_S,
    Asking,
    form_of,
    new_person_path,
    text_of,
    visit_path,
    with_query,
)
from turnstile.io.web.pages.pictures import Thumbnails
from turnstile.io.web.rendering import render
from turnstile.requests.answers import PeopleFound, VisitEntry
from turnstile.requests.wishes import AddAnchor, EnrolPicture, UndoAnchor
from turnstile.web.explanation import explain
from turnstile.web.forms import FormError, wish_of
from turnstile.web.other_limits import needed_limit, other_limits
from turnstile.web.places import is_at_least
from turnstile.web.trial import NEAR_NS, TrialSettings, Tried, settings_to_try, try_again


@dataclass(frozen=True)
class VisitPages:
    """The page of one visit, and what can be done from there."""

    asking: Asking
    thumbnails: Thumbnails

    def routes(self) -> list[Route]:
        """Return where they are."""
        clerk = needs("clerk")
        return [
            Route("/visits/{event}", self.one, name="visit"),
            Route("/visits/{event}/enrol", clerk(self.enrol), methods=["POST"]),
            Route("/visits/{event}/not-them", clerk(self.not_them), methods=["POST"]),
            Route("/visits/{event}/not-them/undo", clerk(self.not_them_undo), methods=["POST"]),
        ]

    async def one(self, request: Request) -> Response:
        """Show a visit."""
        visit = await self.asking.visit(request, request.path_params["event"])
        self.thumbnails.keep(visit.event, visit.picture, (visit.camera,))
        is_clerk = is_at_least(asker_of(request).role, "clerk")
        people = await self.asking.people(request) if is_clerk else None
        decision = self.asking.site.decision
        trial = TrialSettings.of(request.query_params)
        tried, problem = await self._try(trial, visit) if is_clerk else (None, "")
        return render(
            request,
            "visit.html",
            visit=visit,
            sentence=explain(visit, with_names=is_clerk),
            path=visit_path(visit.event),
            people=[one.person for one in people.people] if people else [],
            not_of=_not_of(people, visit),
            limits=other_limits(visit, min_margin=decision.min_margin),
            needed=needed_limit(visit, min_margin=decision.min_margin),
            trial=trial,
            tried=tried,
            trial_problem=problem,
            decision=decision,
            recorded=self._recording() is not None,
        )

    async def enrol(self, request: Request) -> Response:
        """Keep the visit's picture for a person."""
        event = request.path_params["event"]
        visit = await self.asking.visit(request, event)
        form = await form_of(request)

        def wish() -> EnrolPicture:
            return wish_of(
                EnrolPicture,
                person=text_of(form, "person"),
                data=_picture_of(visit),
                visit={"event": event, "person": visit.person},
                anyway=bool(text_of(form, "anyway")),
            )

        person = text_of(form, "person")
        then = new_person_path(person) if text_of(form, "then") == "person" else ""
        return await self.asking.do(request, wish, back=visit_path(event), then=then, within_s=JUDGE_S)

    async def not_them(self, request: Request) -> Response:
        """Say that the visit was not of the person who was recognised."""
        event = request.path_params["event"]
        visit = await self.asking.visit(request, event)
        person = visit.person or ""

        def wish() -> AddAnchor:
            return wish_of(AddAnchor, person=person, event=event, picture=_picture_of(visit))

        undo = with_query(f"{visit_path(event)}/not-them/undo", [("person", person)])
        return await self.asking.do(request, wish, back=visit_path(event), undo=undo, within_s=JUDGE_S)

    async def not_them_undo(self, request: Request) -> Response:
        """Take that back."""
        event = request.path_params["event"]
        person = request.query_params.get("person", "")
        return await self.asking.do(
            request, lambda: wish_of(UndoAnchor, person=person, event=event), back=visit_path(event)
        )

    async def _try(self, trial: TrialSettings, visit: VisitEntry) -> tuple[Tried | None, str]:
        """Return what a visit would have been with other settings, or why nobody can tell."""
        path = self._recording()
        if path is None or not trial.is_filled:
            return None, ""
        try:
            settings = settings_to_try(trial, self.asking.site.decision)
            records = await run_in_threadpool(_read_near, path, visit)
            return try_again(records, visit, settings, encoding=self.asking.site.recognition.encoding), ""
        except (FormError, ConfigError) as error:
            return None, str(error)

    def _recording(self) -> Path | None:
        """Return the recording of results, if it is on this machine."""
        path = self.asking.site.decision.record
        return Path(path) if path and Path(path).is_file() else None


def _read_near(path: Path, visit: VisitEntry) -> list[AnyRecord]:
    """Return what is recorded of the visit's door around it."""
    return [
        record
        for record in recording.read(path)
        if abs(record.at_ns - visit.decided_ns) <= NEAR_NS and _camera_of(record) == visit.camera
    ]


def _camera_of(record: AnyRecord) -> str:
    return record.result.camera if isinstance(record, RecordedResult) else record.access.camera


def _picture_of(visit: VisitEntry) -> bytes:
    if not visit.picture:
        raise FormError("this visit has no picture any more")
    return visit.picture


def _not_of(people: PeopleFound | None, visit: VisitEntry) -> list[str]:
    """Return the people of whom somebody said that this visit was not of them."""
    return [one.person for one in people.people if visit.event in one.anchors] if people else []
