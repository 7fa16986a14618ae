"""`/enrol`: pictures from files or a phone's camera, judged before any of them is kept."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from turnstile.counts import counted
from turnstile.errors import PictureError
from turnstile.io.web.admission import asker_of, needs
from turnstile.io.web.link import RefusedWishError
from turnstile.io.web.pages.asking import (
    JUDGE_S,
    Asking,
    form_of,
    new_person_path,
    text_of,
    texts_of,
    undo_path,
    with_query,
)
from turnstile.io.web.pages.pictures import PendingPicture, PendingPictures, media_type_of, picture_response
from turnstile.io.web.rendering import redirect, render
from turnstile.requests.answers import Done, PictureJudged
from turnstile.requests.wishes import MAX_PICTURE_BYTES, EnrolPicture, JudgePicture, UndoEnrolment
from turnstile.vision.shrinking import shrunk_jpeg
from turnstile.web.forms import FormError, wish_of

PATH = "/enrol"
MAX_FILES = 10
MAX_FILE_BYTES = 20 * 2**20
SHRUNK_PX = 2400
"""Long side of a picture that is larger than may be sent, or of a kind that browsers do not show."""
MAX_UPLOAD_BYTES = 64 * 2**20
"""Of all files of one upload."""


@dataclass(frozen=True)
class UploadPages:
    """Choose files, see what is said of them, keep them."""

    asking: Asking
    pending: PendingPictures

    def routes(self) -> list[Route]:
        """Return where they are."""
        clerk = needs("clerk")
        return [
            Route(PATH, clerk(self.choose), methods=["GET"], name="enrol"),
            Route(PATH, clerk(self.judge), methods=["POST"]),
            Route(f"{PATH}/judged", clerk(self.judged)),
            Route(f"{PATH}/picture", clerk(self.picture)),
            Route(f"{PATH}/keep", clerk(self.keep), methods=["POST"]),
            Route(f"{PATH}/drop", clerk(self.drop), methods=["POST"]),
            Route(f"{PATH}/undo", clerk(self.undo), methods=["POST"]),
        ]

    async def choose(self, request: Request) -> Response:
        """Ask for a name and for files."""
        people = await self.asking.people(request)
        return render(
            request,
            "enrol.html",
            person=request.query_params.get("person", ""),
            people=[one.person for one in people.people] if people else [],
            max_files=MAX_FILES,
        )

    async def judge(self, request: Request) -> Response:
        """Have each file judged, and show what was said."""
        _refuse_large(request)
        person, problem = "", ""
        files: list[tuple[str, bytes]] = []
        async with request.form(max_files=MAX_FILES, max_fields=20) as form:
            try:
                person = text_of(form, "person")
                wish_of(EnrolPicture, person=person, data=b"")
                files = await _files_of(form)
            except FormError as error:
                problem = str(error)
        if problem:
            here = with_query(PATH, [("person", person)]) if person else PATH
            return redirect(request, here, problem=problem)
        tokens = await asyncio.gather(*(self._judge(request, person, *file) for file in files))
        return redirect(request, judged_path(person, tokens))

    async def judged(self, request: Request) -> Response:
        """Show what was said of each file."""
        return show_judged(request, self.pending)

    async def picture(self, request: Request) -> Response:
        """Show a picture that is not kept yet."""
        found = self.pending.find(request.query_params.get("token", ""), asker_of(request).name)
        if found is None or not found.media_type:
            raise HTTPException(404, "this picture is not here any more")
        return picture_response(found.data, found.media_type)

    async def keep(self, request: Request) -> Response:
        """Enrol the pictures chosen; a second press waits for the first and is told the same."""
        form = await form_of(request)
        tokens, anyway = texts_of(form, "picture"), bool(text_of(form, "anyway"))
        others = [one for one in texts_of(form, "shown") if one not in tokens]
        owner = asker_of(request).name
        async with self.pending.deciding:
            chosen = [(token, found) for token in tokens if (found := self.pending.find(token, owner))]
            if not chosen:
                return redirect(
                    request, PATH, problem="choose a picture to keep; they are held for 15 minutes"
                )
            problems, done = [], list[Done]()
            for token, found in chosen:
                try:
                    done.append(found.kept or await self._enrol(request, found, anyway=anyway))
                    self.pending.note_kept(token, done[-1])
                except RefusedWishError as error:
                    problems.append(f"{found.name}: {error}")
        return self._after(request, chosen[0][1].person, problems, done, others)

    async def undo(self, request: Request) -> Response:
        """Take back what was enrolled a moment ago."""
        done, problems = [], []
        for token in request.query_params.getlist("undo")[:MAX_FILES]:
            try:
                wish = wish_of(UndoEnrolment, undo=token)
                done.append((await self.asking.broker(request, wish, Done)).words)
            except (FormError, RefusedWishError) as error:
                problems.append(str(error))
        return redirect(request, "/people", done="; ".join(done), problem="; ".join(problems))

    async def _enrol(self, request: Request, found: PendingPicture, *, anyway: bool) -> Done:
        wish = wish_of(EnrolPicture, person=found.person, data=found.data, anyway=anyway)
        return await self.asking.broker(request, wish, Done, within_s=JUDGE_S)

    async def drop(self, request: Request) -> Response:
        """Keep none of the pictures shown."""
        form = await form_of(request)
        owner = asker_of(request).name
        tokens = [token for token in texts_of(form, "shown") if self.pending.find(token, owner)]
        for token in tokens:
            self.pending.remove(token)
        return redirect(request, "/people", done=f"{counted(len(tokens), 'picture')} not kept.")

    def _after(
        self, request: Request, person: str, problems: list[str], done: list[Done], others: list[str]
    ) -> Response:
        """Go to what is left to decide about, or to the person."""
        owner = asker_of(request).name
        left = [
            token for token in others if (one := self.pending.find(token, owner)) and one.judged.may_anyway
        ]
        then = judged_path(person, left) if left else new_person_path(person) if done else PATH
        undo = undo_path([one.undo for one in done if one.undo])
        words = " ".join(one.words for one in done)
        return redirect(request, then, done=words, problem=" ".join(problems), undo=undo)

    async def _judge(self, request: Request, person: str, name: str, data: bytes) -> str:
        """Have a picture judged, keep it for a while, and return its token."""
        try:
            data = await _as_it_can_be_sent(data)
            wish = wish_of(JudgePicture, person=person, data=data)
            judged = await self.asking.broker(request, wish, PictureJudged, within_s=JUDGE_S)
        except PictureError as error:
            data, judged = b"", PictureJudged(problem=str(error))
        except RefusedWishError as error:
            if error.refusal.forbidden:
                raise
            judged = PictureJudged(problem=str(error), may_anyway=error.refusal.may_anyway)
        owner = asker_of(request).name
        return self.pending.add(owner=owner, person=person, name=name, data=data, judged=judged)


async def _as_it_can_be_sent(data: bytes) -> bytes:
    """Return a picture as it is if it is small and of a kind that browsers show, else as a smaller JPEG.

    Raises:
        PictureError: it is no picture.
    """
    if len(data) <= MAX_PICTURE_BYTES and media_type_of(data):
        return data
    return await run_in_threadpool(shrunk_jpeg, data, long_side_px=SHRUNK_PX)


def show_judged(request: Request, pending: PendingPictures) -> Response:
    """Return the page on which somebody decides about pictures that were judged."""
    owner = asker_of(request).name
    tokens = request.query_params.getlist("picture")[: 2 * MAX_FILES]
    found = [(token, one) for token in tokens if (one := pending.find(token, owner)) and not one.kept]
    if not found:
        return redirect(request, PATH, problem="these pictures are not here any more; choose them again")
    return render(
        request,
        "judged.html",
        person=found[0][1].person,
        good=[(token, one) for token, one in found if not one.is_refused],
        refused=[(token, one) for token, one in found if one.is_refused],
        shown=[token for token, _ in found],
        picture=lambda token: with_query(f"{PATH}/picture", [("token", token)]),
        who_else=_who_else,
    )


def judged_path(person: str, tokens: Sequence[str]) -> str:
    """Return the address of the page that shows what was said of pictures."""
    return with_query(f"{PATH}/judged", [("person", person), *(("picture", token) for token in tokens)])


def _who_else(picture: PendingPicture) -> str:
    """Return whom a picture looks like, if that is somebody else."""
    judged = picture.judged
    if judged.closest is None or judged.closest_distance is None:
        return ""
    return f"The nearest other person is {judged.closest}, at {judged.closest_distance:.2f}."


def _refuse_large(request: Request) -> None:
    """Refuse an upload by its header, before any of it is read."""
    length = request.headers.get("content-length", "")
    if not length.isdigit():
        raise HTTPException(411, "an upload must say how large it is")
    if int(length) > MAX_UPLOAD_BYTES:
        raise HTTPException(413, f"at most {MAX_UPLOAD_BYTES // 2**20} MB at once; choose fewer pictures")


async def _files_of(form: FormData) -> list[tuple[str, bytes]]:
    """Return the name and data of each file.

    Raises:
        FormError: there is none, or one is too large.
    """
    found = []
    for one in form.getlist("files"):
        if isinstance(one, UploadFile) and one.filename:
            if one.size is not None and one.size > MAX_FILE_BYTES:
                raise FormError(f"{one.filename[:80]} is larger than {MAX_FILE_BYTES // 2**20} MB")
            found.append((one.filename[:80], await one.read()))
    if not found:
        raise FormError("choose a picture first")
    return found
