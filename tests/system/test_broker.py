"""The broker as a process, among honest, dying, stopped and hostile peers that the test plays."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
import zmq

from tests.support.builders import (
    START_NS,
    a_beat,
    a_face,
    a_frame,
    a_jpeg,
    a_log,
    a_picture,
    a_ready,
    a_result,
    a_site,
    a_template,
    a_work,
    an_access,
    an_encoding,
    some_people,
)
from tests.support.enrolled import enrol, picture_of
from tests.support.processes import Process, Programs, stop
from tests.support.waiting import PATIENCE_S, wait_until
from turnstile.io.bus.nodes import Bus
from turnstile.protocol.envelope import Message
from turnstile.protocol.messages import (
    Access,
    AnyMessage,
    Beat,
    Bye,
    Entries,
    Face,
    Fetch,
    Frame,
    Log,
    People,
    Picture,
    Query,
    Result,
    Taken,
    Work,
    encode,
)
from turnstile.protocol.reasons import Reason
from turnstile.protocol.state import State
from turnstile.protocol.topics import log_topic, topic, work_topic
from turnstile.site.settings import BrokerSettings

pytestmark = pytest.mark.system

M = TypeVar("M", bound=Message)

ENROLLED = msgspec.structs.replace(a_face(), encoding=an_encoding())
"""A face with the encoding of whomever a test enrols."""

EVERYTHING = ("status.", "frame.", "result.", "access.", "query.", "entries.", "log.", "gallery.")


class Peer:
    """Somebody on the bus, and what he heard."""

    def __init__(self, broker: BrokerSettings, *topics: str) -> None:
        self.bus = Bus(broker, topics=topics)
        self.heard: list[tuple[str, AnyMessage]] = []

    def send(self, about: str, message: Message) -> None:
        """Say something as soon as there is a connection."""
        wait_until(lambda: self.bus.send(about, message), "the broker", between=self.receive)

    def receive(self) -> None:
        """Take in what comes, or wait a little for it."""
        self.heard += self.bus.receive(0.05)

    def wait_for(self, kind: type[M], where: Callable[[M], bool] = lambda _: True) -> M:
        """Return the first message of a kind that was not waited for before, and forget those before it."""

        def first() -> M | None:
            while self.heard:
                _, message = self.heard.pop(0)
                if isinstance(message, kind) and where(message):
                    return message
            return None

        found = wait_until(first, f"a {kind.__name__}", between=self.receive)
        assert found is not None
        return found


class Recognizer(Peer):
    """Takes work and answers as the test says."""

    def __init__(
        self, broker: BrokerSettings, name: str = "recognizer-1", *, instance: str = "", engine: str = ""
    ) -> None:
        self.name, self.instance = name, instance or f"{name}-a1b2c3d4"
        self.engine = engine
        super().__init__(broker, "gallery.", work_topic(name, self.instance))

    def ready(self, *, gallery_version: str = "") -> None:
        """Say that there is a credit."""
        ready = a_ready(name=self.name, instance=self.instance, gallery_version=gallery_version)
        self.send("ready.", ready)

    def next_work(self) -> Work:
        """Say again and again that there is a credit, until work comes."""
        return self._ready_until(Work)

    def next_picture(self) -> Picture:
        """Say again and again that there is a credit, until a picture to encode comes."""
        return self._ready_until(Picture)

    def next_gallery(self) -> People:
        """Say again and again that there is a credit, until a gallery comes."""
        return self._ready_until(People)

    def answer(self, work: Work, *faces: Face, problem: str = "") -> None:
        """Say what is to be seen in a frame."""
        result = a_result(*faces, work=work, name=self.name, instance=self.instance, problem=problem)
        self.send("result.", result)

    def encode(
        self, picture: Picture, *, encoding: bytes | None = None, problem: str = "", engine: str = ""
    ) -> None:
        """Answer with the encoding of a picture, or why there is none."""
        template = a_template(
            token=picture.token,
            name=self.name,
            instance=self.instance,
            engine=engine or self.engine,
            encoding=encoding,
            problem=problem,
        )
        self.send("template.", template)

    def _ready_until(self, kind: type[M]) -> M:
        def ask() -> M | None:
            self.ready()
            self.receive()
            for at, (_, message) in enumerate(self.heard):
                if isinstance(message, kind):
                    del self.heard[at]
                    return message
            return None

        found = wait_until(ask, f"a {kind.__name__}", between=lambda: None)
        assert found is not None
        return found


class Place:
    """A site with a real broker."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.faces = folder / "faces"
        self.faces.mkdir()
        self.site = a_site(
            folder,
            f"broker: {{ingress: 'ipc://{folder}/in', egress: 'ipc://{folder}/out', journal: journal.db, "
            "lease_s: 4, max_frame_bytes: 20000, max_frame_px: 100000, max_cameras: 3, max_recognizers: 4}",
            "decision: {rules: rules.yaml, deny_not_before_s: 0, absence_s: 0.5}",
            "loggers: {log: {file: access_log.txt}}",
        )
        self._stack = stack
        self._programs = stack.enter_context(Programs())
        self.broker = self.start_broker()
        self.ear = self.peer(*EVERYTHING)

    def start_broker(self) -> Process:
        """Start a broker; there may be one already."""
        return self._programs.start("broker.py", "--config", str(self.folder / "site.yaml"))

    def start(self, script: str, *arguments: str) -> Process:
        """Start a script that finds the repository's modules."""
        return self._programs.start("-c", script, *arguments)

    def peer(self, *topics: str) -> Peer:
        """Connect somebody."""
        peer = Peer(self.site.broker, *topics)
        self._stack.callback(peer.bus.close)
        return peer

    def recognizer(self, name: str = "recognizer-1", *, instance: str = "") -> Recognizer:
        """Connect a recognizer."""
        engine = self.site.recognition.encoding
        recognizer = Recognizer(self.site.broker, name, instance=instance, engine=engine)
        self._stack.callback(recognizer.bus.close)
        return recognizer

    def raw(self) -> "zmq.Socket[bytes]":
        """Connect a socket that need not keep to the protocol."""
        context = self._stack.enter_context(zmq.Context())
        socket: zmq.Socket[bytes] = self._stack.enter_context(context.socket(zmq.PUSH))
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(self.site.broker.ingress)
        return socket

    def send(self, frame: Frame) -> None:
        """Say a frame as its camera does."""
        self.ear.send(topic("frame", frame.camera), frame)

    def enrol(self, person: str, encoding: bytes = an_encoding()) -> None:
        """Enrol somebody, and return when the gallery has the person."""
        enrol(self.site, {person: encoding})
        self.ear.wait_for(People, lambda people: person in people.persons)

    def count(self, name: str, at_least: int = 1) -> int:
        """Wait until the broker has counted so much, and return how much it is."""
        beat = self.ear.wait_for(
            Beat, lambda beat: beat.node == "broker" and beat.counts.get(name, 0) >= at_least
        )
        return beat.counts[name]

    def wait_for_gauge(self, name: str, value: float) -> None:
        """Wait until the broker says so."""
        self.ear.wait_for(Beat, lambda beat: beat.node == "broker" and beat.gauges.get(name) == value)


