"""The frame around every page, the files it loads, and what is said when something fails."""

import re

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from tests.support.web_pages import ORIGIN, SignedIn, a_client
from turnstile.io.web.admission import asker_of, needs, refuse_other_doors
from turnstile.io.web.link import NoAnswerError, RefusedWishError
from turnstile.io.web.rendering import redirect
from turnstile.requests.answers import RefusedWish
from turnstile.web.places import PLACES, is_within


def with_page(client: TestClient, path: str, page: object, *methods: str) -> None:
    """Add a page to the application of a client."""
    client.app.routes.append(Route(path, page, methods=list(methods) or None))  # type: ignore[attr-defined, arg-type]


def test_the_navigation_has_what_the_account_may_see() -> None:
    """A viewer finds no page that would be refused."""
    viewer, admin = (a_client(SignedIn(role)).get("/").text for role in ("viewer", "admin"))
    assert 'href="/visits"' in viewer
    assert 'href="/rules"' not in viewer
    assert 'href="/rules"' in admin


@pytest.mark.parametrize("path", ["/people", "/people/Ann", "/enrol", "/enrol/camera", "/person/erase"])
def test_every_page_belongs_to_a_place_of_the_navigation(path: str) -> None:
    """Whoever enrols somebody is still among the people."""
    assert [one.title for one in PLACES if is_within(one, path)] == ["People"]


def test_files_are_kept_for_ever_at_an_address_that_changes_with_them() -> None:
    """The style sheet of the page is there, and need not be asked for again."""
    client = a_client()
    found = re.search(r'href="(/static/[0-9a-f]{12}/site\.css)"', client.get("/").text)
    assert found
    kept = client.get(found[1])
    assert kept.headers["content-type"].startswith("text/css")
    assert "immutable" in kept.headers["cache-control"]
    assert client.get("/static/another/site.css").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "name", ["site.py", "../site.css", "..%2fadmission.py", "%2e%2e/%2e%2e/etc/passwd", ""]
)
def test_no_other_file_is_served(name: str) -> None:
    """Files are found by name in memory, never by path."""
    assert a_client().get(f"/static/x/{name}").status_code == 404


def test_the_manifest_names_icons_that_are_there() -> None:
    """The page can be installed."""
    client = a_client()
    manifest = client.get("/manifest.webmanifest").json()
    assert {client.get(one["src"]).headers["content-type"] for one in manifest["icons"]} == {"image/png"}


def test_nobody_gets_a_page_without_a_session() -> None:
    """Pages lead to the sign-in page and back; scripts are told."""
    signed_in = SignedIn()
    signed_in.asker = None
    client = a_client(signed_in)
    page = client.get("/visits?person=ada")
    assert (page.status_code, page.headers["location"]) == (303, "/sign-in?to=%2Fvisits%3Fperson%3Dada")
    assert client.get("/visits", headers={"Sec-Fetch-Mode": "cors"}).status_code == 401
    assert client.post("/visits", headers={"Sec-Fetch-Mode": "cors"}).status_code == 401


def test_a_form_sent_after_sign_out_leads_back_and_says_so() -> None:
    """Whoever was signed out meanwhile comes back to the form, and knows that nothing was done."""
    signed_in = SignedIn()
    signed_in.asker = None
    client = a_client(signed_in)
    answer = client.post("/person/rename", headers={"Referer": f"{ORIGIN}/people/Ann%20Lee?new=1"})
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/sign-in?to=%2Fpeople%2FAnn%2520Lee&lost=form",
    )
    elsewhere = client.post("/person/rename", headers={"Referer": "https://evil.example//evil.example"})
    assert elsewhere.headers["location"].startswith("/sign-in?")


def test_a_browser_without_cookies_is_told_so() -> None:
    """It was let in a moment ago, and would come to the sign-in page for ever."""
    signed_in = SignedIn()
    signed_in.asker = None
    client = a_client(signed_in)
    came = {"Referer": f"{ORIGIN}/sign-in"}
    assert client.get("/", headers=came).headers["location"] == "/sign-in?lost=cookie"
    known = client.get("/", headers={**came, "Cookie": "__Host-turnstile-device=a.b"})
    assert known.headers["location"] == "/sign-in"


def test_a_role_is_needed() -> None:
    """Who has a lower one is refused, in words."""

    @needs("admin")
    async def page(_: Request) -> Response:
        return Response("secret")

    client = a_client(SignedIn("clerk"))
    with_page(client, "/page", page)
    refused = client.get("/page")
    assert refused.status_code == 403
    assert "Ada is a clerk" in refused.text


def test_a_door_of_others_is_not_there() -> None:
    """An account that may see one door cannot find out which others there are."""

    async def page(request: Request) -> Response:
        refuse_other_doors(asker_of(request), "back")
        return Response("picture")

    client = a_client(SignedIn(doors=("front",)))
    with_page(client, "/page", page)
    assert client.get("/page").status_code == 404


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (RefusedWishError(RefusedWish(problem="nobody is named <b>")), 409, "nobody is named &lt;b&gt;"),
        (RefusedWishError(RefusedWish(problem="a viewer", forbidden=True)), 403, "a viewer"),
        (NoAnswerError("the broker does not answer"), 504, "The broker does not answer"),
        (HTTPException(404), 404, "no such page"),
        (ValueError("with details"), 500, "output"),
    ],
)
def test_a_failure_is_said_in_words(error: Exception, status: int, words: str) -> None:
    """People get a page, and no details of what is inside."""

    async def page(_: Request) -> Response:
        raise error

    client = a_client()
    client = TestClient(client.app, base_url=ORIGIN, headers=client.headers, raise_server_exceptions=False)
    with_page(client, "/page", page)
    answer = client.get("/page")
    assert answer.status_code == status
    assert words in answer.text
    assert "with details" not in answer.text


def test_what_was_done_is_said_once_on_the_next_page() -> None:
    """A form's result outlives the redirect, and is gone after that."""

    async def rename(request: Request) -> Response:
        return redirect(request, "/", done="<Ada> has another name.", undo="/undo")

    client = a_client()
    with_page(client, "/rename", rename, "POST")
    assert client.post("/rename").status_code == 303
    page = client.get("/").text
    assert "&lt;Ada&gt; has another name." in page
    assert 'action="/undo"' in page
    assert "has another name" not in client.get("/").text


def test_what_was_done_is_said_to_somebody_not_to_a_script() -> None:
    """A page in another tab that keeps itself fresh takes no notice away, with its undo."""

    async def rename(request: Request) -> Response:
        return redirect(request, "/", done="Ada has another name.", undo="/undo")

    client = a_client()
    with_page(client, "/rename", rename, "POST")
    client.post("/rename")
    by_script = client.get("/health", headers={"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"})
    assert "has another name" not in by_script.text
    assert "has another name" in client.get("/").text


def test_the_address_of_a_form_leads_to_its_page() -> None:
    """Somebody who loads again what a form answered with is not at an end."""
    answer = a_client().get("/unknown/name")
    assert (answer.status_code, answer.headers["location"]) == (303, "/unknown")


def test_a_page_without_an_answer_can_be_asked_again() -> None:
    """What was only read was not done; of what was sent nobody can tell."""

    async def page(_: Request) -> Response:
        raise NoAnswerError("the broker does not answer")

    client = a_client()
    with_page(client, "/page", page, "GET", "POST")
    asked, sent = client.get("/page").text, client.post("/page").text
    assert "The broker does not answer. Try again soon." in asked
    assert "Try again</a>" in asked
    assert "Nobody can tell whether it was done." in sent
    assert "Try again</a>" not in sent
