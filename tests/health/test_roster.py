"""Which nodes of a site are alive."""

import msgspec

from turnstile.health.roster import Heard, NodeStatus, Roster, call_roll
from turnstile.protocol.messages import Beat
from turnstile.protocol.roles import NodeRole
from turnstile.protocol.state import State
from turnstile.site.settings import (
    BrokerSettings,
    CameraSettings,
    DisplaySettings,
    HostSettings,
    LoggerSettings,
    RecognizerSettings,
    Site,
)

SITE = Site(
    site="test",
    cameras={"door": CameraSettings(source=0)},
    recognizers={"recognizer-1": RecognizerSettings()},
    loggers={"log": LoggerSettings()},
    displays={"screen": DisplaySettings()},
)


def a_beat(
    node: str,
    *,
    said_s: float = 100.0,
    role: NodeRole = "recognizer",
    instance: str = "",
    state: State = State.LIVE,
    detail: str = "",
    counts: dict[str, int] | None = None,
    gauges: dict[str, float] | None = None,
) -> Heard:
    """Return a beat that was said at a second."""
    beat = Beat(
        node=node,
        instance=instance or f"{node}-1",
        role=role,
        host="here",
        pid=1,
        version="0.1.0",
        uptime_s=50.0,
        state=state,
        detail=detail,
        counts=counts or {},
        gauges=gauges or {},
    )
    return Heard(beat, said_s)


def the_roll(*heard: Heard) -> Roster:
    """Return what is known at second 100."""
    return call_roll(SITE, heard, now_s=100.0)


def the_only(*heard: Heard) -> NodeStatus:
    """Return the one node that is known."""
    (status,) = the_roll(*heard).nodes
    return status


def test_nodes_stand_in_the_order_frames_go() -> None:
    """The broker first, then by role and name."""
    nodes = the_roll(
        a_beat("screen", role="display"),
        a_beat("log", role="logger"),
        a_beat("recognizer-2"),
        a_beat("recognizer-1"),
        a_beat("door", role="capture"),
        a_beat("broker", role="broker"),
    ).nodes
    assert [node.node for node in nodes] == [
        "broker",
        "door",
        "recognizer-1",
        "recognizer-2",
        "log",
        "screen",
    ]


def test_a_node_is_silent_after_three_seconds_without_a_beat() -> None:
    """Its last state is kept."""
    assert not the_only(a_beat("door", said_s=97.0, role="capture")).silent
    silent = the_only(a_beat("door", said_s=96.9, role="capture"))
    assert (silent.silent, silent.age_s, silent.words) == (True, 3.1, "silent (was: live)")


def test_a_node_that_stopped_as_asked_has_ended_and_vanishes_after_a_minute() -> None:
    """It is not silent, as one is that died; and not the double of the process that follows it."""
    ended = the_only(a_beat("log", said_s=50.0, role="logger", state=State.ENDED))
    assert (ended.silent, ended.words) == (False, "ended")
    assert the_roll(a_beat("log", said_s=39.9, role="logger", state=State.ENDED)).nodes == ()
    before = a_beat("log", said_s=99.5, role="logger", state=State.ENDED, instance="log-old")
    roster = the_roll(before, a_beat("log", role="logger", instance="log-new"))
    assert ([node.instance for node in roster.nodes], roster.doubles) == (["log-new"], ())


def test_the_latest_beat_of_a_process_counts() -> None:
    """Whatever the order in which old ones are repeated."""
    beats = [
        a_beat("log", said_s=99.0, detail="new", role="logger"),
        a_beat("log", said_s=90.0, detail="old"),
    ]
    assert the_only(*beats).detail == the_only(*reversed(beats)).detail == "new"


def test_a_beat_from_a_clock_just_ahead_is_of_age_zero() -> None:
    """An age is never negative."""
    assert the_only(a_beat("log", said_s=100.1)).age_s == 0.0


def test_a_process_that_was_replaced_is_left_out() -> None:
    """Only while its successor lives; of two dead ones the later is shown."""
    old = a_beat("log", said_s=80.0, instance="log-old")
    new = a_beat("log", said_s=99.0, instance="log-new")
    dead = a_beat("log", said_s=90.0, instance="log-dead")
    assert the_only(old, new).instance == "log-new"
    assert the_only(old, dead).instance == "log-dead"


def test_two_living_processes_of_one_name_are_both_shown() -> None:
    """Two recognizers may have the same name."""
    nodes = the_roll(a_beat("recognizer-1", instance="b"), a_beat("recognizer-1", instance="a")).nodes
    assert [node.instance for node in nodes] == ["a", "b"]