@pytest.fixture
def place(folder: Path) -> Iterator[Place]:
    """Give a site whose broker is heard."""
    with ExitStack() as stack:
        place = Place(folder, stack)
        place.ear.wait_for(Beat)
        yield place


def test_a_frame_goes_to_displays_and_to_a_recognizer_and_comes_back_as_a_result(place: Place) -> None:
    """Its own frame number and time; the token stays between broker and recognizer."""
    recognizer = place.recognizer()
    place.send(a_frame(seq=7))
    assert place.ear.wait_for(Frame) == a_frame(seq=7)
    work = recognizer.next_work()
    assert (work.camera, work.seq, work.captured_ns) == ("front_door", 7, a_frame(seq=7).captured_ns)
    assert work.jpeg == a_frame().jpeg
    assert work.token
    recognizer.answer(work, a_face(None))
    result = place.ear.wait_for(Result)
    assert (result.seq, result.token, result.faces) == (7, "", (a_face(None),))


def test_whatever_is_said_the_broker_goes_on(place: Place) -> None:
    """Malformed, unknown, oversized, and not for the broker: counted and dropped."""
    hostile = place.raw()
    not_for_it = [
        a_work(),
        a_picture(),
        some_people("Ann"),
        an_access(),
        a_log(),
    ]
    malformed = [
        [b""],
        [b"one part"],
        [b"three", b"parts", b"here"],
        [b"\xff\xfe", encode(a_beat())],
        [b"x" * 300, encode(a_beat())],
        [b"frame.front_door.", b"no message"],
        [b"frame.front_door.", encode(a_frame())[:-1]],
        [b"frame.front_door.", encode(a_frame()) + b"\0"],
        [b"frame.front_door.", encode(a_frame()).replace(b"frame/3", b"frame/9")],
        [b"frame.back_door.", encode(a_frame())],
        [b"status.broker.", encode(a_beat())],
        [b"status.broker.", encode(a_beat(node="broker"))],
        [b"status.x.", encode(msgspec.structs.replace(a_beat(node="x"), role="broker"))],
        [b"query.", encode(Query(asker="a")).replace(b"\xa1a", b"\xa2a\n")],
        *([b"anything.", encode(message)] for message in not_for_it),
    ]
    for parts in malformed:
        hostile.send_multipart(parts)
    assert place.count("refused_messages", len(malformed)) == len(malformed)
    assert place.count(f"refused_from_process {os.getpid()}", len(malformed)) == len(malformed)
    hostile.send_multipart([b"frame.front_door.", bytes(3 * 2**20)])
    place.send(a_frame(seq=1))
    assert place.count("frames_in") == 1
    assert place.broker.poll() is None


