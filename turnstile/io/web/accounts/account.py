"""The page of one's own account: devices, password, codes."""

import re

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from turnstile.counts import counted
from turnstile.io.web.accounts.devices import address_of, forget
from turnstile.io.web.accounts.passwords import (
    BusyError,
    code_address,
    make_code_secret,
    step_of_code,
    why_not_password,
)
from turnstile.io.web.accounts.sign_in import BUSY, Accounts, text
from turnstile.io.web.admission import asker_of
from turnstile.io.web.rendering import redirect, render

PAGE = "/account"


def routes(accounts: Accounts) -> list[Route]:
    """Return the routes of one's own account."""
    page = AccountPage(accounts)
    return [
        Route(PAGE, page.show, name="account"),
        Route(f"{PAGE}/devices/{{session}}/sign-out", page.end_session, methods=["POST"]),
        Route(f"{PAGE}/sign-out-everywhere", page.end_all, methods=["POST"]),
        Route(f"{PAGE}/password", page.change_password, methods=["POST"]),
        Route(f"{PAGE}/code", page.show_code, methods=["GET"]),
        Route(f"{PAGE}/code", page.set_code, methods=["POST"]),
        Route(f"{PAGE}/code/remove", page.remove_code, methods=["POST"]),
    ]


class AccountPage:
    """What somebody may do about the own account. Whatever would help a thief asks for the password."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def show(self, request: Request) -> Response:
        """Show the account and its devices."""
        asker, devices = asker_of(request), self._accounts.devices
        sessions = self._accounts.store.sessions(asker.name, now_ns=devices.now_ns(), idle_ns=devices.idle_ns)
        found = self._accounts.store.credentials(asker.name)
        return render(
            request,
            "account.html",
            sessions=sessions,
            this=request.state.session.id,
            has_code=found is not None and bool(found.code_secret),
        )

    async def end_session(self, request: Request) -> Response:
        """Sign one device out."""
        asker = asker_of(request)
        session = request.path_params["session"]
        ended = self._accounts.store.sign_out(asker.name, session=session)
        if session == request.state.session.id:
            return forget(RedirectResponse("/sign-in", 303))
        if not ended:
            return redirect(request, PAGE, problem="That device is signed out already.")
        self._accounts.record(asker, "signed another device out")
        return redirect(request, PAGE, done="The device is signed out.")

    async def end_all(self, request: Request) -> Response:
        """Sign all devices out, this one too."""
        asker = asker_of(request)
        ended = self._accounts.store.sign_out(asker.name)
        self._accounts.record(asker, f"signed {counted(ended, 'device')} out")
        return forget(RedirectResponse("/sign-in", 303))

    async def change_password(self, request: Request) -> Response:
        """Keep another password, and sign all other devices out."""
        asker = asker_of(request)
        form = await request.form(max_files=0, max_fields=8)
        problem = why_not_password(text(form, "new"), asker.name) or await self._why_not(request, form)
        if problem:
            return redirect(request, PAGE, problem=problem)
        kept = await self._accounts.checks.hash(text(form, "new"))
        if self._accounts.devices.find(request) is None:
            return forget(RedirectResponse("/sign-in", 303))  # signed out meanwhile, by another password
        self._accounts.store.set_password(asker.name, kept)
        self._accounts.store.sign_out(asker.name, but=request.state.session.id)
        self._accounts.record(asker, "changed the password")
        return redirect(request, PAGE, done="The password is changed. All other devices are signed out.")

    async def show_code(self, request: Request) -> Response:
        """Show a new secret for an app, which counts once a code of it was typed."""
        asker = asker_of(request)
        secret = make_code_secret()
        site = request.app.state.site.site
        return render(
            request, "code.html", secret=secret, address=code_address(secret, name=asker.name, site=site)
        )

    async def set_code(self, request: Request) -> Response:
        """Ask for codes from now on."""
        asker = asker_of(request)
        form = await request.form(max_files=0, max_fields=8)
        secret = text(form, "secret")
        is_secret = re.fullmatch("[A-Z2-7]{32}", secret) is not None
        now_ns = self._accounts.devices.now_ns()
        step = step_of_code(secret, text(form, "code"), now_ns=now_ns) if is_secret else None
        if step is None:
            return redirect(request, PAGE, problem="The code was wrong; begin again.")
        problem = await self._why_not(request, form)
        if problem:
            return redirect(request, PAGE, problem=problem)
        self._accounts.store.set_code(asker.name, secret, step)
        self._accounts.record(asker, "asks for codes at sign-in from now on")
        return redirect(request, PAGE, done="From now on a code is asked at sign-in.")

    async def remove_code(self, request: Request) -> Response:
        """Ask for no codes from now on."""
        asker = asker_of(request)
        form = await request.form(max_files=0, max_fields=8)
        problem = await self._why_not(request, form)
        if problem:
            return redirect(request, PAGE, problem=problem)
        self._accounts.store.set_code(asker.name, "", 0)
        self._accounts.record(asker, "asks for no codes at sign-in from now on")
        return redirect(request, PAGE, done="No code is asked at sign-in from now on.")

    async def _why_not(self, request: Request, form: FormData) -> str:
        """Return why a password does not show that it is the owner who asks; empty if it does."""
        name, attempts = asker_of(request).name, self._accounts.attempts
        whose = {"address": address_of(request), "device": request.state.session.id}
        if attempts.waiting(name, now_s=self._accounts.clock(), **whose).refused_s > 0:
            return "Too many wrong passwords; try again later."
        attempts.failed(name, now_s=self._accounts.clock(), **whose)
        found = self._accounts.store.credentials(name)
        try:
            right = await self._accounts.checks.is_right(found, text(form, "password"))
        except BusyError:
            return BUSY
        if not right or self._accounts.devices.find(request) is None:
            return "The present password is wrong."
        attempts.succeeded(name, **whose)
        return ""
