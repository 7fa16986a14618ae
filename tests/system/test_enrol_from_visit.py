"""`turnstile enrol --from-event` on a running site: a visitor whom nobody knew is known the next time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sites import DENIED, GRANTED, RealSite
from tests.support.views import OBAMA
from turnstile.commands.cli import main

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


@pytest.fixture
def site(folder: Path) -> Iterator[RealSite]:
    """Give a site where nobody is enrolled and somebody was denied, as it says in the log."""
    with RealSite(folder, sections={"displays": {}}) as site:
        site.start_all()
        site.wait_for_visit(OBAMA, DENIED)
        site.wait_for(lambda: len(site.logged) == 1)
        yield site


def test_the_picture_of_a_visit_enrols_the_visitor(
    site: RealSite, capsys: pytest.CaptureFixture[str]
) -> None:
    """At once, without a restart; nothing is learnt before somebody says who it was."""
    site_file = str(site.nodes.site_file)
    site.wait_for_visit(OBAMA, DENIED)
    assert main(["enrol", "Barack Obama", "--from-event", "1", "--config", site_file]) == 0
    site.wait_until_enrolled(1)
    site.wait_for_visit(OBAMA, GRANTED)
    site.wait_for(lambda: len(site.logged) == 3)
    capsys.readouterr()
    assert main(["people", "--config", site_file]) == 0
    said = capsys.readouterr().out
    assert "Barack Obama" in said
    assert "1 person, 1 picture" in said
    assert "Barack Obama, 1: events " in said
    assert "1 person has fewer than 3 good pictures (Barack Obama)" in site.words("broker")
