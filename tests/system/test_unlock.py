"""`turnstile unlock` against a real broker."""

from functools import partial
from pathlib import Path

import pytest

from tests.support.monitored import MonitoredSite
from tests.support.processes import stop
from tests.support.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.system


def test_a_locked_door_is_shown_and_unlocked(folder: Path) -> None:
    """Ten denials lock it; status and metrics say so, the command ends it, and the log has who did it."""
    with MonitoredSite(folder) as site:

        def turnstile(*words: str) -> tuple[int, str]:
            process = site.programs.start("-m", "turnstile", *words, "--config", str(site.file))
            printed, said = process.communicate(timeout=PATIENCE_S)
            return process.returncode, printed + said

        def shows(command: tuple[str, ...], words: str) -> bool:
            return words in turnstile(*command)[1]

        for _ in range(10):
            site.decide_once()
        assert "front_door is locked out until" in turnstile("status")[1]
        assert "turnstile_doors_locked_out 1.0" in site.get("/metrics")[1]
        assert turnstile("unlock", "front_door") == (0, "front_door is unlocked\n")
        assert turnstile("unlock", "front_door") == (0, "front_door is not locked out\n")
        code, said = turnstile("unlock", "back_door")
        words = " unlocked front_door at "
        for command in (("log", "tail"), ("log", "query"), ("log", "verify"), ("log", "export")):
            wait_until(partial(shows, command, words), f"{command} to show it")
    assert (code, said) == (1, "error: back_door: no such camera; the site has front_door\n")


def test_nobody_enters_by_a_broker_whose_clock_is_in_the_past(folder: Path, tmp_path: Path) -> None:
    """Status says so with both times; it is on record when the operator says that the clock is right."""
    clock = tmp_path / "clock"
    clock.touch()
    with MonitoredSite(folder, clock=clock) as site:
        site.decide_once()
        stop(site.broker)
    clock.write_text("-3600")
    with MonitoredSite(folder, clock=clock, people_before=1) as site:

        def turnstile(*words: str) -> str:
            process = site.programs.start("-m", "turnstile", *words, "--config", str(site.file))
            printed, said = process.communicate(timeout=PATIENCE_S)
            return printed + said

        assert "nobody may enter: this machine's clock stands at " in turnstile("status")
        assert turnstile("unlock", "--clock") == "the broker believes its clock\n"
        assert turnstile("unlock", "--clock") == "the broker's clock is not behind\n"
        assert "nobody may enter" not in turnstile("status")
        words = "said that the broker's clock is right at "
        wait_until(lambda: words in turnstile("log", "verify"), "the log to have it")
