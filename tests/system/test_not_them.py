"""`turnstile not` on a running site: the visit's face is unknown from then on, until it is taken back."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.sites import DENIED, GRANTED, SWIFT, RealSite
from tests.support.views import OBAMA
from turnstile.commands.cli import main

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


@pytest.fixture
def site(folder: Path) -> Iterator[RealSite]:
    """Give a site where Obama is enrolled and was granted once, as it says in the log."""
    with RealSite(folder, sections={"decision": {**SWIFT, "record": "results"}, "displays": {}}) as site:
        site.enrol("barack_obama.jpg")
        site.start_all()
        site.wait_until_enrolled(1)
        site.wait_for_visit(OBAMA, GRANTED)
        site.wait_for(lambda: len(site.logged) == 1)
        yield site


@pytest.fixture
def say(site: RealSite, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Give what runs `turnstile not` and returns what it prints."""

    def run(*words: str) -> str:
        assert main(["not", *words, "--config", str(site.nodes.site_file)]) == 0
        return capsys.readouterr().out

    return run


def test_a_face_that_was_not_theirs_is_denied_until_that_is_taken_back(
    site: RealSite, say: Callable[..., str]
) -> None:
    """It is shown first and nothing is kept; the running broker heeds what is kept at once."""
    shown = say("barack obama", "--event", "1")
    assert "1 grant with a picture, 1 would be denied" in shown
    by_pictures, _, by_recording = shown.partition("by the recording:\n")
    assert "granted to Barack Obama" in by_pictures
    assert "granted Barack Obama" in by_recording.partition("→")[0]
    assert "1 verdict then" in by_recording
    assert "no difference" not in by_recording
    assert "nothing is kept yet" in shown
    assert say("--list") == ""
    say("Barack Obama", "--event", "1", "--yes")
    assert say("--list").startswith("Barack Obama: not in event ")
    site.wait_for_visit(OBAMA, DENIED)
    assert site.accesses[-1].max_distance == 0.0
    say("Barack Obama", "--undo", "1")
    site.wait_for_visit(OBAMA, GRANTED)