def test_of_a_flood_every_frame_is_seen_or_counted_and_the_newest_come_through(place: Place) -> None:
    """Cameras that send more than can be checked lose older frames, and no answer waits for them."""
    cameras = [f"camera-{number}" for number in range(3)]
    screen = place.peer(*(topic("frame", camera) for camera in cameras))
    floods = [place.raw() for _ in cameras]
    os.kill(place.broker.pid, signal.SIGSTOP)
    for seq in range(1, 61):
        for camera, flood in zip(cameras, floods, strict=True):
            body = encode(a_frame(camera=camera, instance=camera, seq=seq))
            flood.send_multipart([topic("frame", camera).encode(), body])
    os.kill(place.broker.pid, signal.SIGCONT)
    shown: dict[str, int] = {}

    def has_all_newest(frame: Frame) -> bool:
        shown[frame.camera] = frame.seq
        return shown == dict.fromkeys(cameras, 60)

    screen.wait_for(Frame, has_all_newest)
    counts = place.ear.wait_for(
        Beat,
        lambda beat: beat.counts.get("frames_in", 0) + beat.counts.get("dropped_unseen", 0) == 3 * 60,
    ).counts
    assert counts["frames_in"] >= len(cameras)


def test_frames_that_nobody_needs_yet_are_looked_at_at_their_cameras_turn(place: Place) -> None:
    """No display shows them. Those that newer ones overtake are counted, and a broken one does no harm."""
    place.ear.bus.unsubscribe("frame.")
    seqs = count(1)

    def send_more() -> None:
        place.send(a_frame(seq=next(seqs)))
        place.ear.receive()

    def has_dropped() -> bool:
        beats = [one for _, one in place.ear.heard if isinstance(one, Beat)]
        return any(beat.counts.get("dropped_unseen", 0) > 0 for beat in beats)

    wait_until(has_dropped, "frames dropped unseen", between=send_more)
    broken = next(seqs)
    place.send(a_frame(seq=broken, jpeg=b"broken"))
    recognizer = place.recognizer()
    work = recognizer.next_work()
    assert work.seq < broken
    assert place.count("refused_pictures", 1) == 1
    recognizer.answer(work)
    place.send(a_frame(seq=next(seqs)))
    assert recognizer.next_work().seq == broken + 1


def test_frames_that_no_decoder_should_see_are_refused_by_their_header(place: Place) -> None:
    """Nobody gets them: no display, no recognizer."""
    recognizer = place.recognizer()
    refused = {
        "progressive": a_jpeg(progressive=True),
        "cut short": a_jpeg()[:-2],
        "too many pixels": a_jpeg(400, 300),
        "of another size": a_jpeg(32, 32),
        "empty": b"",
        "no JPEG": b"GIF89a",
        "too many bytes": a_jpeg()[:2] + b"\xff\xfe\xff\xff" + bytes(65533) + a_jpeg()[2:],
    }
    for seq, jpeg in enumerate(refused.values(), start=1):
        place.send(a_frame(seq=seq, jpeg=jpeg))
    place.send(a_frame(seq=10))
    assert place.ear.wait_for(Frame).seq == 10
    assert recognizer.next_work().seq == 10
    assert place.count("refused_pictures", len(refused)) == len(refused)


