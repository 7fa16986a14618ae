"""The logger and `tail` as processes, against a broker whose journal the test writes."""

import contextlib
import resource
import signal
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Self

import msgspec
import pytest

from tests.support.builders import (
    START_NS,
    a_face,
    a_frame,
    a_log,
    a_ready,
    a_result,
    an_access,
    an_encoding,
    write_site,
)
from tests.support.enrolled import enrol
from tests.support.processes import Process, Programs, stop
from tests.support.waiting import PATIENCE_S
from turnstile.errors import WireError
from turnstile.io.bus.broker import BrokerSockets
from turnstile.io.bus.nodes import Bus
from turnstile.io.site.file import load
from turnstile.log.lines import Event, event_of, is_remark, parse_entry
from turnstile.protocol.messages import (
    Access,
    AnyMessage,
    Beat,
    Entries,
    Fetch,
    Log,
    Query,
    Work,
    decode,
    encode,
)
from turnstile.protocol.state import in_words
from turnstile.protocol.topics import log_topic, topic, work_topic
from turnstile.site.settings import BrokerSettings

pytestmark = pytest.mark.system

SWIFT = "decision: {votes_needed: 1, votes_of: 1}"
"""One frame decides."""

BEAT = Beat(node="broker", instance="broker-1", role="broker", host="here", pid=1, version="0", uptime_s=1.0)


def some_accesses(*seqs: int, source: str = "aaaa") -> list[Access]:
    """Return events of a journal."""
    return [an_access(seq, source=source) for seq in seqs]


class FakeBroker:
    """A broker of the test's own: beats, relays queries, and answers each Fetch from `journal`.

    Answers put into `odd_answers` are given instead, one for each Fetch.
    """

    def __init__(
        self, addresses: BrokerSettings, *, source: str = "aaaa", journal: Sequence[Access] = ()
    ) -> None:
        self.journal = list(journal)
        self.odd_answers: deque[Log] = deque()
        self.fetched: list[Fetch] = []
        self.beats: dict[str, Beat] = {}
        self.batch = 3
        self._source = source
        self._sockets = BrokerSockets(addresses)
        self._news = threading.Condition()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        self._sockets.close(linger_s=0.2)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return when something that was heard made `condition` true."""
        with self._news:
            assert self._news.wait_for(condition, PATIENCE_S), (
                f"last fetched: {self.fetched[-1:]}, {self.beats}"
            )

    def wait_until_logged(self, seq: int, *, by: str = "logger") -> None:
        """Return when a logger says that it has an event of this broker on its disk."""
        self.wait_for(
            lambda: any(
                (fetch.name, fetch.source) == (by, self._source) and fetch.after_seq >= seq
                for fetch in self.fetched
            )
        )

    def wait_until_state(self, words: str) -> None:
        """Return when the logger's beat says so."""
        self.wait_for(lambda: any(words in in_words(beat.state, beat.detail) for beat in self.beats.values()))

    def _serve(self) -> None:
        beat_at = 0.0
        while not self._stopped.is_set():
            if time.monotonic() >= beat_at:
                self._sockets.publish("status.broker.", encode(BEAT))
                beat_at = time.monotonic() + 0.3
            self._sockets.wait(0.05)
            while self._sockets.subscription() is not None:
                pass
            with contextlib.suppress(WireError):
                while (said := self._sockets.receive()) is not None:
                    self._take(decode(said.body), said.body)

    def _take(self, message: AnyMessage, body: bytes) -> None:
        with self._news:
            if isinstance(message, Fetch):
                self._sockets.publish(
                    log_topic(message.name, message.instance), encode(self._answer(message))
                )
                self.fetched.append(message)
            elif isinstance(message, Query):
                self._sockets.publish("query.", body)
            elif isinstance(message, Entries):
                self._sockets.publish(topic("entries", message.asker), body)
            elif isinstance(message, Beat):
                self.beats[message.node] = message
            self._news.notify_all()

    def _answer(self, fetch: Fetch) -> Log:
        if self.odd_answers:
            return self.odd_answers.popleft()
        after = fetch.after_seq if fetch.source == self._source else 0
        events = [one for one in self.journal if one.seq > after][: self.batch]
        return a_log(*events, source=self._source, after_seq=after)


