"""The pages of a walk to a camera: choose a door, follow the guidance, choose what to keep."""

from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from turnstile.io.web.admission import asker_of, may_see, needs
from turnstile.io.web.pages.asking import Asking, form_of, text_of, with_query
from turnstile.io.web.pages.pictures import PendingPictures, as_jpeg
from turnstile.io.web.pages.upload import judged_path
from turnstile.io.web.pages.walk import Walk, Walks
from turnstile.io.web.rendering import redirect, render
from turnstile.requests.wishes import JudgePicture
from turnstile.web.forms import FormError, wish_of
from turnstile.web.poses import POSES

PATH = "/enrol/camera"


@dataclass(frozen=True)
class WalkingPages:
    """Guided enrolment at a door."""

    asking: Asking
    pending: PendingPictures
    walks: Walks

    def routes(self) -> list[Route]:
        """Return where they are."""
        clerk = needs("clerk")
        return [
            Route(PATH, clerk(self.choose), methods=["GET"]),
            Route(PATH, clerk(self.begin), methods=["POST"]),
            Route(f"{PATH}/{{walk}}", clerk(self.follow)),
            Route(f"{PATH}/{{walk}}/state", clerk(self.state)),
            Route(f"{PATH}/{{walk}}/picture", clerk(self.picture)),
            Route(f"{PATH}/{{walk}}/choose", clerk(self.offer), methods=["POST"]),
        ]

    async def choose(self, request: Request) -> Response:
        """Ask for a name and a door."""
        people = await self.asking.people(request)
        asker = asker_of(request)
        return render(
            request,
            "walk.html",
            person=request.query_params.get("person", ""),
            people=[one.person for one in people.people] if people else [],
            doors=[(camera, camera) for camera in self.asking.site.cameras if may_see(asker, camera)],
        )

    async def begin(self, request: Request) -> Response:
        """Begin to watch a door."""
        form = await form_of(request)
        person, door = text_of(form, "person"), text_of(form, "door")
        asker = asker_of(request)
        here = with_query(PATH, [("person", person)]) if person else PATH
        try:
            wish_of(JudgePicture, person=person, data=b"")
        except FormError as error:
            return redirect(request, here, problem=str(error))
        if door not in self.asking.site.cameras or not may_see(asker, door):
            return redirect(request, here, problem="choose a door")
        if self.walks.are_full:
            return redirect(request, here, problem="others are being enrolled at cameras now; wait a minute")
        walk = self.walks.begin(asker, person, door)
        return redirect(request, f"{PATH}/{walk.id}")

    async def follow(self, request: Request) -> Response:
        """Show the guidance; without script the page loads itself again every second."""
        return self._show(request, "walking.html")

    async def state(self, request: Request) -> Response:
        """Show the part of the page that changes."""
        return self._show(request, "walking_state.html")

    async def picture(self, request: Request) -> Response:
        """Show the latest frame that was judged."""
        return as_jpeg(self._walk(request).newest)

    async def offer(self, request: Request) -> Response:
        """Put the best frames among the pictures to decide upon, and show those."""
        walk = self._walk(request)
        if not walk.poses.offered:
            return redirect(request, PATH, problem="no usable picture was taken; try again")
        owner = asker_of(request).name
        tokens = [
            self.pending.add(
                owner=owner, person=walk.person, name=f"picture {at}", data=one.jpeg, judged=one.judged
            )
            for at, one in enumerate(walk.poses.offered, 1)
        ]
        self.walks.forget(walk.id)
        return redirect(request, judged_path(walk.person, tokens))

    def _show(self, request: Request, template: str) -> Response:
        walk = self._walk(request)
        taken = [pose for pose in POSES if pose in walk.poses.best]
        return render(request, template, walk=walk, taken=taken, poses=POSES, path=f"{PATH}/{walk.id}")

    def _walk(self, request: Request) -> Walk:
        found = self.walks.find(request.path_params["walk"], asker_of(request))
        if found is None:
            raise HTTPException(404, "this enrolment is over; begin it again")
        return found
