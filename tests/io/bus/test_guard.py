"""The guard: only keys of the folder get in, each to its own, and a revoked one is out at once."""

import resource
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
import zmq

from tests.support.builders import a_beat, a_frame, a_result
from tests.support.curve_peer import LIBRARIES, CurvePeer
from tests.support.waiting import PATIENCE_S, wait_until
from turnstile.dispatch import limits as shares
from turnstile.errors import RefusedError, TurnstileError
from turnstile.io.bus.broker import BrokerSockets, Received
from turnstile.io.bus.guard import DEFAULT_MAX_FPS, MAX_SUBSCRIPTIONS, Guard
from turnstile.io.bus.keys import KeyFolder, NodeKey
from turnstile.io.bus.nodes import Bus
from turnstile.protocol.messages import encode
from turnstile.protocol.roles import Identity
from turnstile.site.settings import BrokerSettings

CAMERA = Identity("capture", "front_door")
POOL = Identity("recognizer", "pool")
PORTER = Identity("display", "porter")
BODY = encode(a_beat(node="broker", instance="broker-1"))


class Place:
    """A broker's sockets with keys, and what happened at them."""

    def __init__(self, folder: Path) -> None:
        self.keys = KeyFolder(folder / "keys")
        self.keys.create()
        for who in (CAMERA, POOL, PORTER):
            self.keys.add(who)
        self.broker = BrokerSettings(
            ingress=f"ipc://{folder}/in", egress=f"ipc://{folder}/out", max_frame_bytes=10_000
        )
        self.guard = Guard(self.keys, shown={"porter": ("front_door",)})
        self.sockets = BrokerSockets(self.broker, guard=self.guard)
        self.said: list[Received] = []
        self.refused: list[str] = []
        self.heard: list[tuple[str, bool]] = []

    def key(self, who: Identity) -> NodeKey:
        """Return somebody's key."""
        return self.keys.node_key(who)

    def bus(self, who: Identity, *topics: str) -> Bus:
        """Return somebody's side of the bus."""
        return Bus(self.broker, key=self.key(who), topics=topics)

    def turn(self) -> None:
        """Take in what has come, as the broker does."""
        self.sockets.wait(0.02)
        while (event := self.sockets.subscription()) is not None:
            self.heard.append(event)
        for _ in range(64):
            try:
                said = self.sockets.receive()
            except RefusedError as error:
                self.refused.append(str(error))
                continue
            if said is None:
                break
            self.said.append(said)

    def turn_until(self, condition: Callable[[], object]) -> None:
        """Go on until something holds."""
        wait_until(
            condition,
            lambda: ([said.topic for said in self.said[-3:]], self.refused[-3:], self.heard[-9:]),
            between=self.turn,
        )


@pytest.fixture
def place(folder: Path) -> Iterator[Place]:
    """Give a broker's sockets with keys."""
    place = Place(folder)
    yield place
    place.sockets.close()


@pytest.fixture
def raw() -> "Iterator[zmq.Context[zmq.Socket[bytes]]]":
    """Give a context for sockets that do not keep to the protocol."""
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


def a_socket(
    raw: "zmq.Context[zmq.Socket[bytes]]", kind: int, place: Place, who: Identity
) -> "zmq.Socket[bytes]":
    """Return a connected socket with somebody's key that says what it likes."""
    socket = raw.socket(kind)
    socket.linger = 0
    key = place.key(who)
    socket.setsockopt(zmq.CURVE_PUBLICKEY, key.own.public)
    socket.setsockopt(zmq.CURVE_SECRETKEY, key.own.secret)
    socket.setsockopt(zmq.CURVE_SERVERKEY, key.broker_public)
    socket.connect(place.broker.ingress if kind == zmq.PUSH else place.broker.egress)
    return socket


def test_a_key_is_let_in_and_known_at_each_message(place: Place) -> None:
    """Both ways."""
    with closing(place.bus(CAMERA)) as bus:
        place.turn_until(lambda: bus.send("frame.front_door.", a_frame()))
        place.turn_until(lambda: place.said)
        assert (place.said[0].sender, place.said[0].topic) == (CAMERA, "frame.front_door.")
        place.turn_until(lambda: ("status.broker.", True) in place.heard)
        place.sockets.publish("status.broker.", BODY)
        assert bus.receive(PATIENCE_S)


