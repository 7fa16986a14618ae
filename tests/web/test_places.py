"""Which account finds which place."""

from turnstile.protocol.requests import AccountRole
from turnstile.web.places import PLACES, is_within, places_for

FOUND: dict[AccountRole, list[str]] = {
    "viewer": ["/", "/visits", "/health"],
    "clerk": ["/", "/visits", "/unknown", "/people", "/health"],
    "admin": ["/", "/visits", "/unknown", "/people", "/rules", "/health"],
}


def test_a_role_finds_its_places() -> None:
    """Those of a lower rank, too."""
    assert {role: [place.path for place in places_for(role)] for role in FOUND} == FOUND


def test_a_page_belongs_to_one_place() -> None:
    """The wall is no beginning of all others."""
    for path, title in (
        ("/", "Doors"),
        ("/visits/aa:1", "Visits"),
        ("/enrol", "People"),
        ("/person/x", "People"),
    ):
        assert [place.title for place in PLACES if is_within(place, path)] == [title]