class Place:
    """A site of two loggers in a folder of its own, and the processes started there."""

    def __init__(self, folder: Path, programs: Programs) -> None:
        self.log_file = folder / "access_log.txt"
        self.config = write_site(
            folder, "loggers:", "  logger: {file: access_log.txt}", "  second: {file: second.txt}", SWIFT
        )
        self.broker = load(self.config).broker
        self._programs = programs

    def logger(self, name: str = "logger") -> Process:
        """Start a logger."""
        return self._programs.start("logger_node.py", "--config", str(self.config), "--name", name)

    def tail(self, *options: str) -> Process:
        """Start a tail."""
        return self._programs.start("logger_node.py", "tail", "--config", str(self.config), *options)

    def real_broker(self) -> Process:
        """Start the broker itself."""
        return self._programs.start("broker.py", "--config", str(self.config))

    def logged(self) -> list[Event]:
        """Return the events in the log, which must all be whole entries."""
        lines = [line for line in self.log_file.read_text().splitlines() if not is_remark(line)]
        return [parse_entry(line).event for line in lines]


def numbers(*seqs: int, source: str = "aaaa") -> list[Event]:
    """Return events by their numbers."""
    return [Event(source, seq) for seq in seqs]


def events_of(output: str) -> list[Event | None]:
    """Return the events in a tail's output."""
    return [event_of(line) for line in output.splitlines()]


def next_lines(process: Process, count: int) -> list[Event | None]:
    """Return the events of the next lines that a tail prints."""
    assert process.stdout is not None
    return [event_of(process.stdout.readline().rstrip("\n")) for _ in range(count)]


@pytest.fixture
def programs() -> Iterator[Programs]:
    """Give what starts processes."""
    with Programs() as programs:
        yield programs


@pytest.fixture
def place(folder: Path, programs: Programs) -> Place:
    """Give a site."""
    return Place(folder, programs)


@pytest.fixture
def broker(place: Place) -> Iterator[FakeBroker]:
    """Give a broker with five events."""
    with a_broker(place, *some_accesses(1, 2, 3, 4, 5)) as broker:
        yield broker


def a_broker(place: Place, *journal: Access, source: str = "aaaa") -> AbstractContextManager[FakeBroker]:
    """Return a broker at the place's addresses."""
    return FakeBroker(place.broker, source=source, journal=journal)


def test_each_event_becomes_one_line_of_a_private_file(place: Place, broker: FakeBroker) -> None:
    """In order, with who and why; SIGTERM ends the logger with 0."""
    broker.journal.append(an_access(6, verdict="denied", person=None))
    logger = place.logger()
    broker.wait_until_logged(6)
    assert place.logged() == numbers(1, 2, 3, 4, 5, 6)
    first, *_, last = map(parse_entry, place.log_file.read_text().splitlines())
    assert (first.camera, first.verdict, first.person) == ("front_door", "granted", "Barack Obama")
    assert (last.verdict, last.person, last.reason) == ("denied", None, "unknown")
    assert first.at.timestamp() == START_NS / 1e9
    assert stat.S_IMODE(place.log_file.stat().st_mode) == 0o600
    code, said = stop(logger)
    assert code == 0
    assert "Traceback" not in said


def test_repeated_lost_and_contradicting_answers_change_nothing(place: Place, broker: FakeBroker) -> None:
    """Whatever the broker answers, the log has each event once and in order."""
    broker.odd_answers += [
        a_log(*some_accesses(1, 2)),
        a_log(*some_accesses(1, 2)),
        a_log(*some_accesses(4, 5)),
        a_log(),
        a_log(*some_accesses(3, source="bbbb")),
        a_log(*some_accesses(2, 3, 4)),
    ]
    place.logger()
    broker.wait_until_logged(5)
    assert place.logged() == numbers(1, 2, 3, 4, 5)
    broker.wait_for(lambda: "logger" in broker.beats and broker.beats["logger"].counts.get("entries") == 5)
    counts = broker.beats["logger"].counts
    assert (counts["repeated"], counts["refused_gap"]) == (3, 3)


def test_a_killed_logger_goes_on_where_its_file_ends(place: Place, broker: FakeBroker) -> None:
    """Also when the kill left half a line."""
    logger = place.logger()
    broker.wait_until_logged(5)
    stop(logger, by=signal.SIGKILL)
    whole = place.log_file.read_text()
    place.log_file.write_text(whole[:-30])
    broker.journal += some_accesses(6)
    logger = place.logger()
    broker.wait_until_logged(6)
    assert place.logged() == numbers(1, 2, 3, 4, 5, 6)
    assert place.log_file.read_text().startswith(whole)
    assert "cut short" in stop(logger)[1]


def test_a_logger_outlives_its_broker_and_a_lost_journal(place: Place) -> None:
    """It fetches from the new journal's first event, and finds its place in the old one again."""
    with a_broker(place, *some_accesses(1, 2)) as broker:
        place.logger()
        broker.wait_until_logged(2)
    with a_broker(place, *some_accesses(1, 2, source="bbbb"), source="bbbb") as broker:
        broker.wait_until_logged(2)
    with a_broker(place, *some_accesses(1, 2, 3)) as broker:
        broker.wait_until_logged(3)
    assert place.logged() == [*numbers(1, 2), *numbers(1, 2, source="bbbb"), *numbers(3)]


