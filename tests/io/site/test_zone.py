"""The time zone of a machine has a name."""

from pathlib import Path

import pytest

from turnstile.io.site.zone import machine_zone


@pytest.mark.parametrize(
    ("tz", "link", "key"),
    [
        ("Europe/Vienna", "Asia/Tokyo", "Europe/Vienna"),
        (":Europe/Vienna", "Asia/Tokyo", "Europe/Vienna"),
        ("", "Asia/Tokyo", "Asia/Tokyo"),
        ("", "", "UTC"),
        ("CET-1CEST", "Asia/Tokyo", ""),
    ],
)
def test_the_environment_names_it_or_a_link(
    tz: str, link: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without either it is that of a machine where nobody set any."""
    monkeypatch.setenv("TZ", tz)
    localtime = tmp_path / "localtime"
    if link:
        there = tmp_path / "zoneinfo" / link
        there.parent.mkdir(parents=True)
        there.touch()
        localtime.symlink_to(there)
    assert machine_zone(localtime) == key
