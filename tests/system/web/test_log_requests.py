"""What people who are signed in ask a logger, through a real broker."""

from contextlib import closing
from pathlib import Path

import pytest

from tests.support.asking import AskingWeb
from tests.support.monitored import MonitoredSite
from turnstile.io.site.file import load
from turnstile.requests.answers import LastSeenFound, RefusedWish, VisitsFound
from turnstile.requests.wishes import FindLastSeen, FindVisits

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
