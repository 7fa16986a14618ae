"""The board: beats kept for newcomers, and the broker's own beat."""

from collections import Counter
from pathlib import Path

import pytest

from tests.support.builders import a_beat, a_frame, a_site
from turnstile.io.health.board import MAX_NAMES_REFUSED, Board
from turnstile.io.metrics.hops import Meter
from turnstile.io.runner.heart import Heart
from turnstile.protocol.messages import Beat

SECOND = 1_000_000_000


class QuietDesk:
    """A desk that counted three things and holds five."""

    def __init__(self) -> None:
        self.counts = Counter(things=3)

    def gauges(self) -> dict[str, float]:
        """Return what it holds."""
        return {"held": 5}


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """Return a board whose heart beats whenever it is asked."""
    heart = Heart(node="broker", instance="broker-1", role="broker", period_s=0.0)
    return Board(heart=heart, meter=Meter(a_site(tmp_path)), desks=[QuietDesk()])


def beat_of(board: Board, now_ns: int = SECOND, refused: dict[str, int] | None = None) -> Beat:
    """Return the broker's beat."""
    ((about, beat),) = board.due(now_ns, refused_subscriptions=2, refused=refused or {})
    assert about == "status.broker."
    assert isinstance(beat, Beat)
    return beat


def test_the_brokers_beat_tells_of_all_desks_and_of_refusals(board: Board) -> None:
    """One beat says how the whole broker does."""
    beat = beat_of(board, refused={"capture front_door": 7})
    assert beat.counts == {"things": 3, "refused_subscriptions": 2, "refused_from_capture front_door": 7}
    assert beat.gauges["held"] == 5


def test_only_so_many_names_are_told(board: Board) -> None:
    """Whoever invents names leaves room for the other counts."""
    many = {f"name-{number}": number for number in range(3 * MAX_NAMES_REFUSED)}
    assert len(beat_of(board, refused=many).counts) == MAX_NAMES_REFUSED + 2


def test_a_camera_that_is_gone_is_told_of_no_more(board: Board) -> None:
    """Its gauges leave with it."""
    board.meter.came(a_frame(camera="store"), SECOND)
    assert "wait_ms.store" in beat_of(board).gauges
    board.meter.forget("store")
    assert "wait_ms.store" not in beat_of(board).gauges


def test_a_newcomer_gets_the_last_beats_of_all_and_the_brokers_own(board: Board) -> None:
    """Each says how old it is; one of an hour ago is forgotten."""
    board.take(a_beat(node="store", instance="store-1"), 0)
    board.take(a_beat(instance="front_door-1"), 2 * SECOND)
    beat_of(board, 3602 * SECOND - 1)
    last = board.last_beats("status.", 3602 * SECOND - 1)
    assert [(about, message.age_s > 3599) for about, message in last if isinstance(message, Beat)] == [
        ("status.front_door.", True),
        ("status.broker.", False),
    ]
    assert board.last_beats("status.store.", 3602 * SECOND) == []


def test_cameras_that_cost_much_are_named_once_a_minute(
    board: Board, caplog: pytest.LogCaptureFixture
) -> None:
    """In one line, when cameras wait."""
    for second in (10, 12, 14):
        board.meter.came(a_frame(camera="hall"), (second - 2) * SECOND)
        board.meter.loads.answered("gate", 1, busy_ms=750)
        board.meter.loads.answered("yard", 1, busy_ms=250)
        assert beat_of(board, second * SECOND).gauges["busy_share.gate"] == 0.75
    assert board.notice == (
        "cameras wait for a recognizer; of the recognizers' time gate takes 75 %, yard takes 25 %"
    )
    (said,) = (record.getMessage() for record in caplog.records)
    assert said == board.notice.replace("wait for", "wait 2.0 s for") + (
        ": lower their size_px or max_fps, or start more recognizers"
    )
    beat_of(board, 15 * SECOND)
    assert board.notice == ""
