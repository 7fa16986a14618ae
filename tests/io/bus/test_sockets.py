"""The sockets: what is kept, what is dropped and counted, and how a node finds its broker again."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import msgspec
import pytest
import zmq

from tests.support.addresses import free_addresses
from tests.support.builders import a_beat, a_frame, an_access
from tests.support.waiting import PATIENCE_S, Clock, wait_until
from turnstile.errors import ConfigError, WireError
from turnstile.io.bus.broker import BrokerSockets
from turnstile.io.bus.guard import Guard
from turnstile.io.bus.keys import KeyFolder
from turnstile.io.bus.nodes import Bus, Heard
from turnstile.protocol.envelope import Message
from turnstile.protocol.messages import AnyMessage, decode, encode
from turnstile.protocol.permissions import BROKER_TOPIC
from turnstile.protocol.requests import MAX_WISH_BYTES
from turnstile.site.addresses import is_local
from turnstile.site.settings import BrokerSettings

STALL_S = 10.0
"""For so long a node was busy or stopped, and heard nothing."""

BEAT = a_beat(node="broker", instance="broker-1")
BODY = encode(BEAT)


@pytest.fixture(params=["ipc", "tcp"])
def addresses(request: pytest.FixtureRequest, folder: Path) -> BrokerSettings:
    """Return addresses that are free: in the file system, and on loopback."""
    if request.param == "ipc":
        return ipc(folder)
    ingress, egress = free_addresses(2)
    return BrokerSettings(ingress=ingress, egress=egress)


def ipc(folder: Path) -> BrokerSettings:
    """Return a broker's addresses in a folder."""
    return BrokerSettings(ingress=f"ipc://{folder}/in", egress=f"ipc://{folder}/out", max_frame_bytes=10_000)


@pytest.fixture
def raw() -> Iterator["zmq.Context[zmq.Socket[bytes]]"]:
    """Give a context for sockets that do not keep to the protocol."""
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


def next_said(sockets: BrokerSockets) -> tuple[str, bytes]:
    """Return the next message that nodes said."""
    said = wait_until(sockets.receive, "a message of a node", between=lambda: sockets.wait(0.1))
    assert said is not None
    return said.topic, said.body


def next_message(sockets: BrokerSockets) -> AnyMessage:
    """Return the next message that nodes said, decoded."""
    return decode(next_said(sockets)[1])


def hear(bus: Bus, count: int = 1) -> list[Heard]:
    """Return what the bus hears until it is as much as wanted."""
    heard: list[Heard] = []
    wait_until(
        lambda: len(heard) >= count,
        lambda: f"{count} messages; heard {heard}",
        between=lambda: heard.extend(bus.receive(0.1)),
    )
    return heard


def wait_for_subscription(sockets: BrokerSockets, topic: str, *, subscribed: bool = True) -> None:
    """Return when a topic was subscribed or left."""
    wait_until(
        lambda: sockets.subscription() == (topic, subscribed),
        f"{topic} to be {'subscribed' if subscribed else 'left'}",
        between=lambda: sockets.wait(0.1),
    )


def say_until_heard(sockets: BrokerSockets, bus: Bus, message: Message) -> None:
    """Say something until it arrives: the bus connects by itself."""
    wait_until(
        lambda: bus.send("status.x.", message), "the bus to connect", between=lambda: bus.receive(0.05)
    )
    assert next_message(sockets) == message


def publish_until_heard(sockets: BrokerSockets, bus: Bus, topic: str = BROKER_TOPIC) -> None:
    """Publish until the bus hears it."""

    def ask() -> list[Heard]:
        sockets.publish(topic, BODY)
        return bus.receive(0.05)

    wait_until(ask, f"a message about {topic}")


def hear_until_renewed(bus: Bus) -> None:
    """Return when the bus has made its sockets anew."""
    before = bus.reconnects
    wait_until(lambda: bus.reconnects > before, "new sockets", between=lambda: bus.receive(0.0))


def test_what_is_said_arrives_and_what_is_published_is_heard(addresses: BrokerSettings) -> None:
    """Both ways, with topic and message."""
    with closing(BrokerSockets(addresses)) as sockets, closing(Bus(addresses, topics=["access.a."])) as bus:
        wait_for_subscription(sockets, "access.a.")
        sockets.publish("access.b.", encode(an_access(1)))
        sockets.publish("access.a.", encode(an_access(2)))
        assert bus.receive(PATIENCE_S) == [("access.a.", an_access(2))]
        wait_until(lambda: bus.send("frame.a.", a_frame()), "room for a frame")
        assert next_said(sockets) == ("frame.a.", encode(a_frame()))
        assert sockets.receive() is None


