"""All pages about visits, people and rules, for the application to join."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from starlette.routing import Route

from turnstile.io.bus.nodes import Heard
from turnstile.io.web.link import BusLink
from turnstile.io.web.pages.asking import Asking
from turnstile.io.web.pages.people import PeoplePages
from turnstile.io.web.pages.person import PersonActions
from turnstile.io.web.pages.pictures import PendingPictures, Thumbnails
from turnstile.io.web.pages.rules import RulesPages
from turnstile.io.web.pages.unknowns import UnknownsPages
from turnstile.io.web.pages.upload import UploadPages
from turnstile.io.web.pages.visit import VisitPages
from turnstile.io.web.pages.visits import VisitsPages
from turnstile.io.web.pages.walk import Walks
from turnstile.io.web.pages.walking import WalkingPages
from turnstile.site.settings import Site


class RecordPages(NamedTuple):
    """The routes, and what listens to the cameras for guided enrolment."""

    routes: list[Route]
    listener: Callable[[Sequence[Heard]], None]


def record_pages(site: Site, link: BusLink) -> RecordPages:
    """Return the pages of a site."""
    asking, thumbnails, pending, walks = Asking(site, link), Thumbnails(), PendingPictures(), Walks(link)
    pages = (
        VisitsPages(asking, thumbnails),
        VisitPages(asking, thumbnails),
        UnknownsPages(asking, thumbnails),
        WalkingPages(asking, pending, walks),
        UploadPages(asking, pending),
        PersonActions(asking, thumbnails, pending, walks),
        PeoplePages(asking),
        RulesPages(asking),
    )
    return RecordPages([route for one in pages for route in one.routes()], walks.take)
