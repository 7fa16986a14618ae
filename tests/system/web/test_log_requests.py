"""What people who are signed in ask a logger, through a real broker."""

from contextlib import closing
from pathlib import Path

import pytest

from tests.support.asking import AskingWeb
from tests.support.monitored import MonitoredSite
from turnstile.io.site.file import load
from turnstile.requests.answers import Done, LastSeenFound, RefusedWish, VisitsFound
from turnstile.requests.wishes import FindLastSeen, FindVisits, UnlockDoor

pytestmark = pytest.mark.system


def test_a_logger_answers_through_the_broker(folder: Path) -> None:
    """Its visits, who was seen last; nobody answers for a logger that is not there."""
    with MonitoredSite(folder) as site, closing(AskingWeb(load(site.file).broker)) as web:
        site.decide_once()
        answer = web.ask(FindVisits(), to="log")
        assert isinstance(answer, VisitsFound)
        assert [(visit.camera, visit.verdict) for visit in answer.visits] == [("front_door", "denied")]
        assert isinstance(web.ask(FindLastSeen(), to="log", role="viewer"), LastSeenFound)
        assert isinstance(web.ask(b"no wish", to="log"), RefusedWish)
        refusal = web.ask(FindVisits(), to="nobody")
        assert isinstance(refusal, RefusedWish)
        assert "the site has log" in refusal.problem


def test_an_admin_unlocks_a_door_in_a_browser(folder: Path) -> None:
    """It is on record with who did it; a clerk may not."""
    with MonitoredSite(folder) as site, closing(AskingWeb(load(site.file).broker)) as web:
        for _ in range(10):
            site.decide_once()
        refusal = web.ask(UnlockDoor(camera="front_door"), role="clerk")
        assert isinstance(refusal, RefusedWish)
        assert refusal.forbidden
        assert isinstance(web.ask(UnlockDoor(camera="front_door"), by="Zoe"), Done)
        assert isinstance(web.ask(UnlockDoor(camera="front_door")), RefusedWish)
        found = web.ask_until(FindVisits(), lambda one: isinstance(one, VisitsFound) and one.acts, to="log")
        assert isinstance(found, VisitsFound)
        assert found.acts[0].words.startswith("Zoe (admin) unlocked front_door")