def test_results_are_taken_only_for_work_that_is_out(place: Place) -> None:
    """Unknown tokens, tokens of others, and results of other frames change nothing and reach nobody."""
    recognizer, other = place.recognizer(), place.recognizer("recognizer-2")
    place.send(a_frame(seq=1))
    work = recognizer.next_work()
    other.send("result.", a_result(a_face(), token="00ff"))
    other.answer(work, a_face())
    recognizer.send("template.", a_template(token="00ff"))
    assert place.count("refused_tokens", 3) == 3
    recognizer.answer(msgspec.structs.replace(work, camera="back_door"), a_face())
    assert place.count("refused_messages") == 1
    recognizer.answer(work, a_face())
    assert place.count("repeated_answers") == 1
    place.send(a_frame(seq=2))
    recognizer.answer(recognizer.next_work())
    assert place.ear.wait_for(Result).seq == 2


def test_an_answer_is_confirmed_whether_it_is_new_or_said_again(place: Place) -> None:
    """A recognizer repeats it until then, because the confirmation may be lost as well."""
    recognizer = place.recognizer()
    place.send(a_frame(seq=1))
    work = recognizer.next_work()
    for _ in range(2):
        recognizer.answer(work)
        assert recognizer.wait_for(Taken).token == work.token
    assert place.count("repeated_answers") == 1
    assert place.count("results") == 1


def test_a_result_is_taken_after_the_connection_broke(place: Place) -> None:
    """It is said again over the new one; the frame is not handed out again."""
    recognizer = place.recognizer()
    place.send(a_frame(seq=1))
    work = recognizer.next_work()
    recognizer.bus.close()
    assert place.count("frames_written_off") == 1
    recognizer = place.recognizer(instance=recognizer.instance)
    recognizer.answer(work)
    assert recognizer.wait_for(Taken).token == work.token
    assert place.ear.wait_for(Result).seq == 1
    assert place.count("answered_after_reconnect") == 1
    place.send(a_frame(seq=2))
    assert recognizer.next_work().seq == 2


def test_a_recognizer_gets_nothing_before_its_subscription_is_seen(place: Place) -> None:
    """Its word alone is not enough: what was sent would be lost."""
    place.send(a_frame(seq=1))
    for _ in range(3):
        place.ear.send("ready.", a_ready())
    place.send(a_frame(seq=2))
    place.count("frames_in", 2)
    assert place.count("dropped_newer_came") == 1
    recognizer = place.recognizer()
    assert recognizer.next_work().seq == 2


HANGING = """
import signal
import sys
import time
from tests.system.test_broker import Recognizer
from turnstile.site.settings import BrokerSettings

asked = []
signal.signal(signal.SIGUSR1, lambda number, frame: asked.append(number))
recognizer = Recognizer(BrokerSettings(ingress=sys.argv[1], egress=sys.argv[2]), "hanging")
work = recognizer.next_work()
print(work.seq, flush=True)
while not asked:
    time.sleep(0.05)
recognizer.answer(work)
while True:
    work = recognizer.next_work()
    recognizer.answer(work)
    print(work.seq, flush=True)
"""


def a_hanging_recognizer(place: Place) -> Process:
    """Start a recognizer that hangs over the first frame it gets until SIGUSR1, and then works."""
    return place.start(HANGING, place.site.broker.ingress, place.site.broker.egress)


def next_line(process: Process) -> str:
    """Return the next line that a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def test_a_killed_recognizers_frame_goes_to_another(place: Place) -> None:
    """Or the camera's newest frame, if there is a newer one."""
    for newer in (False, True):
        hanging = a_hanging_recognizer(place)
        place.send(a_frame(seq=1 + 10 * newer))
        assert next_line(hanging) == str(1 + 10 * newer)
        if newer:
            place.send(a_frame(seq=12))
            place.ear.wait_for(Frame, lambda frame: frame.seq == 12)
        hanging.send_signal(signal.SIGKILL)
        hanging.wait()
        recognizer = place.recognizer()
        work = recognizer.next_work()
        assert work.seq == 1 + 11 * newer
        recognizer.answer(work)
        recognizer.bus.close()
        place.count("frames_written_off", 1 + newer)


def test_a_frame_that_took_two_recognizers_down_is_set_aside(place: Place) -> None:
    """It does not walk through the whole pool."""
    place.send(a_frame(seq=1))
    for _ in range(2):
        hanging = a_hanging_recognizer(place)
        assert next_line(hanging) == "1"
        hanging.send_signal(signal.SIGKILL)
        hanging.wait()
    assert place.count("frames_set_aside") == 1
    place.send(a_frame(seq=2))
    assert place.recognizer().next_work().seq == 2


