"""The page about everybody who may sign in: for admins of all doors."""

from collections.abc import Collection

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from turnstile.io.web.accounts.sign_in import Accounts, text
from turnstile.io.web.admission import asker_of, needs
from turnstile.io.web.rendering import redirect, render
from turnstile.web.accounts.invitations import INVITED_HOURS, ROLES, key_of, why_no_account
from turnstile.web.doorway import Doorway

PAGE = "/accounts"


def routes(accounts: Accounts, doorway: Doorway) -> list[Route]:
    """Return the routes about accounts."""
    page, admin = AccountsPage(accounts, doorway), needs("admin", of_all_doors=True)
    return [
        Route(PAGE, admin(page.show), name="accounts"),
        Route(f"{PAGE}/invite", admin(page.invite), methods=["POST"]),
        Route(f"{PAGE}/sign-out", admin(page.sign_out), methods=["POST"]),
        Route(f"{PAGE}/remove", admin(page.remove), methods=["POST"]),
    ]


class AccountsPage:
    """Lists accounts, invites, signs out and removes."""

    def __init__(self, accounts: Accounts, doorway: Doorway) -> None:
        self._accounts, self._doorway = accounts, doorway

    async def show(self, request: Request) -> Response:
        """Show who may sign in."""
        cameras = tuple(request.app.state.site.cameras)
        return render(request, "accounts.html", accounts=self._accounts.store.accounts(), cameras=cameras)

    async def invite(self, request: Request) -> Response:
        """Make an invitation, and show its link this once."""
        asker = asker_of(request)
        form = await request.form(max_files=0, max_fields=1000)
        name, role, cameras = text(form, "name").strip(), text(form, "role"), request.app.state.site.cameras
        doors = tuple(one for one in form.getlist("door") if isinstance(one, str))
        problem = why_no_account(name, role) or _why_no_doors(doors, cameras)
        if problem:
            return redirect(request, PAGE, problem=problem)
        until_ns = self._accounts.devices.now_ns() + INVITED_HOURS * 3600 * 10**9
        token = self._accounts.store.invite(name, ROLES[role], doors, until_ns=until_ns)
        self._accounts.record(asker, f"invited {name} as {role}")
        origin = self._doorway.origin or f"{request.url.scheme}://{request.headers['host']}"
        link = f"{origin}/invited/{token}"
        return render(request, "invitation.html", name=name, role=role, link=link, until_ns=until_ns)

    async def sign_out(self, request: Request) -> Response:
        """Sign somebody out everywhere."""
        asker = asker_of(request)
        name = text(await request.form(max_files=0, max_fields=8), "name")
        if not self._accounts.store.sign_out(name):
            return redirect(request, PAGE, problem="No device is signed in by that name.")
        self._accounts.record(asker, f"signed {name} out everywhere")
        return redirect(request, PAGE, done=f"{name} is signed out everywhere.")

    async def remove(self, request: Request) -> Response:
        """Remove an account; one's own is removed by somebody else, so that one admin is left."""
        asker = asker_of(request)
        name = text(await request.form(max_files=0, max_fields=8), "name")
        if key_of(name) == key_of(asker.name):
            return redirect(request, PAGE, problem="Your own account can be removed by another admin only.")
        if not self._accounts.store.remove(name):
            return redirect(request, PAGE, problem="There is no such account.")
        self._accounts.record(asker, f"removed the account {name}")
        return redirect(request, PAGE, done=f"{name} may sign in no longer.")


def _why_no_doors(doors: Collection[str], cameras: Collection[str]) -> str:
    """Return which door is none; without it, the account might be of none named, which is of all."""
    gone = next((one for one in doors if one not in cameras), None)
    return "" if gone is None else f"No door is named {gone[:80]!r}; choose the doors again."
