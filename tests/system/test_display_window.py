"""What the person at the door sees, on a screen, at the end of the whole chain."""

from pathlib import Path

import pytest

from tests.support.screens import need_xdotool, press_until_ended, share_of, wait_until_seen
from tests.support.sites import DENIED, GRANTED, RealSite
from tests.support.views import BIDEN, OBAMA
from turnstile.drawing.draw import GREEN, RED

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]


@need_xdotool
def test_a_window_shows_who_was_granted_and_ends_by_q(
    folder: Path, virtual_screen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A green banner for one who is enrolled, a red one for one who is not."""
    monkeypatch.setenv("DISPLAY", virtual_screen)
    with RealSite(folder, window=True) as site:
        site.enrol("barack_obama.jpg")
        site.start_all()
        site.wait_until_enrolled(1)
        site.show(OBAMA)
        wait_until_seen(virtual_screen, lambda shot: share_of(shot, GREEN) > 0.03)
        site.wait_until_left()
        assert site.visits == [("door", *GRANTED)]
        site.show(BIDEN)
        wait_until_seen(virtual_screen, lambda shot: share_of(shot, RED) > 0.03)
        press_until_ended(site.nodes.running["screen"], virtual_screen, "Turnstile: screen", "q")
        assert site.nodes.exit_code("screen") == 0
        site.wait_for(lambda: site.visits == [("door", *GRANTED), ("door", *DENIED)])