def test_without_a_key_or_with_another_nobody_gets_in(place: Place, folder: Path) -> None:
    """Neither plain text, nor a key nobody knows, nor a wrong idea of the broker's key."""
    strangers = KeyFolder(folder / "strangers")
    strangers.create()
    strangers.add(CAMERA)
    stranger = strangers.node_key(CAMERA)
    wrong_keys = [
        None,
        NodeKey(who=CAMERA, own=stranger.own, broker_public=place.key(CAMERA).broker_public),
        NodeKey(who=CAMERA, own=place.key(CAMERA).own, broker_public=stranger.broker_public),
    ]
    buses = [Bus(place.broker, key=key, topics=["frame."]) for key in wrong_keys]
    try:
        with closing(place.bus(CAMERA)) as known:
            place.turn_until(lambda: "unknown or revoked keys" in place.guard.refusals.by_name)
            place.turn_until(lambda: known.send("frame.front_door.", a_frame()))
            assert not any(bus.send("frame.front_door.", a_frame()) for bus in buses)
            place.turn_until(lambda: place.said and place.heard)
        assert len(place.said) == 1
        assert {topic for topic, _ in place.heard} == {"status.broker."}
    finally:
        for bus in buses:
            bus.close()


def test_a_node_can_tell_a_refused_key_from_other_troubles(place: Place, folder: Path) -> None:
    """It says whose key, that the broker wants one, or that this is not the broker whose key it has."""
    strangers = KeyFolder(folder / "strangers")
    strangers.create()
    strangers.add(CAMERA)
    stranger, own = strangers.node_key(CAMERA), place.key(CAMERA)
    troubles = {
        "refuses the key of capture:front_door: it is unknown there or revoked": NodeKey(
            who=CAMERA, own=stranger.own, broker_public=own.broker_public
        ),
        "wants a key and this side has none": None,
        "does not answer as this site's broker": NodeKey(
            who=CAMERA, own=own.own, broker_public=stranger.broker_public
        ),
    }
    for words, key in troubles.items():
        with closing(Bus(place.broker, key=key)) as bus:
            place.turn_until(partial(_says, bus, words))


def _says(bus: Bus, words: str) -> bool:
    return words in bus.trouble


def test_a_node_whose_key_is_revoked_says_so(place: Place) -> None:
    """Also when it was let in before."""
    with closing(place.bus(PORTER)) as bus:
        place.turn_until(lambda: ("status.broker.", True) in place.heard)
        place.sockets.publish("status.broker.", BODY)
        assert bus.receive(PATIENCE_S)
        place.keys.revoke("porter")

        def says_so() -> bool:
            bus.receive(0.01)
            return "refuses the key of display:porter" in bus.trouble

        place.turn_until(says_so)


def test_a_subscription_takes_effect_only_where_the_role_allows(place: Place) -> None:
    """The rest is counted by name; what is allowed goes on."""
    with closing(place.bus(PORTER, "gallery.", "frame.front_door.", "frame.back_door.", "result.")) as bus:
        place.turn_until(lambda: place.sockets.refused == 3)
        place.turn_until(lambda: len(place.heard) == 2)
        assert {topic for topic, _ in place.heard} == {"status.broker.", "frame.front_door."}
        for topic in ("gallery.", "frame.back_door.", "result.front_door.", "frame.front_door."):
            place.sockets.publish(topic, BODY)
        assert [topic for topic, _ in bus.receive(PATIENCE_S)] == ["frame.front_door."]
        assert place.guard.refusals.worst(1) == {"porter": 3}


