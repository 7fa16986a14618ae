"""A site with two doors, a logger and a broker that answer what a test says."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from tests.support.answering import AnsweringBus
from tests.support.web_pages import SignedIn, a_client
from turnstile.io.web.link import Asker
from turnstile.protocol.requests import AccountRole
from turnstile.site.settings import CameraSettings, LoggerSettings, Site

Visitor = Callable[..., TestClient]

SITE = Site(
    site="test",
    cameras={name: CameraSettings(source=f"{name}.jpg") for name in ("front_door", "yard")},
    loggers={"log1": LoggerSettings()},
)


@pytest.fixture
def bus() -> AnsweringBus:
    """Give a bus on which nothing is answered yet."""
    return AnsweringBus()


@pytest.fixture
def signed_in() -> SignedIn:
    """Give who is signed in."""
    return SignedIn()


@pytest.fixture
def visitor(bus: AnsweringBus, signed_in: SignedIn) -> Visitor:
    """Give what signs in another account at the same pages, and returns their client."""
    client = a_client(signed_in, site=SITE, link=bus.link)

    def sign_in(role: AccountRole = "admin", doors: tuple[str, ...] = (), name: str = "Ada") -> TestClient:
        signed_in.asker = Asker(name, role, doors)
        return client

    return sign_in
