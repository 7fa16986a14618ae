"""The pages as one Starlette application."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from turnstile.io.web import assets
from turnstile.io.web.admission import Admission, Sessions
from turnstile.io.web.failures import handlers
from turnstile.io.web.link import BusLink
from turnstile.io.web.live import health, pages
from turnstile.io.web.live.hub import LiveHub
from turnstile.io.web.pages.routes import record_pages
from turnstile.io.web.rendering import Notices
from turnstile.site.settings import Site
from turnstile.web.live.doors import make_live_doors


def make_app(site: Site, link: BusLink, sessions: Sessions, *, config: Path) -> Starlette:
    """Return the application.

    Args:
        site: whose pages these are.
        link: to the bus.
        sessions: who is signed in.
        config: the site's file, by which the supervisor of this machine is found.
    """
    hub = LiveHub(doors=make_live_doors(site), contact=lambda: link.broker)
    record = record_pages(site, link)
    link.listeners += [hub.hear, record.listener]
    routes: list[BaseRoute] = [
        *assets.routes(),
        *pages.routes(hub, link, loggers=tuple(site.loggers)),
        *health.routes(hub, link, site=site, config=config),
        *record.routes,
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Admission, sessions=sessions)],
        exception_handlers=handlers(),
    )
    app.state.site, app.state.link, app.state.notices = site, link, Notices()
    return app