def test_the_last_subscribers_end_is_told_and_a_refused_ones_is_not(place: Place) -> None:
    """Nobody makes the broker believe that a recognizer died by subscribing to its work and leaving."""
    work = "work.pool.pool-a1b2c3d4."
    with closing(place.bus(POOL, work)) as pool:
        place.turn_until(lambda: (work, True) in place.heard)
        with closing(place.bus(PORTER, "frame.front_door.", work)):
            place.turn_until(lambda: place.sockets.refused == 1)
            place.turn_until(lambda: ("frame.front_door.", True) in place.heard)
        place.turn_until(lambda: ("frame.front_door.", False) in place.heard)
        assert (work, False) not in place.heard
        place.sockets.publish(work, BODY)
        assert [topic for topic, _ in pool.receive(PATIENCE_S)] == [work]
    place.turn_until(lambda: (work, False) in place.heard)


@contextmanager
def a_peer_by_hand(place: Place, who: Identity) -> Iterator[CurvePeer]:
    """Give a subscriber with somebody's key that says what libzmq would not."""
    connected = socket.socket(socket.AF_UNIX)
    connected.settimeout(PATIENCE_S)
    connected.connect(place.broker.egress.removeprefix("ipc://"))
    key = place.key(who)
    with ThreadPoolExecutor(1) as pool:
        shaking = pool.submit(
            CurvePeer, connected, key.own.public, key.own.secret, key.broker_public, kind=b"SUB"
        )
        place.turn_until(shaking.done)
    with closing(shaking.result()) as peer:
        yield peer


by_hand = pytest.mark.skipif(not LIBRARIES, reason="pyzmq brings no libsodium here")


@by_hand
def test_nobody_gives_up_anothers_subscription(place: Place) -> None:
    """A display that says it has left a recognizer's work would leave the site without that recognizer."""
    work = "work.pool.pool-a1b2c3d4."
    with closing(place.bus(POOL, work)) as pool:
        place.turn_until(lambda: (work, True) in place.heard)
        with a_peer_by_hand(place, PORTER) as hostile:
            hostile.send_part(b"\0" + work.encode(), more=False)
            hostile.send_part(b"\1frame.front_door.", more=False)
            place.turn_until(lambda: ("frame.front_door.", True) in place.heard)
        assert (work, False) not in place.heard
        assert place.guard.refusals.worst(1) == {"porter": 1}
        place.sockets.publish(work, BODY)
        assert [topic for topic, _ in pool.receive(PATIENCE_S)] == [work]
    place.turn_until(lambda: (work, False) in place.heard)


@by_hand
def test_asking_often_for_anothers_work_hides_no_death(place: Place) -> None:
    """A connection holds a topic once, and gives it up once."""
    work = "work.pool.pool-a1b2c3d4."
    with closing(place.bus(POOL, work)):
        place.turn_until(lambda: (work, True) in place.heard)
        with a_peer_by_hand(place, PORTER) as hostile:
            for _ in range(3):
                hostile.send_part(b"\1" + work.encode(), more=False)
            hostile.send_part(b"\1frame.front_door.", more=False)
            place.turn_until(lambda: ("frame.front_door.", True) in place.heard)
        place.turn_until(lambda: ("frame.front_door.", False) in place.heard)
        assert (work, False) not in place.heard
    place.turn_until(lambda: (work, False) in place.heard)


def test_giving_up_a_topic_takes_effect(place: Place) -> None:
    """As without keys."""
    with closing(place.bus(PORTER, "frame.front_door.")) as bus:
        place.turn_until(lambda: ("frame.front_door.", True) in place.heard)
        bus.unsubscribe("frame.front_door.")
        place.turn_until(lambda: ("frame.front_door.", False) in place.heard)
        place.sockets.publish("frame.front_door.", BODY)
        place.sockets.publish("status.broker.", BODY)
        assert [topic for topic, _ in bus.receive(PATIENCE_S)] == ["status.broker."]


