"""How `turnstile status` puts things."""

from io import StringIO

import pytest
from rich.console import Console

from tests.support.builders import a_beat
from turnstile.commands.health.status import duration, report
from turnstile.health.roster import Heard, call_roll
from turnstile.site.settings import Site


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"), (12_000, "3 h 20 min"), (370_800, "4 d 07 h")],
)
def test_durations_have_two_units_at_most(seconds: float, words: str) -> None:
    """Nobody needs the seconds of a node that has been up for days."""
    assert duration(seconds) == words


def test_counts_of_one_are_singular() -> None:
    """And a name behind them stays as it is."""
    counts = {"frames_in": 1, "entries": 1, "faces": 2, "refused_messages": 1, "refused_from_doors": 1}
    roster = call_roll(Site(site="test", cameras={}), [Heard(a_beat(counts=counts), 0.0)], now_s=0.0)
    said = StringIO()
    report(roster, console=Console(file=said, width=300))
    assert "1 frame in, 1 entry, 2 faces" in said.getvalue()
    assert "1 refused from doors, 1 refused message\n" in said.getvalue()
