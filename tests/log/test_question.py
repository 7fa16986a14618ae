"""What people write for a time."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from turnstile.errors import LogError
from turnstile.log.question import moment

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("2h", datetime(2026, 11, 22, 9, 0, tzinfo=UTC)),
        ("90s", datetime(2026, 11, 22, 10, 58, 30, tzinfo=UTC)),
        ("30m", datetime(2026, 11, 22, 10, 30, tzinfo=UTC)),
        ("7d", datetime(2026, 11, 15, 11, 0, tzinfo=UTC)),
        ("1w", datetime(2026, 11, 15, 11, 0, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 19, 23, 0, tzinfo=UTC)),
        ("2026-11-20T08:30", datetime(2026, 11, 20, 7, 30, tzinfo=UTC)),
        ("2026-11-20T08:30:15-05:00", datetime(2026, 11, 20, 13, 30, 15, tzinfo=UTC)),
    ],
)
def test_times_are_ago_or_in_the_zone_of_the_one_who_asks(text: str, named: datetime) -> None:
    """Unless they bring their own."""
    assert moment(text, now=NOW) == named.timestamp() * 1e9


def test_until_a_date_includes_that_day() -> None:
    """Until a time of day does not."""
    assert moment("2026-11-20", now=NOW, end=True) == moment("2026-11-21", now=NOW)
    assert moment("2026-11-20T00:00", now=NOW, end=True) == moment("2026-11-20", now=NOW)


@pytest.mark.parametrize(
    "text", ["", "2", "h", "2y", "yesterday", "2026-13-01", "9999999d", "-2h", "22.11.2026"]
)
def test_what_names_no_time_is_refused(text: str) -> None:
    """The error shows what would be valid."""
    with pytest.raises(LogError, match="2h"):
        moment(text, now=NOW)