def test_a_revoked_key_is_cut_off_while_connected(place: Place) -> None:
    """It hears no more and says no more, and does not come back; others notice nothing."""
    with closing(place.bus(PORTER, "frame.front_door.")) as porter, closing(place.bus(CAMERA)) as camera:
        place.turn_until(lambda: place.heard.count(("status.broker.", True)) == 2)
        place.turn_until(lambda: ("frame.front_door.", True) in place.heard)
        place.turn_until(lambda: porter.send("status.porter.", a_beat(node="porter")))
        place.turn_until(lambda: camera.send("frame.front_door.", a_frame()))
        place.turn_until(lambda: len(place.said) == 2)
        place.keys.revoke("porter")
        place.turn_until(lambda: ("frame.front_door.", False) in place.heard)
        place.turn_until(lambda: not porter.send("status.porter.", a_beat(node="porter")))
        place.sockets.publish("frame.front_door.", BODY)
        place.turn_until(lambda: place.guard.refusals.by_name.get("unknown or revoked keys"))
        place.sockets.publish("status.broker.", BODY)
        assert camera.receive(PATIENCE_S)
        assert porter.receive(0.0) == []
        assert place.heard.count(("status.broker.", True)) == 2, "nobody else had to come back"
        assert camera.send("frame.front_door.", a_frame(seq=2))


def test_a_new_key_of_the_same_name_does_not_revive_the_old_one(place: Place) -> None:
    """A connection is its key's, not its name's."""
    with closing(place.bus(CAMERA)) as old:
        place.turn_until(lambda: old.send("frame.front_door.", a_frame()))
        place.turn_until(lambda: place.said)
        place.keys.revoke("front_door")
        place.keys.add(CAMERA)
        place.turn_until(lambda: place.guard.refusals.by_name.get("unknown or revoked keys"))
        with closing(place.bus(CAMERA)) as new:
            place.turn_until(lambda: new.send("frame.front_door.", a_frame(seq=7)))
            place.turn_until(lambda: len(place.said) == 2)
            assert not old.send("frame.front_door.", a_frame(seq=8))


def test_a_key_added_while_the_broker_runs_is_let_in(place: Place) -> None:
    """Nothing is restarted."""
    camera = Identity("capture", "back_door")
    place.keys.add(camera)
    with closing(place.bus(camera)) as bus:
        said = a_frame(camera="back_door")
        place.turn_until(lambda: bus.receive(0.0) or bus.send("frame.back_door.", said))
        place.turn_until(lambda: place.said)
        assert place.said[0].sender == camera


def test_without_an_authenticator_nobody_new_gets_in(place: Place) -> None:
    """Who is in stays in; the ports do not fall open, and the broker does not go on without."""
    with closing(place.bus(CAMERA)) as known:
        place.turn_until(lambda: known.send("frame.front_door.", a_frame()))
        place.turn_until(lambda: place.said)
        place.guard.authenticator.zap_socket.unbind("inproc://zeromq.zap.01")
        with closing(place.bus(POOL)) as late:
            for _ in range(20):
                place.turn()
                assert not late.send("ready.", a_beat())
        assert known.send("frame.front_door.", a_frame(seq=2))
        place.turn_until(lambda: len(place.said) == 2)
        place.guard.stop()
        with pytest.raises(TurnstileError, match="the authenticator is gone"):
            place.sockets.wait(0.01)


