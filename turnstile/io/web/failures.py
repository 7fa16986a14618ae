"""What is answered when something is refused, missing, or not answered by the broker."""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ExceptionHandler

from turnstile.io.web.admission import wants_a_page
from turnstile.io.web.link import NoAnswerError, RefusedWishError
from turnstile.io.web.rendering import render
from turnstile.web.places import PLACES, is_within

TITLES = {
    400: "That cannot be understood",
    403: "Not for this account",
    404: "Not here",
    405: "Not in this way",
    409: "Nothing was changed",
    413: "Too large",
    429: "Too many tries",
    500: "Something went wrong",
    504: "No answer",
}
WORDS = {
    404: "There is no such page, or it is not for this account.",
    405: "This page cannot be asked in this way.",
    500: "What was asked could not be done. Details are in the web node's output.",
}


def handlers() -> dict[int | type[Exception], ExceptionHandler]:
    """Return what Starlette calls for each error."""
    return {
        HTTPException: _http,
        RefusedWishError: _refused,
        NoAnswerError: _no_answer,
        ClientDisconnect: _gone,
        Exception: _unexpected,
    }


def failure(request: Request, status_code: int, words: str = "") -> Response:
    """Return a page that says what is wrong; to a script, a line."""
    words = words or WORDS.get(status_code) or HTTPStatus(status_code).phrase
    if not wants_a_page(request.headers):
        return PlainTextResponse(words + "\n", status_code)
    title = TITLES.get(status_code) or HTTPStatus(status_code).phrase
    again = status_code == HTTPStatus.GATEWAY_TIMEOUT and request.method == "GET"
    return render(request, "failure.html", status_code=status_code, title=title, words=words, again=again)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - by the table above
    place = next((one.path for one in PLACES if is_within(one, request.url.path)), "")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and request.method == "GET" and place:
        return RedirectResponse(place, 303)  # the address of a form, loaded again or after sign-in
    standard = error.detail == HTTPStatus(error.status_code).phrase
    answer = failure(request, error.status_code, "" if standard else error.detail)
    answer.headers.update(error.headers or {})
    return answer


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedWishError)  # noqa: S101
    return failure(request, 403 if error.refusal.forbidden else 409, str(error))


async def _no_answer(request: Request, error: Exception) -> Response:
    unknown = "" if request.method in ("GET", "HEAD") else " Nobody can tell whether it was done."
    who = str(error)
    return failure(request, 504, f"{who[:1].upper()}{who[1:]}.{unknown} Try again soon.")


async def _gone(_request: Request, _: Exception) -> Response:
    return PlainTextResponse("the rest did not come\n", 400)


async def _unexpected(request: Request, _: Exception) -> Response:
    return failure(request, 500)