def test_a_rotated_log_is_continued_in_a_new_file(place: Place, broker: FakeBroker) -> None:
    """The old file keeps its lines; a restart knows from the new file alone where to go on."""
    logger = place.logger()
    broker.wait_until_logged(5)
    rotated = place.log_file.with_suffix(".1")
    place.log_file.rename(rotated)
    broker.journal += some_accesses(6)
    broker.wait_until_logged(6)
    assert place.logged() == numbers(6)
    place.log_file.rename(rotated.with_suffix(".2"))
    fetches = len(broker.fetched)
    broker.wait_for(lambda: len(broker.fetched) > fetches + 1)
    stop(logger)
    assert place.log_file.read_text() == "# continues after event=aaaa:6\n"
    place.logger()
    broker.journal += some_accesses(7)
    broker.wait_until_logged(7)
    assert place.logged() == numbers(7)
    assert len(rotated.read_text().splitlines()) == 5


def test_a_full_disk_is_said_and_loses_nothing(place: Place, broker: FakeBroker) -> None:
    """While nothing can be written nothing is fetched; with room again, everything is logged once."""
    logger = place.logger()
    broker.wait_until_logged(5)
    resource.prlimit(logger.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    broker.journal += some_accesses(6, 7)
    broker.wait_until_state("cannot be written")
    assert broker.fetched[-1].after_seq == 5
    resource.prlimit(logger.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    broker.wait_until_logged(7)
    assert place.logged() == numbers(1, 2, 3, 4, 5, 6, 7)
    broker.wait_until_state("live")
    _, said = stop(logger)
    assert said.count("cannot be written") == 1
    assert said.count("can be written again") == 1


def test_a_second_logger_on_the_same_file_waits_for_the_first(place: Place, broker: FakeBroker) -> None:
    """It says why, and takes over when the first is gone."""
    first = place.logger()
    broker.wait_until_logged(5)
    other = place.config.read_text().replace("access_log.txt", "other.txt")
    place.config.write_text(other.replace("second.txt", "access_log.txt"))
    place.logger("second")
    broker.wait_for(
        lambda: "another logger" in (broker.beats["second"].detail if "second" in broker.beats else "")
    )
    stop(first)
    broker.wait_until_logged(5, by="second")
    assert place.logged() == numbers(1, 2, 3, 4, 5)


def test_a_wrong_path_is_a_configuration_error(place: Place) -> None:
    """A file that is no access log is not written to."""
    place.log_file.write_text("my diary\n")
    logger = place.logger()
    _, said = logger.communicate(timeout=PATIENCE_S)
    assert logger.returncode == 78
    assert "not an access log" in said
    assert place.log_file.read_text() == "my diary\n"


def test_a_logger_without_a_broker_stops_when_asked(place: Place) -> None:
    """SIGTERM and Ctrl-C end it in every state."""
    for number in (signal.SIGTERM, signal.SIGINT):
        logger = place.logger()
        assert logger.stderr is not None
        assert "starts" in logger.stderr.readline()
        assert stop(logger, by=number)[0] == 0


def test_tail_prints_the_last_lines(place: Place, broker: FakeBroker) -> None:
    """As they stand in the file."""
    place.logger()
    broker.wait_until_logged(5)
    printed, said = place.tail("-n", "2").communicate(timeout=PATIENCE_S)
    assert printed.splitlines() == place.log_file.read_text().splitlines()[-2:]
    assert said == ""


def test_a_followed_log_comes_live_and_each_line_once(place: Place) -> None:
    """Through a restart of the logger and of the broker; Ctrl-C ends it quietly."""
    with a_broker(place, *some_accesses(1, 2, 3)) as broker:
        logger = place.logger()
        broker.wait_until_logged(3)
        tail = place.tail("-n", "1", "--follow")
        assert next_lines(tail, 1) == numbers(3)
        broker.journal += some_accesses(4)
        assert next_lines(tail, 1) == numbers(4)
        stop(logger)
        broker.journal += some_accesses(5)
        place.logger()
        assert next_lines(tail, 1) == numbers(5)
    with a_broker(place, *some_accesses(1, source="bbbb"), source="bbbb") as broker:
        assert next_lines(tail, 1) == numbers(1, source="bbbb")
        broker.journal += some_accesses(2, source="bbbb")
        assert next_lines(tail, 1) == numbers(2, source="bbbb")
        code, said = stop(tail, by=signal.SIGINT)
    assert code == 0
    assert "Traceback" not in said


def test_a_long_log_comes_in_pages(place: Place, broker: FakeBroker) -> None:
    """More lines than one message carries, in order."""
    lines = 2500
    broker.batch = 200
    broker.journal[:] = some_accesses(*range(1, lines + 1))
    place.logger()
    broker.wait_until_logged(lines)
    printed, _ = place.tail("-n", "2400").communicate(timeout=PATIENCE_S)
    assert events_of(printed) == numbers(*range(101, lines + 1))


def test_tail_with_two_loggers_prints_each_line_once(place: Place, broker: FakeBroker) -> None:
    """Both answer; the first is kept."""
    place.logger()
    place.logger("second")
    broker.wait_until_logged(5)
    broker.wait_until_logged(5, by="second")
    printed, _ = place.tail("-n", "5").communicate(timeout=PATIENCE_S)
    assert events_of(printed) == numbers(1, 2, 3, 4, 5)


def test_a_tail_whose_reader_leaves_ends_quietly(place: Place, broker: FakeBroker) -> None:
    """As in `tail --follow | head -n 1`."""
    place.logger()
    broker.wait_until_logged(5)
    tail = place.tail("-n", "5", "--follow")
    assert tail.stdout is not None
    assert event_of(tail.stdout.readline().rstrip("\n")) == Event("aaaa", 1)
    tail.stdout.close()
    assert tail.wait(timeout=PATIENCE_S) == 0
    assert tail.stderr is not None
    assert tail.stderr.read() == ""


def test_tail_says_when_no_logger_answers(place: Place, broker: FakeBroker) -> None:
    """With the broker there, and without it."""
    _, said = place.tail().communicate(timeout=PATIENCE_S)
    assert said.startswith("error: no logger answers: is one running")
    assert not broker.fetched


def test_tail_says_when_no_broker_answers(place: Place) -> None:
    """The sentence names what is missing; the exit code is 1."""
    tail = place.tail("--follow")
    _, said = tail.communicate(timeout=PATIENCE_S)
    assert said.startswith("error: no broker answers at ")
    assert tail.returncode == 1


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["tail", "--config", "nowhere.yaml"], 78, "nowhere.yaml"),
        (["tail", "--config", "nowhere.yaml", "-n", "10001"], 2, "from 0 to 10000"),
        (["tail"], 2, "--config"),
        (["--help"], 0, "tail --config FILE"),
    ],
)
def test_the_command_line_explains_itself(
    programs: Programs, options: list[str], code: int, words: str
) -> None:
    """Wrong options and wrong files give their own exit codes."""
    process = programs.start("logger_node.py", *options)
    printed, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code
    assert words in printed + said


