"""The form that searches visits."""

import datetime as dt

import pytest

from turnstile.requests.wishes import FindVisits
from turnstile.web.forms import FormError
from turnstile.web.visits_query import VisitsQuery

VIENNA = dt.timezone(dt.timedelta(hours=1))


def test_empty_fields_do_not_restrict() -> None:
    """The page without a query shows the newest."""
    assert VisitsQuery.of({}).wish(VIENNA) == FindVisits(at_most=25)
    assert not VisitsQuery.of({"before": "7"}).restricts


def test_the_fields_become_a_wish() -> None:
    """Times are in the site's zone."""
    fields = {
        "person": " Ann ",
        "door": "front_door",
        "verdict": "denied",
        "reason": "blocked",
        "since": "2026-11-22T08:30",
        "until": "2026-11-23",
        "before": "99",
        "unheard": "of",
    }
    wish = VisitsQuery.of(fields).wish(VIENNA)
    assert (wish.person, wish.camera, wish.verdict, wish.reason) == ("Ann", "front_door", "denied", "blocked")
    assert wish.since_ns == dt.datetime(2026, 11, 22, 7, 30, tzinfo=dt.UTC).timestamp() * 1e9
    assert wish.until_ns == dt.datetime(2026, 11, 22, 23, tzinfo=dt.UTC).timestamp() * 1e9
    assert wish.before == 99


def test_an_address_finds_the_same_again() -> None:
    """A permalink is what the form would have sent."""
    query = VisitsQuery(person="Ann & Bob", verdict="granted")
    assert query.address() == "/visits?person=Ann+%26+Bob&verdict=granted"
    assert query.address(before="7").endswith("&before=7")
    assert VisitsQuery().address("/visits.csv") == "/visits.csv"


@pytest.mark.parametrize(
    "fields",
    [
        {"since": "yesterday"},
        {"until": "0001-01-01T00:00"},
        {"since": "9999-12-31T23:59"},
        {"reason": "none"},
        {"verdict": "maybe"},
        {"door": "../../etc"},
        {"before": "-1"},
        {"before": "٣"},
        {"person": "a" * 201},
    ],
)
def test_what_cannot_be_searched_for_is_said(fields: dict[str, str]) -> None:
    """Whatever stands in an address, the answer is words."""
    with pytest.raises(FormError):
        VisitsQuery.of(fields).wish(VIENNA)
