"""A node's counters and state, and when its beat is sent."""

import os
from dataclasses import dataclass, field

import pytest

from tests.support.waiting import Clock
from turnstile import __version__
from turnstile.io.runner.heart import MAX_DETAIL_CHARS, Heart
from turnstile.protocol.messages import Beat, decode, encode
from turnstile.protocol.roles import NodeRole
from turnstile.protocol.state import State


@dataclass
class APort:
    """Keeps what is sent."""

    broker_lost: bool = False
    trouble: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    sent: list[Beat] = field(default_factory=list)
    topics: set[str] = field(default_factory=set)

    def send(self, topic: str, beat: Beat, /) -> None:
        """Keep it."""
        self.topics.add(topic)
        self.sent.append(beat)


def a_heart(*, period_s: float = 3600.0, rates: tuple[str, ...] = (), role: NodeRole = "logger") -> Heart:
    """Return a logger's heart."""
    return Heart(node="log", instance="log-a1b2c3d4", role=role, rates=rates, period_s=period_s)


def the_beat(heart: Heart, port: APort) -> Beat:
    """Return the beat that is due."""
    assert heart.beat(port)
    return port.sent[-1]


def test_the_first_beat_is_due_at_once_and_the_next_after_the_period() -> None:
    """A node is seen as soon as it runs."""
    heart, port = a_heart(), APort()
    assert heart.beat(port)
    assert not heart.beat(port)
    assert (len(port.sent), port.topics) == (1, {"status.log."})


def test_the_last_beat_of_a_node_that_stops_says_that_it_has_ended() -> None:
    """At once, though the one before has just been sent; a node without a bus has none."""
    heart, port = a_heart(), APort()
    heart.report(State.DEGRADED, "the disk is full")
    assert heart.beat(port)
    heart.end()
    assert [(beat.state, beat.detail) for beat in port.sent][1:] == [(State.ENDED, "")]
    a_heart().end()


def test_a_beat_carries_who_and_what() -> None:
    """It is a valid message on the node's own topic, with what the bus counts."""
    heart = a_heart()
    heart.report(State.DEGRADED, "the disk is full")
    heart.count("frames_in")
    heart.count("frames_in", 2)
    heart.set_counts({"dropped": 7})
    heart.gauge("queue_age_ms", 1.5)
    beat = the_beat(heart, APort(counts={"refused_messages": 4}))
    assert decode(encode(beat)) == beat
    assert (beat.node, beat.instance, beat.role) == ("log", "log-a1b2c3d4", "logger")
    assert (beat.state, beat.detail) == (State.DEGRADED, "the disk is full")
    assert heart.words == "degraded: the disk is full"
    assert (beat.pid, beat.version) == (os.getpid(), __version__)
    assert beat.counts == {"frames_in": 3, "dropped": 7, "refused_messages": 4}
    assert beat.gauges == {"queue_age_ms": 1.5}


def test_a_long_detail_is_cut_off() -> None:
    """A path in an error may be longer than a beat takes."""
    heart = a_heart()
    heart.report(State.DEGRADED, "a" * 10_000)
    assert the_beat(heart, APort()).detail == "a" * MAX_DETAIL_CHARS


def test_a_beat_is_not_changed_by_what_is_counted_after_it() -> None:
    """It was true when it was sent."""
    heart = a_heart()
    beat = the_beat(heart, APort())
    heart.count("frames_in")
    assert beat.counts == {}


def test_rates_are_changes_a_second_since_the_last_beat() -> None:
    """Nothing counted since then is 0, whatever was counted before."""
    heart, port = a_heart(period_s=0.0, rates=("frames_in",)), APort()
    heart.count("frames_in", 1_000_000)
    first, second = the_beat(heart, port), the_beat(heart, port)
    assert first.gauges["frames_in_per_s"] > 0
    assert second.gauges["frames_in_per_s"] == 0


@pytest.mark.parametrize("rates", [(), ("never_counted",)])
def test_what_was_never_counted_does_no_harm(rates: tuple[str, ...]) -> None:
    """A node that has just started has counted nothing."""
    beat = the_beat(a_heart(rates=rates), APort())
    assert all(value == 0 for value in beat.gauges.values())


def test_a_node_is_live_only_while_it_hears_the_broker(caplog: pytest.LogCaptureFixture) -> None:
    """It starts until the broker is heard first; finding and losing it are logged once each."""
    heart, port, states = a_heart(period_s=0.0), APort(), list[str]()
    with caplog.at_level("INFO", "turnstile"):
        for lost in (True, True, False, False, True, True, False):
            port.broker_lost = lost
            heart.report(State.LIVE)
            states.append(the_beat(heart, port).state)
    assert states == ["starting", "starting", "live", "live", "lost", "lost", "live"]
    assert caplog.messages == ["broker found", "broker lost", "broker found"]


def test_a_camera_is_not_lost_because_the_broker_is() -> None:
    """Displays show a lost camera at the door; nor is it live while nobody gets its pictures."""
    heart = a_heart(role="capture")
    heart.report(State.LIVE)
    beat = the_beat(heart, APort(broker_lost=True, trouble="no broker answers at tcp://here:1"))
    assert beat.state is State.DEGRADED
    assert beat.detail == "waiting for the broker: no broker answers at tcp://here:1"


def test_a_node_says_within_5_s_and_each_minute_that_the_broker_is_not_reached(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With what to check; and once that it is reached again."""
    clock = Clock()
    heart = Heart(node="log", instance="log-a1b2c3d4", role="logger", clock=clock)
    port = APort(broker_lost=True, trouble="no broker answers")
    said: list[tuple[int, str]] = []
    with caplog.at_level("INFO", "turnstile"):
        for second in range(130):
            if second == 125:
                port.broker_lost, port.trouble = False, ""
            heart.report(State.LIVE)
            heart.beat(port)
            said += [(second, words) for words in caplog.messages]
            caplog.clear()
            clock.put_forward(1.0)
    assert said == [
        *((3, "no broker answers"), (63, "no broker answers"), (123, "no broker answers")),
        *((125, "node and broker reach each other again"), (125, "broker found")),
    ]


def test_a_node_that_hears_and_is_not_heard_is_degraded() -> None:
    """As with a wrong ingress, or a firewall that lets one port through."""
    clock = Clock()
    heart, port = a_heart(), APort(trouble="no broker answers at tcp://here:1")
    heart = Heart(node="log", instance="log-a1b2c3d4", role="logger", clock=clock)
    for _ in range(5):
        heart.report(State.LIVE)
        heart.beat(port)
        clock.put_forward(1.0)
    assert heart.words == "degraded: no broker answers at tcp://here:1"


def test_trouble_of_its_own_is_said_also_without_the_broker() -> None:
    """It is there when the broker is back."""
    heart = a_heart()
    heart.report(State.DEGRADED, "the disk is full")
    assert the_beat(heart, APort(broker_lost=True)).state is State.DEGRADED