def test_nodes_start_without_an_event_loop() -> None:
    """Loading asyncio would take a seventh of a capture node's start."""
    asked = "import sys, turnstile.io.bus.nodes; print('asyncio' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


def test_a_broker_is_lost_until_it_is_heard(addresses: BrokerSettings) -> None:
    """And again when it falls silent; any message of it counts."""
    clock = Clock()
    with closing(BrokerSockets(addresses)) as sockets, closing(Bus(addresses, clock=clock)) as bus:
        lost = [bus.broker_lost]
        publish_until_heard(sockets, bus)
        lost.append(bus.broker_lost)
        clock.put_forward(STALL_S)
        lost.append(bus.broker_lost)
        assert lost == [True, False, True]


def test_without_a_broker_a_node_knows_what_to_check(addresses: BrokerSettings) -> None:
    """And with one, that nothing is wrong; one that is stopped takes connections and says nothing."""
    clock = Clock()
    with closing(Bus(addresses, clock=clock)) as bus:
        where = f"no broker answers at {addresses.egress}: check that it is running"
        wait_until(lambda: bus.trouble.startswith(where), "what to check")
        with closing(BrokerSockets(addresses)) as sockets:
            publish_until_heard(sockets, bus)
            wait_until(lambda: not bus.trouble, "contact both ways")
            clock.put_forward(STALL_S)
            assert "says nothing, though it takes connections" in bus.trouble


def test_a_node_that_hears_the_broker_and_cannot_speak_to_it_says_so(
    addresses: BrokerSettings, folder: Path
) -> None:
    """A wrong ingress, or a firewall that lets only one port through."""
    wrong = msgspec.structs.replace(addresses, ingress=f"ipc://{folder}/wrong")
    with closing(BrokerSockets(addresses)) as sockets, closing(Bus(wrong)) as bus:
        publish_until_heard(sockets, bus)
        assert bus.trouble.startswith(f"no broker answers at ipc://{folder}/wrong")


def test_a_node_finds_a_restarted_broker(addresses: BrokerSettings) -> None:
    """By itself: what it subscribed to comes again, and what it says arrives."""
    with closing(Bus(addresses, topics=["access."])) as bus:
        for _ in range(3):
            with closing(BrokerSockets(addresses)) as sockets:
                publish_until_heard(sockets, bus, "access.a.")
                say_until_heard(sockets, bus, a_beat())
            assert not bus.broker_lost


def test_sockets_are_made_anew_when_the_broker_falls_silent(addresses: BrokerSettings) -> None:
    """A connection that a partition left half open would be silent for ever."""
    clock = Clock()
    bus = Bus(addresses, topics=["access."], clock=clock)
    with closing(BrokerSockets(addresses)) as sockets, closing(bus):
        publish_until_heard(sockets, bus)
        clock.put_forward(STALL_S)
        hear_until_renewed(bus)
        assert bus.broker_lost
        publish_until_heard(sockets, bus, "access.a.")
        say_until_heard(sockets, bus, a_beat())
        assert bus.reconnects == 1


def test_a_busy_node_loses_nothing_that_waits(addresses: BrokerSettings) -> None:
    """After a stall of any length the messages that came meanwhile are heard, and the sockets are kept."""
    clock = Clock()
    bus = Bus(addresses, topics=["access."], clock=clock)
    with closing(BrokerSockets(addresses)) as sockets, closing(bus):
        publish_until_heard(sockets, bus)
        for seq in range(1, 21):
            sockets.publish("access.a.", encode(an_access(seq)))
        clock.put_forward(STALL_S)
        first = bus.receive(PATIENCE_S)
        heard = [message for _, message in [*first, *hear(bus, 20 - len(first))]]
        assert heard[-20:] == [an_access(seq) for seq in range(1, 21)]
        assert bus.reconnects == 0


def test_many_messages_come_in_portions(raw: "zmq.Context[zmq.Socket[bytes]]", folder: Path) -> None:
    """A node that is flooded still turns its loop."""
    with raw.socket(zmq.XPUB) as broker, closing(Bus(ipc(folder), topics=["a."])) as bus:
        broker.bind(ipc(folder).egress)
        for _ in range(2):
            broker.recv()
        for _ in range(600):
            broker.send_multipart([b"a.", BODY])
        portions = [len(hear(bus))]
        while sum(portions) < 600:
            portions.append(len(hear(bus)))
        assert max(portions) <= 256


