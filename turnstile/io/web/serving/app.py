"""The pages as one Starlette application."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from turnstile.io.web.link import BusLink
from turnstile.site.settings import Site


def make_app(site: Site, link: BusLink) -> Starlette:
    """Return the application."""

    async def wall(_request: Request) -> Response:
        return PlainTextResponse(f"{site.site}: {len(site.cameras)} doors\n")

    app = Starlette(routes=[Route("/", wall, name="wall")])
    app.state.site, app.state.link = site, link
    return app