def test_a_stopped_recognizer_loses_its_work_and_comes_back(place: Place) -> None:
    """Its lease ends, another takes over, its late result reaches nobody, and it works again."""
    hanging = a_hanging_recognizer(place)
    place.send(a_frame(seq=1))
    assert next_line(hanging) == "1"
    hanging.send_signal(signal.SIGSTOP)
    place.send(a_frame(seq=2))
    other = place.recognizer()
    other.answer(other.next_work())
    other.bus.close()
    place.wait_for_gauge("recognizers", 0)
    for number in (signal.SIGUSR1, signal.SIGCONT):
        hanging.send_signal(number)
    place.send(a_frame(seq=3))
    assert next_line(hanging) == "3"
    results = [place.ear.wait_for(Result) for _ in range(2)]
    assert [result.name for result in results] == ["recognizer-1", "hanging"]


def test_work_whose_lease_ends_goes_to_another(place: Place) -> None:
    """Also when the recognizer lives; its late result is refused, and its next word brings it work again."""
    slow, other = place.recognizer("slow"), place.recognizer("other")
    place.send(a_frame(seq=1))
    late = slow.next_work()
    work = other.next_work()
    assert work.seq == 1
    assert place.count("leases_ended") == 1
    slow.answer(late, a_face())
    assert place.count("refused_tokens") == 1
    other.answer(work)
    assert place.ear.wait_for(Result).name == "other"
    place.send(a_frame(seq=2))
    slow.answer(slow.next_work())
    assert place.ear.wait_for(Result).name == "slow"


def test_two_recognizers_of_one_name_are_told_apart(place: Place) -> None:
    """Each gets its own work and answers for itself."""
    first, second = (place.recognizer(instance=f"recognizer-1-{one}") for one in "ab")
    place.send(a_frame(seq=1))
    one = first.next_work()
    place.send(a_frame(seq=2))
    two = second.next_work()
    assert {one.seq, two.seq} == {1, 2}
    second.answer(one)
    place.count("refused_tokens")
    first.answer(one)
    second.answer(two)
    results = [place.ear.wait_for(Result) for _ in range(2)]
    assert {(result.seq, result.instance) for result in results} == {
        (1, first.instance),
        (2, second.instance),
    }


def test_somebody_elses_goodbye_only_delays(place: Place) -> None:
    """A recognizer that says that it is ready gets work again."""
    recognizer = place.recognizer()
    recognizer.ready()
    place.ear.send("bye.", Bye(name=recognizer.name, instance=recognizer.instance))
    place.send(a_frame(seq=1))
    recognizer.answer(recognizer.next_work())
    assert place.ear.wait_for(Result).seq == 1


def test_who_asks_for_status_hears_of_every_node_at_once(place: Place) -> None:
    """Each one's last beat again, with how old it is."""
    for node in ("front_door", "log"):
        place.ear.send(topic("status", node), a_beat(node=node, instance=f"{node}-1"))
        place.ear.wait_for(Beat, lambda beat, node=node: beat.node == node)  # type: ignore[misc]
    late = place.peer("status.")
    nodes = {late.wait_for(Beat, lambda beat: beat.age_s > 0).node for _ in range(3)}
    assert nodes == {"broker", "front_door", "log"}
    narrow = place.peer("status.log.")
    assert narrow.wait_for(Beat, lambda beat: beat.node != "broker").node == "log"


def test_made_up_cameras_do_not_keep_out_those_of_the_site(place: Place) -> None:
    """There is a bound on cameras, and the site's own are always within it."""
    for at in range(5):
        place.send(a_frame(camera=f"made_up_{at}"))
    assert place.count("refused_cameras", 2) == 2
    place.send(a_frame(camera="front_door"))
    place.ear.wait_for(Frame, lambda frame: frame.camera == "front_door")


def test_recognizers_beyond_the_bound_are_refused(place: Place) -> None:
    """And what is no work topic counts as nobody."""
    for about in ("work.", "work.a.", "work.a.b.c.", "work..b.", "work.a.."):
        place.peer(about)
    pool = [place.recognizer(f"recognizer-{at}") for at in range(4)]
    place.wait_for_gauge("recognizers", 4)
    place.recognizer("one-too-many")
    assert place.count("refused_recognizers") == 1
    place.send(a_frame(seq=1))
    assert pool[3].next_work().seq == 1