def test_waiting_ends_when_the_wake_up_is_readable(folder: Path) -> None:
    """A signal ends it at once, however long the time-out."""
    reader, writer = os.pipe()
    clock = Clock()
    sockets = BrokerSockets(ipc(folder), wake_fds=(reader,))
    bus = Bus(ipc(folder), wake_fds=(reader,), clock=clock)
    with closing(sockets), closing(bus):
        os.write(writer, b"\x0f")
        assert bus.receive(3600.0) == []
        sockets.wait(3600.0)
        clock.put_forward(STALL_S)
        assert bus.receive(3600.0) == []
        assert bus.reconnects == 1
        assert bus.receive(3600.0) == []
    os.close(reader)
    os.close(writer)


def test_nothing_is_kept_for_a_broker_that_is_away(addresses: BrokerSettings) -> None:
    """It is dropped and said so, and never arrives late."""
    with closing(Bus(addresses)) as bus:
        assert not bus.send("status.x.", a_beat(detail="old"))
        assert bus.receive(0.0) == []
        with closing(BrokerSockets(addresses)) as sockets:
            say_until_heard(sockets, bus, a_beat(detail="new"))


def test_a_sender_never_waits_for_a_slow_broker(addresses: BrokerSettings) -> None:
    """What does not fit is dropped and said so; what was taken arrives in order; then it goes on."""
    with closing(BrokerSockets(addresses)) as sockets, closing(Bus(addresses, send_hwm=2)) as bus:
        say_until_heard(sockets, bus, a_beat())
        taken = []
        for seq in range(1, 100_000):
            if bus.send("frame.a.", a_frame(seq=seq, jpeg=bytes(9000))):
                taken.append(seq)
            elif len(taken) > 2:
                break
        assert len(taken) < 10_000
        for seq in taken:
            assert next_message(sockets) == a_frame(seq=seq, jpeg=bytes(9000))
        wait_until(lambda: bus.send("status.x.", a_beat()), "room for a beat")
        assert next_message(sockets) == a_beat()


def test_a_slow_hearer_costs_others_nothing(folder: Path) -> None:
    """What it cannot take is dropped for it alone."""
    slow, fast = (Bus(ipc(folder), topics=["a."], receive_hwm=1) for _ in range(2))
    with closing(BrokerSockets(ipc(folder))) as sockets, closing(slow), closing(fast):
        for bus in (slow, fast):
            publish_until_heard(sockets, bus, "a.")
        while fast.receive(0.1):
            pass
        for seq in range(1, 3001):
            frame = a_frame(seq=seq, jpeg=bytes(5000))
            sockets.publish("a.", encode(frame))
            assert fast.receive(PATIENCE_S) == [("a.", frame)]


def test_the_last_words_leave_within_their_time(addresses: BrokerSettings) -> None:
    """Sent just before closing, heard after."""
    with closing(BrokerSockets(addresses)) as sockets:
        bus = Bus(addresses)
        say_until_heard(sockets, bus, a_beat())
        assert bus.send("status.x.", a_beat(detail="bye"))
        bus.close(linger_s=PATIENCE_S)
        assert next_message(sockets) == a_beat(detail="bye")


def test_closing_waits_for_nobody(addresses: BrokerSettings) -> None:
    """Without a broker there is nobody to take the last words."""
    bus = Bus(addresses)
    bus.send("status.x.", a_beat())
    bus.close(linger_s=3600.0)


def test_topics_can_be_taken_up_and_left(folder: Path) -> None:
    """Also across new sockets; twice is once."""
    clock = Clock()
    with closing(BrokerSockets(ipc(folder))) as sockets, closing(Bus(ipc(folder), clock=clock)) as bus:
        for _ in range(2):
            bus.subscribe("a.")
            bus.subscribe("b.")
        wait_for_subscription(sockets, "b.")
        for _ in range(2):
            bus.unsubscribe("a.")
        wait_for_subscription(sockets, "a.", subscribed=False)
        bus.unsubscribe("never.")
        clock.put_forward(STALL_S)
        hear_until_renewed(bus)
        wait_for_subscription(sockets, "b.")
        sockets.publish("a.", BODY)
        sockets.publish("b.", BODY)
        assert hear(bus) == [("b.", BEAT)]


def test_a_subscriber_that_leaves_is_announced(addresses: BrokerSettings) -> None:
    """That is how the broker learns of a recognizer's end."""
    with closing(BrokerSockets(addresses)) as sockets:
        with closing(Bus(addresses, topics=["work.a.a-1."])):
            wait_for_subscription(sockets, "work.a.a-1.")
        wait_for_subscription(sockets, "work.a.a-1.", subscribed=False)
        assert sockets.subscription() is None


