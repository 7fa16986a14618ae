"""The pages as one Starlette application."""

import logging
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from turnstile.io.web import assets
from turnstile.io.web.accounts import account, everybody, sign_in
from turnstile.io.web.accounts.sign_in import Accounts
from turnstile.io.web.admission import Admission, Sessions
from turnstile.io.web.failures import handlers
from turnstile.io.web.link import Asker, BusLink
from turnstile.io.web.live import health, pages
from turnstile.io.web.live.hub import LiveHub
from turnstile.io.web.pages.routes import record_pages
from turnstile.io.web.rendering import Notices
from turnstile.io.web.serving.doorway import BodyRules, DoorwayRules
from turnstile.io.web.serving.listener import Connections
from turnstile.io.web.zone import SiteZone
from turnstile.site.settings import Site
from turnstile.web.doorway import LOOPBACK_NAMES, Doorway
from turnstile.web.live.doors import make_live_doors

ON_THIS_MACHINE = Doorway("http", LOOPBACK_NAMES)

log = logging.getLogger("turnstile")


def make_app(
    site: Site,
    link: BusLink,
    sessions: Sessions,
    *,
    config: Path,
    accounts: Accounts | None = None,
    doorway: Doorway = ON_THIS_MACHINE,
    connections: Connections | None = None,
) -> Starlette:
    """Return the application.

    Args:
        site: whose pages these are.
        link: to the bus.
        sessions: who is signed in.
        config: the site's file, by which the supervisor of this machine is found.
        accounts: who may sign in; `None`: nobody.
        doorway: where browsers find the pages.
        connections: those that are open; `None`: they are not counted.
    """
    hub = LiveHub(doors=make_live_doors(site), link=link)
    record = record_pages(site, link)
    link.listeners += [hub.hear, record.listener]
    note = _only_say if accounts is None else accounts.record
    routes: list[BaseRoute] = [
        *assets.routes(),
        *pages.routes(hub, link, loggers=tuple(site.loggers)),
        *health.routes(hub, link, site=site, config=config, note=note),
        *record.routes,
    ]
    if accounts is not None:
        routes += [*sign_in.routes(accounts), *account.routes(accounts), *everybody.routes(accounts, doorway)]
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(DoorwayRules, doorway=doorway),
            Middleware(Admission, sessions=sessions),
            Middleware(BodyRules, connections=Connections() if connections is None else connections),
        ],
        exception_handlers=handlers(),
    )
    app.state.site, app.state.link, app.state.notices, app.state.zone = site, link, Notices(), SiteZone()
    return app


def _only_say(asker: Asker, words: str) -> None:
    log.warning("%s %s; it is not on record, since nobody may sign in", asker.name, words)