def test_nodes_of_the_site_that_were_not_heard_are_named() -> None:
    """As the site file has them; recognizers that it does not name are welcome."""
    roster = the_roll(a_beat("broker", role="broker"), a_beat("door", role="capture"), a_beat("another"))
    assert roster.missing == ("loggers.log", "recognizers.recognizer-1", "displays.screen")
    assert the_roll().missing[0] == "broker"


def test_numbered_processes_are_missed_one_by_one() -> None:
    """Of one for each core, nobody knows how many there should be: one is enough."""
    pools = {"pool": RecognizerSettings(count=3), "cores": RecognizerSettings(count="auto")}
    site = msgspec.structs.replace(SITE, recognizers=pools, loggers={}, displays={}, cameras={})

    def missing(*names: str) -> tuple[str, ...]:
        beats = [a_beat("broker", role="broker"), *map(a_beat, names)]
        return call_roll(site, beats, now_s=100.0).missing

    assert missing("pool-1", "pool-3") == ("recognizers.pool-2", "recognizers.cores")
    assert missing("pool-1", "pool-2", "pool-3", "cores-4") == ()


def test_the_rate_of_a_node_is_that_of_what_leaves_it() -> None:
    """Else of what comes in, else there is none."""
    both = {"frames_in_per_s": 30.0, "frames_out_per_s": 15.0}
    assert the_only(a_beat("door", gauges=both)).frames_per_s == 15.0
    assert the_only(a_beat("door", gauges={"frames_in_per_s": 30.0})).frames_per_s == 30.0
    assert the_only(a_beat("door")).frames_per_s is None


def test_losses_are_what_was_dropped_refused_or_bad() -> None:
    """By reason; zeros and other counts are not among them."""
    counts = {
        "frames_in": 9,
        "dropped_newer_came": 4,
        "refused_tokens": 1,
        "bad_frames": 2,
        "dropped_frozen": 0,
    }
    assert the_only(a_beat("door", counts=counts)).losses == {
        "bad_frames": 2,
        "dropped_newer_came": 4,
        "refused_tokens": 1,
    }


def test_what_a_node_that_is_well_has_to_say_is_a_notice_and_of_others_the_reason() -> None:
    """The table stays narrow, and nothing is lost."""
    well = the_only(a_beat("broker", role="broker", detail="no rules"))
    assert (well.words, well.notice) == ("live", "no rules")
    degraded = the_only(a_beat("broker", role="broker", state=State.DEGRADED, detail="no rules"))
    assert (degraded.words, degraded.notice) == ("degraded: no rules", "")


def test_a_node_stands_on_the_host_that_the_site_file_names() -> None:
    """A machine calls itself something else; who is not in the file has the machine's name."""
    hosts = {"gate": HostSettings(address="192.0.2.1")}
    pool = {"pool": RecognizerSettings(host="gate", count="auto")}
    site = Site(
        site="test",
        hosts=hosts,
        broker=BrokerSettings(host="gate"),
        cameras={"door": CameraSettings(source=0, host="gate")},
        recognizers=pool,
    )
    heard = [a_beat("door", role="capture"), a_beat("pool-3"), a_beat("lab")]
    nodes = call_roll(site, heard, now_s=100.0).nodes
    assert {node.node: node.host for node in nodes} == {"door": "gate", "pool-3": "gate", "lab": "here"}


def test_what_several_nodes_say_alike_is_one_line() -> None:
    """An edited site file is news to all of them."""
    changed = "site.yaml changed"
    heard = (a_beat("door", role="capture", detail=changed), a_beat("pool", detail=changed), a_beat("lab"))
    assert the_roll(*heard).notices == ["door, pool: site.yaml changed"]


def test_two_living_processes_of_one_name_are_told_and_a_restart_is_not() -> None:
    """As with a site file copied to another machine; recognizers may be many."""
    copied = the_roll(
        a_beat("screen", role="display", instance="screen-1"),
        a_beat("screen", role="display", instance="screen-2", said_s=99.0),
        a_beat("pool", instance="pool-1"),
        a_beat("pool", instance="pool-2"),
    )
    assert copied.doubles == ("display screen runs 2 times: screen-1 on here, screen-2 on here",)
    restarted = the_roll(
        a_beat("screen", role="display", instance="screen-1", said_s=98.0),
        a_beat("screen", role="display", instance="screen-2"),
    )
    assert restarted.doubles == ()
