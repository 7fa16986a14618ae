"""Signing in and out, and the page that an invitation leads to."""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from turnstile.io.web.accounts.devices import Devices, address_of, device_in_words, forget
from turnstile.io.web.accounts.passwords import BusyError, PasswordChecks, step_of_code, why_not_password
from turnstile.io.web.accounts.store import AccountStore, Credentials
from turnstile.io.web.admission import asker_of
from turnstile.io.web.link import Asker
from turnstile.io.web.rendering import render
from turnstile.web.accounts.attempts import SignInAttempts
from turnstile.web.accounts.invitations import key_of

WRONG = "Name, password or code is wrong."
BUSY = "Many people are signing in; try again in a few seconds."
MAX_NAME_CHARS = 200
LOST = {
    "form": "You were signed out meanwhile. What you sent was not done: sign in, and send it again.",
    "cookie": "You signed in, but this browser keeps no cookie of this address. Safari does with HTTPS only: "
    "take another browser on this machine, or make a certificate with turnstile web cert.",
}
"""Why somebody is here again, by what `admission` says in the address."""

log = logging.getLogger("turnstile")


@dataclass(kw_only=True)
class Accounts:
    """All that signing in needs."""

    store: AccountStore
    devices: Devices
    checks: PasswordChecks = field(default_factory=PasswordChecks)
    attempts: SignInAttempts = field(default_factory=SignInAttempts)
    clock: Callable[[], float] = time.monotonic
    """By which attempts wait."""
    codes: SignInAttempts = field(default_factory=SignInAttempts)
    """Wrong codes with the right password, of an account: whoever has many addresses guesses none."""

    def record(self, asker: Asker, words: str) -> None:
        """Have an act put on record, as soon as the broker answers."""
        log.info("%s: %s", asker.name, words)
        self.store.add_act(asker.name, asker.role, words, at_ns=self.devices.now_ns())


def routes(accounts: Accounts) -> list[Route]:
    """Return the routes of signing in."""
    pages = SignInPages(accounts)
    return [
        Route("/sign-in", pages.show, name="sign-in"),
        Route("/sign-in", pages.sign_in, methods=["POST"]),
        Route("/sign-out", pages.sign_out, methods=["POST"], name="sign-out"),
        Route("/invited/{token}", pages.show_invitation, name="invited"),
        Route("/invited/{token}", pages.accept, methods=["POST"]),
    ]