def test_the_lines_of_a_hostile_sender_cannot_steer_a_terminal(place: Place, broker: FakeBroker) -> None:
    """What does not print is replaced before it reaches the terminal."""
    tail = place.tail()
    with closing(Bus(place.broker, topics=["query."])) as bus:
        while tail.poll() is None:
            for _, message in bus.receive(0.1):
                if isinstance(message, Query):
                    bus.send(
                        "entries.",
                        Entries(
                            asker=message.asker, logger="logger", log="", cursor=0, lines=("\x1b[2Jhello",)
                        ),
                    )
    printed, _ = tail.communicate(timeout=PATIENCE_S)
    assert "\x1b" not in printed
    assert "[2Jhello" in printed
    assert not broker.fetched


PEOPLE = {"Ann": an_encoding(1), "Bob": an_encoding(2)}


def visit(broker: BrokerSettings, person: str, *, seq: int) -> None:
    """Play camera and recognizer until the broker has decided about a person."""
    ready = a_ready()
    topics = [work_topic(ready.name, ready.instance), "access."]
    with closing(Bus(broker, topics=topics)) as bus:
        decided = False
        while not decided:
            bus.send("ready.", ready)
            bus.send("frame.front_door.", a_frame(seq=seq))
            for _, message in bus.receive(0.1):
                if isinstance(message, Work):
                    face = msgspec.structs.replace(a_face(left=seq * 500), encoding=PEOPLE[person])
                    bus.send("result.", a_result(face, work=message))
                decided |= isinstance(message, Access) and message.person == person


def test_what_the_real_broker_decides_is_logged_and_followed(place: Place) -> None:
    """Each visit is one line, also when the broker was killed and started again in between."""
    enrol(load(place.config), PEOPLE)
    broker = place.real_broker()
    place.logger()
    visit(place.broker, "Ann", seq=1)
    tail = place.tail("--follow")
    assert tail.stdout is not None
    assert parse_entry(tail.stdout.readline().rstrip()).person == "Ann"
    stop(broker, by=signal.SIGKILL)
    place.real_broker()
    visit(place.broker, "Bob", seq=2)
    assert parse_entry(tail.stdout.readline().rstrip()).person == "Bob"
    people = [parse_entry(line).person for line in place.log_file.read_text().splitlines()]
    assert people == ["Ann", "Bob"]
