"""The places that the pages' navigation leads to, and which account finds which."""

from typing import NamedTuple

from turnstile.protocol.requests import AccountRole

RANKS: dict[AccountRole, int] = {"viewer": 0, "clerk": 1, "admin": 2}
"""Whoever may do something, those with a higher rank may, too."""


class NavigationPlace(NamedTuple):
    """One entry of the navigation."""

    path: str
    title: str
    icon: str
    needs: AccountRole
    also: tuple[str, ...] = ()
    """Paths elsewhere that belong to it."""


PLACES = (
    NavigationPlace("/", "Doors", "doors", "viewer"),
    NavigationPlace("/visits", "Visits", "visits", "viewer"),
    NavigationPlace("/unknown", "Unknown", "unknown", "clerk"),
    NavigationPlace("/people", "People", "people", "clerk", also=("/enrol", "/person")),
    NavigationPlace("/rules", "Rules", "rules", "admin"),
    NavigationPlace("/health", "Health", "health", "viewer"),
)


def is_at_least(role: AccountRole, needed: AccountRole) -> bool:
    """Tell whether a role may do what another may."""
    return RANKS[role] >= RANKS[needed]


def places_for(role: AccountRole) -> tuple[NavigationPlace, ...]:
    """Return the places that an account of this role may go to."""
    return tuple(place for place in PLACES if is_at_least(role, place.needs))


def is_within(place: NavigationPlace, path: str) -> bool:
    """Tell whether a page belongs to a place of the navigation."""
    if path == place.path:
        return True
    return any(path == one or path.startswith(one + "/") for one in (place.path, *place.also) if one != "/")
