"""Makes pages from templates and values.

Everything that is put into a template is escaped. After a form, `redirect` leads to the page that says what
was done.
"""

import datetime as dt
from collections import OrderedDict
from typing import Literal, NamedTuple

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from turnstile.io.web import assets
from turnstile.io.web.admission import wants_a_page
from turnstile.io.web.link import Asker
from turnstile.protocol.requests import AccountRole
from turnstile.web.places import is_at_least, is_within, places_for

MAX_NOTICES = 1000
"""Sessions whose notices are kept."""
NOTICES_EACH = 5

NoticeKind = Literal["done", "problem"]


class PageNotice(NamedTuple):
    """A sentence that the next page of a session opens with."""

    kind: NoticeKind
    words: str
    undo: str = ""
    """Where a POST takes it back; empty: nowhere."""


class Notices:
    """Notices that wait for the next page of their session; the oldest are dropped."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, list[PageNotice]] = OrderedDict()

    def add(self, session: str, notice: PageNotice) -> None:
        """Keep a notice until the session's next page."""
        self._waiting[session] = [*self._waiting.get(session, []), notice][-NOTICES_EACH:]
        while len(self._waiting) > MAX_NOTICES:
            self._waiting.popitem(last=False)

    def take(self, session: str) -> list[PageNotice]:
        """Return those of a session, and keep them no longer."""
        return self._waiting.pop(session, [])


def _when(context: jinja2.runtime.Context, at_ns: int, form: str = "%a %d %b %Y, %H:%M:%S") -> str:
    at = dt.datetime.fromtimestamp(at_ns / 1e9, dt.UTC)
    return at.astimezone(context["zone"].tz).strftime(form)


def _templates() -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("turnstile.io.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals["static"] = assets.address
    found.globals["is_at_least"] = is_at_least
    found.filters["when"] = jinja2.pass_context(_when)
    return found


_environment = _templates()


def render(request: Request, template: str, *, status_code: int = 200, **values: object) -> Response:
    """Return a page.

    Templates have besides: `request`, `asker` (`None` before sign-in), `site` (its name), `places` (of the
    navigation), `here` (the place of this page, or `None`), `notices`, `may(role)`, `may_everywhere(role)`,
    `zone` (a `SiteZone`) and the filter `when`, which shows nanoseconds in that zone.

    Args:
        request: what is answered.
        template: its file below `templates`.
        status_code: as HTTP has it.
        values: for the template.
    """
    asker: Asker | None = getattr(request.state, "asker", None)
    session = getattr(request.state, "session", None)
    places = places_for(asker.role) if asker else ()
    # A script that fetches a page, perhaps of another tab, shows no notices: somebody would miss them.
    seen_by = session if wants_a_page(request.headers) else None

    def may(role: AccountRole) -> bool:
        return asker is not None and is_at_least(asker.role, role)

    def may_everywhere(role: AccountRole) -> bool:
        return may(role) and asker is not None and not asker.doors

    page = _environment.get_template(template).render(
        request=request,
        asker=asker,
        site=request.app.state.site.site,
        zone=request.app.state.zone,
        places=places,
        here=next((place for place in places if is_within(place, request.url.path)), None),
        notices=request.app.state.notices.take(seen_by.id) if seen_by else [],
        may=may,
        may_everywhere=may_everywhere,
        **values,
    )
    return HTMLResponse(page, status_code)


def redirect(
    request: Request, path: str, *, done: str = "", problem: str = "", undo: str = ""
) -> RedirectResponse:
    """Send the browser to another page, which opens with what was done or what is wrong.

    Args:
        request: the POST that is answered.
        path: of this site, with its query.
        done: what was done, in a sentence.
        problem: why it was not.
        undo: the path whose POST takes it back.
    """
    session = getattr(request.state, "session", None)
    if session and done:
        request.app.state.notices.add(session.id, PageNotice("done", done, undo))
    if session and problem:
        request.app.state.notices.add(session.id, PageNotice("problem", problem))
    return RedirectResponse(path, 303)