def test_a_joiner_gets_the_gallery_and_everybody_each_change(place: Place) -> None:
    """Pictures become work; adding, replacing and deleting them reaches every recognizer."""
    (place.faces / "ann_lee.jpg").write_bytes(b"a picture of Ann")
    first = place.recognizer()
    picture = first.next_picture()
    assert (picture.file, picture.data) == ("ann_lee.jpg", b"a picture of Ann")
    first.encode(picture)
    people = first.wait_for(People, lambda people: bool(people.persons))
    assert (people.persons, people.encodings) == (("Ann Lee",), an_encoding())
    joiner = place.recognizer("joiner")
    assert joiner.next_gallery() == people
    joiner.ready(gallery_version=people.version)
    (place.faces / "ann_lee.jpg").unlink()
    for recognizer in (first, joiner):
        assert recognizer.wait_for(People, lambda people: not people.persons).version != people.version
    place.wait_for_gauge("people", 0)


def test_pictures_that_cannot_be_encoded_stop_nothing(place: Place) -> None:
    """No face, a broken answer, an answer of another engine: said, counted, and the next is enrolled."""
    recognizer = place.recognizer()
    answers: list[Callable[[Picture], None]] = [
        lambda picture: recognizer.encode(picture, problem="there is no face in it"),
        lambda picture: recognizer.encode(picture, encoding=b"\xff" * 512),
        lambda picture: recognizer.encode(picture, encoding=b"short"),
        lambda picture: recognizer.encode(picture, engine="another/engine"),
        recognizer.encode,
    ]
    for at, answer in enumerate(answers):
        (place.faces / f"person_{'abcde'[at]}.jpg").write_bytes(b"picture %d" % at)
        answer(recognizer.next_picture())
    place.wait_for_gauge("people", 1)
    place.wait_for_gauge("pictures_refused", 4)
    assert place.count("refused_messages", 3) == 3
    code, said = stop(place.broker)
    assert code == 0
    assert said.count("is not used") == 4
    assert "faces/person_a.jpg is not used: there is no face in it" in said


def test_agreeing_frames_become_one_grant_that_loggers_can_fetch(place: Place) -> None:
    """Published once and journalled under one number."""
    recognizer = place.recognizer()
    place.enrol("Barack Obama")
    for seq in range(1, 4):
        place.send(a_frame(seq=seq))
        recognizer.answer(recognizer.next_work(), ENROLLED)
    access = place.ear.wait_for(Access)
    for seq in range(4, 9):
        place.send(a_frame(seq=seq))
        recognizer.answer(recognizer.next_work(), ENROLLED)
    place.ear.wait_for(Result, lambda result: result.seq == 8)
    assert (access.verdict, access.person, access.camera, access.seq) == (
        "granted",
        "Barack Obama",
        "front_door",
        1,
    )
    logger = place.peer(log_topic("log", "log-1"))
    logger.send("fetch.", Fetch(name="log", instance="log-1", source="", after_seq=0))
    assert [event.seq for event in logger.wait_for(Log).events] == [1]
    logger.send("fetch.", Fetch(name="log", instance="log-1", source=access.source, after_seq=2**63 - 1))
    again = logger.wait_for(Log, lambda log: log.source != access.source)
    assert [event.visit for event in again.events] == [access.visit]
    assert place.count("granted") == 1


@pytest.mark.parametrize("removed", [True, False])
def test_a_recognizers_key_does_not_open_the_door_for_somebody_who_is_not_enrolled(
    place: Place, *, removed: bool
) -> None:
    """Not for a name that never was, and not for somebody who was removed; displays get no name either."""
    recognizer = place.recognizer()
    place.enrol("Barack Obama")
    if removed:
        place.enrol("Mallory", an_encoding(9))
        picture_of(place.site, "Mallory").unlink()
        place.ear.wait_for(People, lambda people: "Mallory" not in people.persons)
    forged = msgspec.structs.replace(a_face("Mallory", distance=0.0), encoding=an_encoding(9))
    for seq in range(1, 10):
        place.send(a_frame(seq=seq))
        recognizer.answer(recognizer.next_work(), forged)
    assert place.ear.wait_for(Result).faces[0].person is None
    access = place.ear.wait_for(Access)
    assert (access.verdict, access.person, access.reason) == ("denied", None, Reason.UNKNOWN)