MALFORMED = [
    [b"one part"],
    [b"three", b"parts", b"here"],
    [b""],
    [b"\xff\xfe", BODY],
    [b"x" * 257, BODY],
    [b"a.", b"no message"],
    [b"a.", b""],
    [b"", b""],
    [b"a.", b"\x81\xa1t\xa8frame/99"],
]


def test_malformed_messages_are_counted_by_nodes(raw: "zmq.Context[zmq.Socket[bytes]]", folder: Path) -> None:
    """And the next good one is heard."""
    with raw.socket(zmq.XPUB) as broker, closing(Bus(ipc(folder), topics=["", "x"])) as bus:
        broker.bind(ipc(folder).egress)
        for _ in range(3):
            assert broker.recv()
        for parts in MALFORMED:
            broker.send_multipart(parts)
        broker.send_multipart([b"a.", BODY])
        assert hear(bus) == [("a.", BEAT)]
        assert bus.refused == len(MALFORMED)


def test_malformed_messages_are_refused_by_the_broker(
    raw: "zmq.Context[zmq.Socket[bytes]]", folder: Path
) -> None:
    """Each with what was wrong; it does not decode, which is the caller's."""
    with closing(BrokerSockets(ipc(folder))) as sockets, raw.socket(zmq.PUSH) as node:
        node.connect(ipc(folder).ingress)
        for parts in MALFORMED[:5]:
            node.send_multipart(parts)
        for _ in MALFORMED[:5]:
            sockets.wait(PATIENCE_S)
            with pytest.raises(WireError, match=r"parts|topic"):
                sockets.receive()


