"""Pages show the site's time, and say whose it is."""

import asyncio
import datetime as dt

import pytest

from tests.support.answering import AnsweringBus
from tests.support.answers import AT_NS, a_visit
from tests.support.web_pages import SignedIn, a_client
from turnstile.io.web.zone import SiteZone
from turnstile.requests.answers import VisitsFound, ZoneFound
from turnstile.requests.wishes import FindVisits, ReadZone
from turnstile.site.settings import CameraSettings, LoggerSettings, Site

SITE = Site(
    site="test", cameras={"front_door": CameraSettings(source="a.jpg")}, loggers={"log1": LoggerSettings()}
)


def test_every_page_shows_the_time_of_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    """And names its zone once; a tablet at a door, which shows no times, does not."""
    monkeypatch.setenv("TZ", "America/New_York")
    bus = AnsweringBus()
    bus.answers = {FindVisits: VisitsFound(logger="log1", visits=(a_visit(),))}
    client = a_client(SignedIn("viewer"), site=SITE, link=bus.link)
    assert "Times are in America/New_York, the zone of the web node&#39;s machine." in client.get("/").text
    client.app.state.zone.use("Asia/Tokyo")  # type: ignore[attr-defined]
    for path in ("/", "/visits", "/visits/9f00:17", "/health"):
        assert client.get(path).text.count("Times are in Asia/Tokyo.") == 1
    assert "20:06:40" in client.get("/").text
    assert 'data-zone="Asia/Tokyo"' in client.get("/").text
    assert "Wed 18 Nov 2026, 20:06:40" in client.get("/visits").text
    assert "2026-11-18T20:06:40.000+09:00" in client.get("/visits.csv").text
    assert "Times are" not in client.get("/door/front_door").text


def test_the_broker_tells_the_zone() -> None:
    """It is asked as a viewer, until it answers."""
    bus, zone = AnsweringBus(), SiteZone()
    bus.answers[ReadZone] = ZoneFound(timezone="Asia/Tokyo")

    async def keep() -> None:
        keeping = asyncio.create_task(zone.keep(bus.link))
        while zone.key != "Asia/Tokyo":  # noqa: ASYNC110 - nothing else tells of it
            await asyncio.sleep(0)
        keeping.cancel()

    asyncio.run(asyncio.wait_for(keep(), 30))
    assert [request.role for request, _ in bus.asked] == ["viewer"]
    at = dt.datetime.fromtimestamp(AT_NS / 1e9, zone.tz)
    assert at.utcoffset() == dt.timedelta(hours=9)


@pytest.mark.parametrize("key", ["", "Europe/Nowhere", "../etc"])
def test_a_zone_that_is_unknown_here_is_the_machines(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the page says which that is."""
    monkeypatch.setenv("TZ", "America/New_York")
    zone = SiteZone()
    zone.use("Asia/Tokyo")
    zone.use(key)
    assert (zone.tz, zone.key) == (None, "America/New_York")
    assert "the zone of the web node's machine" in zone.words