@pytest.mark.parametrize("set_by_s", [-3600, 3600, 10 * 365 * 86_400])
def test_a_door_whose_cameras_clock_is_set_goes_on(place: Place, set_by_s: int) -> None:
    """Whoever leaves has left, and whoever comes next is decided upon: time is the broker's own."""
    recognizer, seq = place.recognizer(), count(1)
    place.enrol("Ann Lee")
    place.enrol("Bob Ray", an_encoding(2))

    def see(*faces: Face, clock_s: float = 0) -> None:
        frame = a_frame(seq=next(seq))
        place.send(msgspec.structs.replace(frame, captured_ns=frame.captured_ns + round(clock_s * 1e9)))
        recognizer.answer(recognizer.next_work(), *faces)
        place.ear.receive()

    bob = msgspec.structs.replace(ENROLLED, encoding=an_encoding(2))
    for _ in range(3):
        see(ENROLLED)
    assert place.ear.wait_for(Access).person == "Ann Lee"
    gone_s = time.monotonic()
    while time.monotonic() < gone_s + 2 * place.site.decision.absence_s:
        see(clock_s=set_by_s)
    for face in (bob, ENROLLED):
        for _ in range(3):
            see(face, clock_s=set_by_s)
    assert [place.ear.wait_for(Access).person for _ in range(2)] == ["Bob Ray", "Ann Lee"]


def test_results_that_are_too_old_decide_nothing(place: Place) -> None:
    """And a frame that could not be recognized is counted."""
    recognizer = place.recognizer()
    place.send(a_frame(seq=1))
    recognizer.answer(recognizer.next_work(), problem="cannot be decoded")
    assert place.ear.wait_for(Result).problem == "cannot be decoded"
    assert place.count("bad_frames") == 1


def test_tails_and_loggers_talk_through_it(place: Place) -> None:
    """A question reaches the loggers, and the answer the one who asked."""
    logger, asker, other = place.peer("query."), place.peer("entries.tail-1."), place.peer("entries.tail-2.")
    for peer in (logger, asker, other):
        peer.wait_for(Beat)
    query = Query(asker="tail-1", last=5)
    asker.send("query.", query)
    assert logger.wait_for(Query) == query
    entries = Entries(asker="tail-1", logger="log", log="aaaa", cursor=3, lines=("one",))
    logger.send("entries.tail-2.", entries)
    assert asker.wait_for(Entries) == entries
    logger.send("entries.tail-2.", msgspec.structs.replace(entries, asker="tail-2"))
    assert other.wait_for(Entries).asker == "tail-2"


def test_a_hostile_recognizer_with_real_work_stops_nothing(place: Place) -> None:
    """Boxes, names, distances and numbers of faces as it likes; then an honest one decides."""
    rng = random.Random(5)
    hostile = place.recognizer("hostile")
    for seq in range(1, 30):
        place.send(a_frame(seq=seq, captured_ns=rng.choice([0, seq, START_NS, 2**63 - 1])))
        faces = [
            msgspec.structs.replace(
                a_face(rng.choice(["Ann", "ł" * 200, None]), size=rng.choice([-65536, 0, 1, 65536])),
                distance=rng.choice([None, 0.0, 4.0]),
                second_distance=rng.choice([None, 0.0, 4.0]),
                sharpness=rng.choice([0.0, 1e12]),
                encoding=rng.choice([b"", an_encoding(seq)]),
                thumbnail=rng.choice([b"", b"no picture"]),
            )
            for _ in range(rng.choice([0, 1, 256]))
        ]
        faces = [msgspec.structs.replace(face, box_px=a_wild_box(rng)) for face in faces]
        hostile.answer(hostile.next_work(), *faces)
    place.count("results", 29)
    honest = place.recognizer("honest")
    hostile.bus.close()
    place.enrol("Honest Abe")
    for seq in range(101, 112):
        place.send(a_frame(seq=seq, camera="back_door"))
        honest.answer(honest.next_work(), ENROLLED)
    place.ear.wait_for(Access, lambda access: access.person == "Honest Abe")


def a_wild_box(rng: random.Random) -> object:
    """Return a box that no face has."""
    left, top, right, bottom = (rng.choice([-65536, -1, 0, 1, 65536]) for _ in range(4))
    return msgspec.structs.replace(a_face().box_px, left=left, top=top, right=right, bottom=bottom)


