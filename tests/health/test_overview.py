"""What `turnstile top` shows, from beats."""

import msgspec

from tests.site.test_settings import a_document
from tests.support.builders import a_beat
from turnstile.health.overview import MAX_PROCESSES, NO_LOSS, CameraRow, Loss, NodeRow, Overview, Watch
from turnstile.health.roster import Heard
from turnstile.protocol.messages import Beat
from turnstile.protocol.roles import NodeRole
from turnstile.site.document import build

NOW = 1000.0


def of(
    beat: Beat,
    *,
    role: NodeRole = "capture",
    counts: dict[str, int] | None = None,
    gauges: dict[str, float] | None = None,
) -> Beat:
    """Return a beat with other values."""
    return msgspec.structs.replace(beat, role=role, counts=counts or {}, gauges=gauges or {})


def view(*heard: tuple[float, Beat], now_s: float = NOW) -> Overview:
    """Return what is shown after these beats, each with the second it was said at."""
    watch = Watch(site=build(a_document()))
    for said_s, beat in heard:
        watch.receive(Heard(beat, said_s))
    return watch.view(now_s)


def the_node(shown: Overview) -> NodeRow:
    """Return the row where there is one."""
    (row,) = shown.nodes
    return row


def test_a_recognizer_shows_its_rate_and_how_busy_it_is() -> None:
    """Never more than all of its time."""
    beat = a_beat(node="pool-1", instance="pool-1-a")
    row = the_node(
        view((NOW, of(beat, role="recognizer", gauges={"frames_in_per_s": 9, "busy_ms_per_s": 700})))
    )
    assert (row.in_per_s, row.out_per_s, row.busy) == (9, None, 0.7)
    row = the_node(view((NOW, of(beat, role="recognizer", gauges={"busy_ms_per_s": 1300}))))
    assert row.busy == 1


def test_losses_are_those_between_the_last_two_beats() -> None:
    """With the reason that weighs most; what was lost long ago is not shown."""
    before = of(a_beat(), counts={"dropped_x": 500, "refused_y": 0, "frames_in": 9})
    now = of(a_beat(), counts={"dropped_x": 501, "refused_y": 9, "frames_in": 90})
    assert the_node(view((NOW - 2, before), (NOW, now))).loss == Loss(5.0, "refused_y")
    assert the_node(view((NOW - 1, now), (NOW, now))).loss == NO_LOSS
    assert the_node(view((NOW, now))).loss == NO_LOSS


def test_a_beat_repeated_late_changes_nothing() -> None:
    """The broker repeats old ones to newcomers."""
    late = of(a_beat(detail="late"), counts={"dropped_x": 900})
    row = the_node(view((NOW, a_beat(detail="new")), (NOW - 5, late)))
    assert (row.status.detail, row.loss) == ("new", NO_LOSS)


def test_a_silent_node_shows_no_rates() -> None:
    """They are no longer true."""
    gauges = {"frames_in_per_s": 9.0, "queue_age_ms": 3.0, "frames_out_per_s": 8.0}
    row = the_node(view((NOW - 60, of(a_beat(), gauges=gauges))))
    assert row.status.silent
    assert (row.in_per_s, row.out_per_s, row.age_ms) == (None, None, None)


def test_a_camera_has_what_it_says_and_what_the_broker_says_of_it() -> None:
    """Sent by the one, recognized by the other."""
    told = {"results_per_s.front_door": 4.0, "wait_ms.front_door": 70.0, "age_ms.front_door": 300.0}
    broker = of(a_beat(node="broker", instance="broker-a"), role="broker", gauges=told)
    capture = of(a_beat(), gauges={"frames_out_per_s": 15.0})
    shown = view((NOW, broker), (NOW, capture))
    assert shown.broker is not None
    assert shown.cameras == [CameraRow("front_door", 15, 4, 70, 300, "live", is_well=True)]


def test_cameras_that_are_not_heard_or_not_in_the_site_file_are_shown_too() -> None:
    """The one is a fault, the other joined."""
    broker = of(a_beat(node="broker", instance="broker-a"), role="broker", gauges={"results_per_s.guest": 1})
    cameras = view((NOW, broker)).cameras
    assert cameras == [
        CameraRow("front_door", None, None, None, None, "not heard", is_well=False),
        CameraRow("guest", None, 1, None, None, "not heard", is_well=False),
    ]
    assert view((NOW - 9, a_beat())).cameras[0].state == "silent (was: live)"


def test_who_invents_processes_fills_no_memory() -> None:
    """The one silent longest makes room."""
    beats = [(NOW + number, a_beat(instance=f"a-{number}")) for number in range(MAX_PROCESSES + 5)]
    shown = view(*beats, now_s=NOW + MAX_PROCESSES + 4)
    assert len(shown.nodes) < 10


def test_a_camera_that_holds_up_the_others_has_its_share_beside_it() -> None:
    """The broker tells it only while the site cannot keep up."""
    broker = of(a_beat(node="broker", instance="a"), role="broker", gauges={"busy_share.front_door": 0.453})
    (row,) = view((NOW, broker), (NOW, of(a_beat()))).cameras
    assert row.state == "live; takes 45 % of the recognizers' time"
