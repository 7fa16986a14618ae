"""`turnstile unlock` against a real broker."""

from pathlib import Path

import pytest

from tests.support.monitored import MonitoredSite
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.system


def test_a_locked_door_is_shown_and_unlocked(folder: Path) -> None:
    """Ten denials lock it; status and metrics say so, and the command ends it."""
    with MonitoredSite(folder) as site:

        def turnstile(*words: str) -> tuple[int, str]:
            process = site.programs.start("-m", "turnstile", *words, "--config", str(site.file))
            printed, said = process.communicate(timeout=PATIENCE_S)
            return process.returncode, printed + said

        for _ in range(10):
            site.decide_once()
        assert "front_door is locked out until" in turnstile("status")[1]
        assert "turnstile_doors_locked_out 1.0" in site.get("/metrics")[1]
        assert turnstile("unlock", "front_door") == (0, "front_door is unlocked\n")
        assert turnstile("unlock", "front_door") == (0, "front_door is not locked out\n")
        code, said = turnstile("unlock", "back_door")
    assert (code, said) == (1, "error: back_door: no such camera; the site has front_door\n")