def test_mutated_messages_stop_nothing(place: Place) -> None:
    """Two thousand messages with bytes changed, from a socket that does not care."""
    rng = random.Random(11)
    hostile = place.raw()
    bodies: list[tuple[bytes, bytes]] = [
        (b"frame.front_door.", encode(a_frame())),
        (b"ready.", encode(a_ready())),
        (b"result.", encode(a_result(a_face()))),
        (b"template.", encode(a_template())),
        (b"status.front_door.", encode(a_beat())),
        (b"fetch.", encode(Fetch(name="log", instance="log-1", source="", after_seq=0))),
        (b"query.", encode(Query(asker="tail-1"))),
        (b"entries.", encode(Entries(asker="tail-1", logger="log", log="", cursor=0, lines=()))),
    ]
    for _ in range(2000):
        about, body = rng.choice(bodies)
        mutated = bytearray(body)
        for _ in range(rng.randint(1, 3)):
            mutated[rng.randrange(len(mutated))] = rng.randrange(256)
        hostile.send_multipart([about, bytes(mutated)])
    hostile.send_multipart([b"frame.last.", encode(a_frame(camera="last"))])
    place.ear.wait_for(Frame, lambda frame: frame.camera == "last")
    assert place.count("refused_messages") > 100
    code, said = stop(place.broker)
    assert code == 0
    assert "Traceback" not in said


def test_a_second_broker_does_not_take_over(place: Place) -> None:
    """It ends with a sentence, and the first one goes on."""
    second = place.start_broker()
    _, said = second.communicate(timeout=PATIENCE_S)
    assert second.returncode in {1, 78}
    assert "Traceback" not in said
    place.send(a_frame(seq=1))
    assert place.ear.wait_for(Frame).seq == 1
    newcomer = place.peer("frame.")
    newcomer.wait_for(Beat)
    place.send(a_frame(seq=2))
    assert newcomer.wait_for(Frame).seq == 2


def test_the_broker_stops_when_asked(place: Place) -> None:
    """Also with peers, work out and frames waiting."""
    recognizer = place.recognizer()
    place.send(a_frame(seq=1))
    recognizer.next_work()
    place.send(a_frame(seq=2))
    code, said = stop(place.broker)
    assert code == 0
    assert "broker broker stopped" in said


def test_a_broker_that_was_stopped_for_a_while_goes_on(place: Place) -> None:
    """Everybody has noticed and made new sockets; nobody is started again."""
    recognizer, display = place.recognizer(), place.peer("frame.")
    frames = map(a_numbered_frame, count(1))
    send_until_shown(place, display, frames)
    recognizer.answer(recognizer.next_work())
    place.ear.wait_for(Result)
    place.broker.send_signal(signal.SIGSTOP)
    for peer in (recognizer, display, place.ear):
        while not peer.bus.reconnects:
            peer.receive()
    place.broker.send_signal(signal.SIGCONT)
    place.send(next(frames))
    recognizer.answer(recognizer.next_work())
    place.ear.wait_for(Result)
    send_until_shown(place, display, frames)


def a_numbered_frame(seq: int) -> Frame:
    """Return the frame of that number."""
    return a_frame(seq=seq)


def send_until_shown(place: Place, display: Peer, frames: Iterator[Frame]) -> None:
    """Send frame after frame until a display hears one: those before it listens are not for it."""
    display.heard.clear()
    while not any(isinstance(message, Frame) for _, message in display.heard):
        place.send(next(frames))
        display.receive()


def test_the_broker_says_that_there_are_no_rules_and_lets_nobody_enter_when_some_are_lost(
    place: Place,
) -> None:
    """Whoever looks at the status reads the path; a broker that starts again says the same."""
    rules = place.folder.resolve() / "rules.yaml"
    no_rules = f"no rules: {rules} is not there, so everybody enrolled may use every door"
    gone = (
        f"nobody may enter: {rules}: the rules are gone; put them back, or write {{}} into that file for none"
    )
    place.ear.wait_for(Beat, lambda beat: (beat.state, beat.detail) == (State.LIVE, no_rules))
    rules.write_text("blocked: [Ann]\n")
    place.ear.wait_for(Beat, lambda beat: (beat.state, beat.detail) == (State.LIVE, ""))
    rules.unlink()
    place.ear.wait_for(Beat, lambda beat: (beat.state, beat.detail) == (State.DEGRADED, gone))
    stop(place.broker)
    place.broker = place.start_broker()
    place.ear.wait_for(
        Beat,
        lambda beat: (beat.pid, beat.state, beat.detail) == (place.broker.pid, State.DEGRADED, gone),
    )
