"""The pages as one Starlette application."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from turnstile.io.web import assets
from turnstile.io.web.admission import Admission, Sessions
from turnstile.io.web.failures import handlers
from turnstile.io.web.link import BusLink
from turnstile.io.web.rendering import Notices, render
from turnstile.site.settings import Site


def make_app(site: Site, link: BusLink, sessions: Sessions) -> Starlette:
    """Return the application.

    Args:
        site: whose pages these are.
        link: to the bus.
        sessions: who is signed in.
    """

    async def wall(request: Request) -> Response:
        return render(request, "wall.html", cameras=list(site.cameras))

    routes: list[BaseRoute] = [*assets.routes(), Route("/", wall, name="wall")]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Admission, sessions=sessions)],
        exception_handlers=handlers(),
    )
    app.state.site, app.state.link, app.state.notices = site, link, Notices()
    return app
