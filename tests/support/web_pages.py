"""The pages without a bus or a browser: who is signed in is what a test says."""

from pathlib import Path

from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from turnstile.io.web.accounts.sign_in import Accounts
from turnstile.io.web.admission import Session
from turnstile.io.web.link import Asker, BusLink
from turnstile.io.web.serving.app import make_app
from turnstile.io.web.serving.listener import Connections
from turnstile.protocol.requests import AccountRole
from turnstile.site.settings import CameraSettings, Site
from turnstile.web.doorway import Doorway

ORIGIN = "http://testserver"
AS_A_BROWSER = {
    "Accept": "text/html",
    "Origin": ORIGIN,
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
}


class SignedIn:
    """Sessions where everybody is one account; set `asker` to `None` for nobody."""

    def __init__(self, role: AccountRole = "admin", doors: tuple[str, ...] = (), name: str = "Ada") -> None:
        self.asker: Asker | None = Asker(name, role, doors)

    def find(self, _connection: HTTPConnection) -> Session | None:
        """Return the account's only session."""
        return None if self.asker is None else Session("session", self.asker)


def a_site(*cameras: str) -> Site:
    """Return a site with these doors."""
    return Site(site="test", cameras={name: CameraSettings(source=f"{name}.jpg") for name in cameras})


def a_client(
    signed_in: SignedIn | None = None,
    *,
    site: Site | None = None,
    link: BusLink | None = None,
    connections: Connections | None = None,
    accounts: Accounts | None = None,
) -> TestClient:
    """Return a client of the pages, which follows no redirect."""
    app = make_app(
        site or a_site("door"),
        link or BusLink(instance="web-1", wake=lambda: None),
        signed_in or SignedIn(),
        config=Path("site.yaml"),
        connections=connections,
        accounts=accounts,
        doorway=Doorway("http", ("testserver",)),
    )
    return TestClient(app, base_url=ORIGIN, headers=AS_A_BROWSER, follow_redirects=False)