class SignInPages:
    """The pages for whoever is not signed in yet."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def show(self, request: Request) -> Response:
        """Show the form, or go on if somebody is signed in."""
        to = local_path(request.query_params.get("to", ""))
        if request.state.session is not None:
            return RedirectResponse(to, 303)
        lost = LOST.get(request.query_params.get("lost", ""), "")
        return self._form(request, 200, to=to, lost=lost)

    async def sign_in(self, request: Request) -> Response:
        """Let somebody in, or say no more than that something is wrong."""
        form = await request.form(max_files=0, max_fields=8)
        # Keyboards of phones add a space to a name that they know.
        name, to = text(form, "name").strip()[:MAX_NAME_CHARS], local_path(text(form, "to"))
        device, key = self._accounts.devices.known_device(request, name), key_of(name)
        address = address_of(request)
        attempts = self._accounts.attempts
        waiting = attempts.waiting(key, address=address, device=device, now_s=self._accounts.clock())
        if waiting.refused_s > 0:
            return self._later(request, name=name, to=to, wait_s=waiting.refused_s)
        # Counted before it is checked: attempts at one time count, too.
        attempts.failed(key, address=address, device=device, now_s=self._accounts.clock())
        await asyncio.sleep(waiting.answer_s)
        found = self._accounts.store.credentials(name)
        try:
            right = await self._accounts.checks.is_right(found, text(form, "password"))
        except BusyError:
            attempts.succeeded(key, address=address, device=device)
            return self._form(request, 503, to=to, name=name, problem=BUSY)
        found = self._if_unchanged(found)
        if found is None or not right or not self._code_is_right(found, text(form, "code"), device):
            log.warning("a sign-in as %r from %s failed", name, address)
            return self._form(request, 403, to=to, name=name, problem=WRONG)
        attempts.succeeded(key, address=address, device=device)
        return self._let_in(request, found, to)

    async def sign_out(self, request: Request) -> Response:
        """End this device's session."""
        asker = asker_of(request)
        self._accounts.store.sign_out(asker.name, session=request.state.session.id)
        self._accounts.record(asker, "signed out")
        return forget(RedirectResponse("/sign-in", 303))

    async def show_invitation(self, request: Request) -> Response:
        """Show who is invited. Nothing is used up: messengers open links to show what is behind."""
        invited = self._invited(request)
        return render(request, "invited.html", invited=invited, problem="")

    async def accept(self, request: Request) -> Response:
        """Set the password, and sign in."""
        invited = self._invited(request)
        form = await request.form(max_files=0, max_fields=8)
        password = text(form, "password")
        problem = why_not_password(password, invited.name)
        if not problem and password != text(form, "again"):
            problem = "The two are not the same."
        if problem:
            return render(request, "invited.html", status_code=400, invited=invited, problem=problem)
        kept = await self._accounts.checks.hash(password)
        store, now_ns = self._accounts.store, self._accounts.devices.now_ns()
        account = store.accept(request.path_params["token"], kept, now_ns=now_ns)
        if account is None:
            raise HTTPException(404, NOT_INVITED)
        asker = Asker(account.name, account.role, account.doors)
        self._accounts.record(asker, f"used an invitation as {account.role}, from {address_of(request)}")
        return self._accounts.devices.sign_in(request, account.name, RedirectResponse("/", 303))

    def _form(
        self, request: Request, status: int, *, to: str, name: str = "", problem: str = "", lost: str = ""
    ) -> Response:
        """Return the page with the form."""
        return render(
            request, "sign-in.html", status_code=status, to=to, name=name, problem=problem, lost=lost
        )

    def _invited(self, request: Request) -> "Asker":
        now_ns = self._accounts.devices.now_ns()
        found = self._accounts.store.invited(request.path_params["token"], now_ns=now_ns)
        if found is None:
            raise HTTPException(404, NOT_INVITED)
        return Asker(found.name, found.role, found.doors)

    def _if_unchanged(self, found: Credentials | None) -> Credentials | None:
        """Return what holds now; `None` if the password was changed while it was checked."""
        now = None if found is None else self._accounts.store.credentials(found.account.name)
        return now if found is not None and now is not None and now.password == found.password else None

    def _code_is_right(self, found: Credentials, code: str, device: str) -> bool:
        """Tell whether no code is asked, or this one is right and was not used before.

        After a few wrong ones any is wrong for a while, wherever it comes from. Known devices count apart.
        """
        if not found.code_secret:
            return True
        name, codes, now_s = found.account.name, self._accounts.codes, self._accounts.clock()
        key = key_of(name)
        if codes.waiting(key, address=key, device=device, now_s=now_s).refused_s > 0:
            log.warning("somebody who has the password of %r guesses codes", name)
            return False
        codes.failed(key, address=key, device=device, now_s=now_s)
        step = step_of_code(found.code_secret, code, now_ns=self._accounts.devices.now_ns())
        if step is None or not self._accounts.store.use_code(name, step):
            return False
        codes.succeeded(key, address=key, device=device)
        return True

    def _let_in(self, request: Request, found: Credentials, to: str) -> Response:
        account = found.account
        asker = Asker(account.name, account.role, account.doors)
        words = f"signed in from {address_of(request)} with {device_in_words(request)}"
        self._accounts.record(asker, words)
        return self._accounts.devices.sign_in(request, account.name, RedirectResponse(to, 303))

    def _later(self, request: Request, *, name: str, to: str, wait_s: float) -> Response:
        seconds = math.ceil(wait_s)
        problem = f"Too many tries. Try again in {seconds} s."
        answer = self._form(request, 429, to=to, name=name, problem=problem)
        answer.headers["Retry-After"] = str(seconds)
        return answer


NOT_INVITED = (
    "This invitation was used, or its time is over. If you have set a password by it, sign in. "
    "Else ask for another one."
)


def text(form: FormData, name: str) -> str:
    """Return a field of a form; empty if it is not there or is a file."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def local_path(wanted: str) -> str:
    """Return a path of this site; the wall in place of anything else."""
    is_path = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if is_path and "\\" not in wanted else "/"