def test_garbage_at_the_egress_gives_nobody_anothers_subscription(
    place: Place, raw: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    """For libzmq then forgets whose the subscriptions are, and gives a recognizer's work to a display."""
    work = "work.pool.pool-a1b2c3d4."
    with a_socket(raw, zmq.XSUB, place, PORTER) as hostile:
        hostile.send(b"\1status.broker.")
        place.turn_until(lambda: ("status.broker.", True) in place.heard)
        with closing(place.bus(POOL)) as pool:
            place.turn_until(lambda: place.heard.count(("status.broker.", True)) == 2)
            hostile.send(b"\2garbage")
            pool.subscribe(work)
            hostile.send(b"\1frame.front_door.")
            time.sleep(0.2)  # all three wait when the broker looks
            place.turn_until(lambda: place.sockets.refused)
            place.turn_until(lambda: pool.receive(0.0) or (work, True) in place.heard)
            place.sockets.publish(work, BODY)
            assert [topic for topic, _ in pool.receive(PATIENCE_S)] == [work]
            assert not hostile.poll(50)


def test_a_flood_is_held_to_its_share_and_then_cut_off(
    place: Place, raw: "zmq.Context[zmq.Socket[bytes]]", caplog: pytest.LogCaptureFixture
) -> None:
    """Others of the same role are not; the name comes back after a while."""
    with a_socket(raw, zmq.PUSH, place, PORTER) as hostile, closing(place.bus(CAMERA)) as camera:
        frame = [b"status.porter.", encode(a_beat(node="porter"))]

        def flood() -> bool:
            for _ in range(200):
                if hostile.poll(0, zmq.POLLOUT):
                    hostile.send_multipart(frame, zmq.DONTWAIT)
            return "display:porter is cut off" in caplog.text

        place.turn_until(flood)
        from_porter = [said for said in place.said if said.sender == PORTER]
        assert len(from_porter) <= shares.MAX_MESSAGES_PER_S["display"] * (shares.BURST_S + PATIENCE_S)
        place.turn_until(lambda: camera.send("frame.front_door.", a_frame()))
        place.turn_until(lambda: place.said and place.said[-1].sender == CAMERA)


def test_a_camera_is_held_to_the_rate_of_its_site_file(
    place: Place, raw: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    """Not to what any camera could send: its frames are what everybody else has to take."""
    with a_socket(raw, zmq.PUSH, place, CAMERA) as hostile:
        frame = [b"frame.front_door.", encode(a_frame())]

        def flood() -> bool:
            for _ in range(200):
                if hostile.poll(0, zmq.POLLOUT):
                    hostile.send_multipart(frame, zmq.DONTWAIT)
            return len(place.refused) >= 200

        begin_s = time.monotonic()
        place.turn_until(flood)
        share = shares.share_of("capture", 0.0, max_fps=DEFAULT_MAX_FPS).messages
        assert len(place.said) <= share.most + share.per_s * (time.monotonic() - begin_s) + 1


def test_without_a_descriptor_left_known_keys_stay_and_revoked_ones_go(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Crowds of strangers can use up all of them: then no file can be opened, the keys' neither."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with closing(place.bus(CAMERA)) as camera, closing(place.bus(PORTER, "frame.front_door.")) as porter:
        place.turn_until(lambda: camera.send("frame.front_door.", a_frame()))
        place.turn_until(lambda: porter.send("status.porter.", a_beat(node="porter")))
        place.turn_until(lambda: len(place.said) == 2)
        place.keys.revoke("porter")
        resource.setrlimit(resource.RLIMIT_NOFILE, (8, limits[1]))  # fewer, and poll refuses
        try:
            place.turn_until(lambda: "the keys cannot be read" in caplog.text)
            place.turn_until(lambda: "the key of display:porter was revoked" in caplog.text)
            place.turn_until(lambda: camera.send("frame.front_door.", a_frame(seq=2)))
            place.turn_until(lambda: len(place.said) == 3)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert caplog.text.count("was revoked") == 1
        newcomer = Identity("capture", "back_door")
        place.keys.add(newcomer)
        with closing(place.bus(newcomer)) as bus:
            said = a_frame(camera="back_door")
            place.turn_until(lambda: bus.receive(0.0) or bus.send("frame.back_door.", said))


def test_one_connection_fills_no_memory_with_subscriptions(
    place: Place, raw: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    """Refused ones are remembered by libzmq too, until the connection ends: so it is ended."""
    with a_socket(raw, zmq.XSUB, place, PORTER) as hostile:
        hostile.send(b"\1frame.front_door.")
        place.turn_until(lambda: ("frame.front_door.", True) in place.heard)
        for number in range(2 * MAX_SUBSCRIPTIONS):
            hostile.send(b"\1" + b"frame.%d." % number)
        place.turn_until(
            lambda: (
                "too many subscriptions" in str(place.guard.refusals.by_name)
                or place.sockets.refused >= MAX_SUBSCRIPTIONS
            )
        )
        place.turn_until(lambda: ("frame.front_door.", False) in place.heard)


def test_what_a_message_says_in_anothers_name_is_counted(place: Place) -> None:
    """By the name of the key, and said once."""
    with closing(place.bus(CAMERA)) as bus:
        place.turn_until(lambda: bus.send("result.", a_result()))
        place.turn_until(lambda: place.said)
        error = place.sockets.refuse(place.said[0], "a capture says no Result")
        assert str(error) == "capture:front_door: a capture says no Result"
        assert place.guard.refusals.worst(1) == {"front_door": 1}