def test_whoever_sends_what_cannot_be_used_is_named_and_counted_without_keys(
    raw: "zmq.Context[zmq.Socket[bytes]]", addresses: BrokerSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """By address and role, or on one machine by the process; one line a minute, whatever it sends."""
    who = "127.0.0.1" if addresses.ingress.startswith("tcp") else f"process {os.getpid()}"
    with closing(BrokerSockets(addresses)) as sockets, raw.socket(zmq.PUSH) as node:
        node.connect(addresses.ingress)
        for _ in range(3):
            node.send_multipart([b"frame.front_door.", b"no message"])
            next_said(sockets)
            sockets.note_unusable("not a Turnstile message")
        assert sockets.refusals.worst(9) == {who: 3}
    said = "a camera's message under the topic 'frame.front_door.': not a Turnstile message"
    assert caplog.messages == [f"refused from {who}: {said}"]


def test_an_oversized_message_ends_only_its_own_connection(
    raw: "zmq.Context[zmq.Socket[bytes]]", folder: Path
) -> None:
    """Somewhat too large comes through, to be counted; much too large never fills the broker's memory."""
    addresses = ipc(folder)
    limit = MAX_WISH_BYTES + 2**20
    with closing(BrokerSockets(addresses)) as sockets, closing(Bus(addresses)) as honest:
        say_until_heard(sockets, honest, a_beat())
        with raw.socket(zmq.PUSH) as node:
            node.connect(addresses.ingress)
            node.send_multipart([b"a.", bytes(limit)])
            assert next_said(sockets) == ("a.", bytes(limit))
            events = node.get_monitor_socket(zmq.EVENT_DISCONNECTED)
            node.send_multipart([b"a.", bytes(limit + 1)])
            assert events.poll(round(PATIENCE_S * 1000))
            events.close()
            node.disable_monitor()
        say_until_heard(sockets, honest, a_beat(detail="still here"))


def test_subscriptions_that_are_none_are_counted(raw: "zmq.Context[zmq.Socket[bytes]]", folder: Path) -> None:
    """An XSUB can send the broker anything."""
    with closing(BrokerSockets(ipc(folder))) as sockets, raw.socket(zmq.XSUB) as node:
        node.connect(ipc(folder).egress)
        node.send(b"\x02garbage")
        node.send(b"")
        node.send(b"\x01\xff\xfe")
        node.send(b"\x01work.a.a-1.")
        wait_for_subscription(sockets, "work.a.a-1.")
        assert sockets.refused == 3


def test_a_second_broker_is_told_that_there_is_one(addresses: BrokerSettings) -> None:
    """In the words of the site file, and without a trace left behind."""
    with closing(BrokerSockets(addresses)):
        if addresses.ingress.startswith("tcp"):
            with pytest.raises(ConfigError, match=r"cannot bind .*another broker may be running"):
                BrokerSockets(addresses)


@pytest.mark.parametrize("end", ["ingress", "egress"])
def test_an_address_that_cannot_be_used_is_a_configuration_error(folder: Path, end: str) -> None:
    """Of the broker and of nodes."""
    too_long = msgspec.structs.replace(ipc(folder), **{end: f"ipc://{folder}/{'x' * 200}"})
    elsewhere = msgspec.structs.replace(ipc(folder), **{end: "tcp://192.0.2.1:5755"})
    keys = KeyFolder(folder / "keys")
    keys.create()
    with pytest.raises(ConfigError, match=r"cannot connect to ipc://.*too long"):
        Bus(too_long)
    with pytest.raises(ConfigError, match=r"cannot bind ipc://.*too long"):
        BrokerSockets(too_long)
    with pytest.raises(ConfigError, match="cannot bind"):
        BrokerSockets(elsewhere, guard=Guard(keys, shown={}))


def has_ipv6() -> bool:
    """Tell whether this machine has the IPv6 loopback."""
    with zmq.Context() as context, context.socket(zmq.PULL) as probe:
        probe.setsockopt(zmq.IPV6, 1)
        with suppress(zmq.ZMQError):
            probe.bind("tcp://[::1]:0")
            return True
    return False


def test_nodes_reach_a_broker_over_ipv6() -> None:
    """An address in brackets."""
    if not has_ipv6():
        pytest.skip("no IPv6 on this machine")
    any_port = BrokerSettings(ingress="tcp://[::1]:0", egress="tcp://[::1]:0")
    with closing(BrokerSockets(any_port)) as sockets:
        ingress, egress = (one.getsockopt_string(zmq.LAST_ENDPOINT) for one in (sockets.pull, sockets.xpub))
        with closing(Bus(BrokerSettings(ingress=ingress, egress=egress))) as bus:
            publish_until_heard(sockets, bus)
            say_until_heard(sockets, bus, a_beat())


@pytest.mark.parametrize(
    ("address", "bind_host"),
    [
        ("tcp://192.168.1.10:5755", ""),
        ("tcp://broker.local:5755", ""),
        ("tcp://127.0.0.1:5755", "0.0.0.0"),  # noqa: S104 - that is what is refused
        ("tcp://127.0.0.1:5755", "*"),
        ("tcp://127.0.0.1:5755", "::"),
        ("tcp://127.0.0.1:5755", "eth0"),
        ("tcp://127.evil.example:5755", ""),
        ("tcp://[fd00::1]:5755", ""),
    ],
)
def test_what_others_reach_is_not_bound_without_keys(address: str, bind_host: str) -> None:
    """The refusal names the two commands that make keys; a node does not connect there either."""
    addresses = BrokerSettings(ingress=address, egress="tcp://127.0.0.1:5756", bind_host=bind_host)
    with pytest.raises(ConfigError, match=r"keys init --config .*keys bundle NAME --config"):
        BrokerSockets(addresses)
    if not is_local(address):
        with pytest.raises(ConfigError, match="needs a key"):
            Bus(addresses)


STALLED_BROKER = """
import sys, time
from pathlib import Path
from turnstile.site.settings import BrokerSettings
from turnstile.io.bus.broker import BrokerSockets
at = Path(sys.argv[1])
sockets = BrokerSockets(BrokerSettings(ingress=f"ipc://{at}/in", egress=f"ipc://{at}/out"))
print("bound", flush=True)
sys.stdin.readline()
received = 0
while True:
    sockets.wait(0.3)
    if sockets.receive() is None:
        break
    received += 1
print("alive", received, flush=True)
"""


def test_a_peer_that_goes_while_its_queue_is_full_stops_nobody(
    raw: "zmq.Context[zmq.Socket[bytes]]", folder: Path
) -> None:
    """With heartbeats on the ingress, libzmq 4.3.5 aborted the broker at the next one."""
    command = [sys.executable, "-W", "ignore", "-c", STALLED_BROKER, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as broker:
        assert broker.stdout is not None
        assert broker.stdout.readline() == "bound\n"
        with raw.socket(zmq.PUSH) as node:
            node.linger = 0
            node.connect(f"ipc://{folder}/in")
            while node.poll(1000, zmq.POLLOUT):
                node.send_multipart([b"frame.a.", bytes(100_000)], zmq.DONTWAIT)
        two_heartbeats_s = 1.2
        with contextlib.suppress(subprocess.TimeoutExpired):
            broker.wait(two_heartbeats_s)
        printed, _ = broker.communicate("\n", timeout=PATIENCE_S)
        assert printed.startswith("alive")
        assert broker.returncode == 0
