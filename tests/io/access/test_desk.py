"""The access desk: agreeing results become one event, and nobody hears of it before it is on disk."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec
import pytest

from tests.support.builders import START_NS, a_frame, a_result, a_site, an_access
from tests.support.crowd import ANN, BOB, EVE, STEP_NS, seen
from tests.support.waiting import pause, wait_until
from turnstile.access.door import Door
from turnstile.access.lockout import Tries
from turnstile.access.replay import RecordedResult, RecordedVerdict
from turnstile.dispatch.desk import Recognized
from turnstile.dispatch.dispatcher import Assignment, Job
from turnstile.io.access.desk import open_access_desk
from turnstile.io.access.recording import read
from turnstile.io.journal.erasure import ErasureRequest, erase_from_journal
from turnstile.io.journal.journal import Journal
from turnstile.io.metrics.hops import Meter
from turnstile.protocol.messages import Access, Face, Fetch, Guide, Log, Unlock
from turnstile.protocol.requests import Act
from turnstile.protocol.topics import Outgoing

MS = 1_000_000
SLOW_DISK_S = 0.05


class Entrance:
    """An access desk at a site with one camera, ten results a second."""

    def __init__(
        self,
        folder: Path,
        stack: ExitStack,
        *,
        fault_point: Callable[[str], None] = lambda _: None,
        seq: int = 0,
    ) -> None:
        self.rules, self.recording = folder / "rules.yaml", folder / "results"
        site = a_site(
            folder, f"decision: {{rules: '{self.rules}', record: '{self.recording}', votes_needed: 3}}"
        )
        self.journal = Journal(path=folder / "journal.db", loggers=["log"], fault_point=fault_point)
        self.desk = stack.enter_context(
            closing(open_access_desk(site, folder / "site.yaml", self.journal, Meter(site)))
        )
        self.seq = seq

    def see(
        self,
        *faces: Face,
        times: int = 1,
        camera: str = "front_door",
        took_ms: int = 100,
        problem: str = "",
    ) -> list[Outgoing]:
        """Bring results of `times` frames to the desk, and return what it has to say at once."""
        said: list[Outgoing] = []
        for _ in range(times):
            self.seq += 1
            frame = a_frame(camera=camera, seq=self.seq, captured_ns=START_NS + self.seq * STEP_NS)
            came_ns = self.seq * STEP_NS
            job = Job(kind="frame", key=camera, seq=self.seq, body=frame, came_ns=came_ns)
            assignment = Assignment(token="t", recognizer="r", job=job, handed_ns=0, expires_ns=1)
            result = a_result(
                *faces, camera=camera, seq=self.seq, captured_ns=frame.captured_ns, problem=problem
            )
            said += self.desk.take(Recognized(result, assignment, came_ns + took_ms * MS))
        return said

    def due(self, count: int = 1, *, enrolled: Sequence[str] | None = None) -> list[Outgoing]:
        """Return the next `count` things that are due."""
        found: list[Outgoing] = []

        def turn() -> None:
            pause()
            found.extend(self.desk.due(enrolled=enrolled))

        wait_until(lambda: len(found) >= count, lambda: f"due so far: {found}", between=turn)
        return found

    def turn_until(self, condition: Callable[[], object]) -> None:
        """Do what is due until something holds."""

        def turn() -> None:
            pause()
            self.desk.due(enrolled=None)

        wait_until(condition, lambda: self.desk.closed, between=turn)

    def fetch(self, *, source: str = "", after: int = 0, visit: str = "") -> Log:
        """Return what a logger gets."""
        self.desk.take(Fetch(name="log", instance="log-1", source=source, after_seq=after, visit=visit))
        ((_, answer),) = self.due()
        assert isinstance(answer, Log)
        return answer

    def write_rules(self, text: str) -> None:
        """Change the rules, and return when the desk follows them."""
        before = self.desk.decider.rules
        self.rules.write_text(text)

        def turn() -> None:
            pause()
            self.desk.due(enrolled=None)

        wait_until(lambda: self.desk.decider.rules != before, "new rules", between=turn)


@pytest.fixture
def entrance(folder: Path) -> Iterator[Entrance]:
    """Return a desk without rules."""
    with ExitStack() as stack:
        yield Entrance(folder, stack)


def test_agreeing_results_become_one_event_once_it_is_on_disk(entrance: Entrance) -> None:
    """Numbered by the journal, and said once however long the person stays."""
    assert entrance.see(seen(ANN), times=3) == []
    assert entrance.desk.gauges()["decisions_waiting"] == 1
    ((about, event),) = entrance.due()
    assert isinstance(event, Access)
    assert (about, event.person, event.verdict, event.seq) == ("access.front_door.", ANN, "granted", 1)
    entrance.see(seen(ANN), times=5)
    assert entrance.desk.gauges()["decisions_waiting"] == 0
    assert entrance.desk.counts == {"granted": 1}


def test_a_grant_that_was_long_in_coming_to_the_disk_is_valid_for_less(folder: Path) -> None:
    """Whoever stood there may have left; an actuator counts from when it hears of it."""

    def take_long(point: str) -> None:
        if point == "before commit":
            time.sleep(SLOW_DISK_S)

    with ExitStack() as stack:
        entrance = Entrance(folder, stack, fault_point=take_long)
        entrance.see(seen(ANN), times=3)
        ((_, event),) = entrance.due()
        assert isinstance(event, Access)
        valid_s = entrance.desk.decider.settings.grant_valid_s
        assert 0 < event.valid_s <= valid_s - SLOW_DISK_S
        entrance.desk.take(Fetch(name="log", instance="log-1", source="", after_seq=0))
        ((_, log),) = entrance.due()
        assert isinstance(log, Log)
        (logged,) = log.events
        assert isinstance(logged, Access)
        assert logged.valid_s == valid_s


def test_a_logger_gets_the_events_that_it_asks_for(entrance: Entrance) -> None:
    """On a topic of its own."""
    entrance.see(seen(ANN), times=3)
    entrance.due()
    assert entrance.desk.take(Fetch(name="log", instance="log-1", source="", after_seq=0)) == []
    ((about, log),) = entrance.due()
    assert about == "log.log.log-1."
    assert isinstance(log, Log)
    assert [event.person for event in log.events if isinstance(event, Access)] == [ANN]


@pytest.mark.parametrize("how", [{"took_ms": 2500}, {"problem": "cut off"}])
def test_results_that_are_late_or_have_a_problem_grant_nothing(
    entrance: Entrance, how: dict[str, int | str]
) -> None:
    """Late ones are counted."""
    for _ in range(4):
        entrance.see(seen(ANN), took_ms=int(how.get("took_ms", 100)), problem=str(how.get("problem", "")))
    assert entrance.desk.gauges()["decisions_waiting"] == 0
    assert entrance.desk.counts["results_too_old"] == (4 if "took_ms" in how else 0)


def test_people_at_the_door_are_advised(entrance: Entrance) -> None:
    """Somebody whose face is too blurred hears of it while there is time."""
    said = entrance.see(seen(EVE), times=7)
    assert {about for about, _ in said} == {"guide.front_door."}
    assert all(isinstance(message, Guide) for _, message in said)


def test_new_rules_hold_from_the_next_result_on(entrance: Entrance) -> None:
    """A rules file that cannot be read changes nothing, and the beat says so."""
    entrance.write_rules(f"blocked: [{ANN}]\n")
    entrance.see(seen(ANN), times=3)
    ((_, event),) = entrance.due()
    assert isinstance(event, Access)
    assert event.verdict == "denied"
    entrance.rules.write_text("blocked: 3\n")
    wait_until(
        lambda: entrance.desk.due(enrolled=None) or entrance.desk.gauges()["rules_refused"] == 1,
        "a refused rules file",
    )
    entrance.see(times=25)
    entrance.see(seen(ANN), times=3)
    ((_, event),) = entrance.due()
    assert isinstance(event, Access)
    assert event.reason == "blocked"
    assert entrance.desk.closed == ""


def test_nobody_enters_while_nobody_can_tell_what_the_rules_are(entrance: Entrance) -> None:
    """The entry, the beat's detail and the count say why; it locks no door."""
    entrance.rules.symlink_to("nowhere")
    wait_until(lambda: entrance.desk.due(enrolled=[ANN]) or entrance.desk.closed, "the trouble is noticed")
    for _ in range(12):
        entrance.see(seen(ANN), times=3)
        ((_, event),) = entrance.due()
        assert isinstance(event, Access)
        assert (event.verdict, event.reason, event.person) == ("denied", "rules_unknown", ANN)
        entrance.see(times=25)
    assert entrance.desk.closed.startswith(f"nobody may enter: {entrance.rules}: cannot be read: ")
    assert entrance.desk.gauges()["rules_refused"] == 1


def test_whom_the_rules_name_and_nobody_is_called_is_said_once(
    entrance: Entrance, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be a slip of the pen; while pictures are being encoded nobody can tell."""
    entrance.write_rules(f"blocked: [{ANN}, {BOB}]\n")
    assert "not enrolled" not in caplog.text
    for enrolled in ([ANN], [ANN], [ANN, "Somebody Else"]):
        entrance.desk.due(enrolled=enrolled)
    assert caplog.text.count(f"not enrolled: {BOB}") == 1
    entrance.desk.due(enrolled=[BOB])
    assert caplog.text.count(f"not enrolled: {ANN}") == 1


def test_results_and_verdicts_are_recorded(entrance: Entrance) -> None:
    """For `turnstile replay`."""
    entrance.see(seen(ANN), times=3)
    records = list(read(entrance.recording))
    assert [type(record) for record in records] == [*[RecordedResult] * 3, RecordedVerdict]


def test_a_made_up_camera_is_forgotten_and_one_of_the_site_is_not(entrance: Entrance) -> None:
    """A door of the site keeps its open visits however long its camera is away."""
    for camera in ("front_door", "made_up"):
        entrance.see(seen(ANN), camera=camera)
        entrance.desk.forget(camera)
    assert set(entrance.desk.decider.doors) == {"front_door"}


def test_the_journal_keeps_the_door_when_a_decided_visit_ends(folder: Path) -> None:
    """A broker that starts again decides anew about somebody who left and came back."""
    with ExitStack() as stack:
        entrance = Entrance(folder, stack)
        entrance.see(seen(ANN), times=3)
        entrance.due()
        entrance.see(times=25)
    with closing(Journal(path=folder / "journal.db", loggers=["log"])) as journal:
        assert journal.doors["front_door"].visits == ()


def test_the_name_that_somebody_unknown_came_nearest_to_is_for_the_log_alone(entrance: Entrance) -> None:
    """Displays and doors get the distance, the margin and the limit."""
    entrance.see(seen(ANN, as_person=None), times=8)
    (public,) = entrance.due()
    assert isinstance(public.message, Access)
    assert (public.message.nearest, public.message.max_distance) == (None, 0.32)
    entrance.desk.take(Fetch(name="log", instance="log-1", source="", after_seq=0))
    (answer,) = entrance.due()
    assert isinstance(answer.message, Log)
    (logged,) = answer.message.events
    assert isinstance(logged, Access)
    assert logged.nearest == ANN


def test_somebody_in_view_is_forgotten_when_erased(entrance: Entrance) -> None:
    """Neither the votes so far nor the door that is kept bring the name back; Bob's visit goes on."""
    erased: list[str] = []
    entrance.desk.unenrol = erased.append
    entrance.see(seen(ANN), seen(BOB, left=400), seen(EVE, as_person=ANN, distance=0.5, left=700), times=3)
    assert {access.person for access in map(message_of, entrance.due(2))} == {ANN, BOB}
    path = entrance.journal.path
    with ThreadPoolExecutor(1) as pool:
        command = pool.submit(
            erase_from_journal, path, ErasureRequest(person="ann LEE", pseudonym="erased-1")
        )
        wait_until(command.done, "an answer", between=lambda: entrance.desk.due(enrolled=None))
        answer = command.result()
    assert answer is not None
    assert (answer.events, answer.visits, erased) == (1, 1, ["ann LEE"])
    stranger = msgspec.structs.replace(seen(ANN), person=None, distance=None, second_distance=None)
    eve = msgspec.structs.replace(seen(EVE, left=700), person=None, distance=None, second_distance=None)
    entrance.see(stranger, seen(BOB, left=400), eve, times=30)
    decided = list(map(message_of, entrance.due(2)))
    assert [(access.verdict, access.person) for access in decided] == [("denied", None)] * 2
    assert not [one for one in path.parent.glob("journal.db*") if ANN.encode() in one.read_bytes()]


def message_of(outgoing: Outgoing) -> Access:
    """Return the decision that is to be published."""
    assert isinstance(outgoing.message, Access)
    return outgoing.message


def test_a_lockout_is_told_and_an_operator_ends_it_on_record(
    entrance: Entrance, caplog: pytest.LogCaptureFixture
) -> None:
    """In the log once each, in the beat's words and as a gauge, until what time; loggers get the act."""
    entrance.desk.decider.tries["front_door"] = Tries(locked_until_ns=time.monotonic_ns() + 12 * 10**9)
    with caplog.at_level("INFO", "turnstile"):
        entrance.desk.due(enrolled=None)
        assert re.fullmatch(r"front_door is locked out until \d\d:\d\d:\d\d", entrance.desk.locked_out)
        assert 0 < entrance.desk.gauges()["locked_out_s.front_door"] <= 12
        for _ in range(2):
            entrance.desk.take(Unlock(asker="operator-1", camera="front_door"))
        assert entrance.desk.locked_out, "it is on record first"
        entrance.turn_until(lambda: not entrance.desk.locked_out)
        entrance.desk.due(enrolled=None)
    told = [words for words in caplog.messages if "lock" in words]
    assert told[0].endswith("after 10 denials; `turnstile unlock front_door` ends it")
    assert told[1:] == [
        "front_door: operator-1 ended the lockout",
        "front_door is not locked out any more",
    ]
    (act,) = entrance.fetch().events
    assert isinstance(act, Act)
    assert (act.seq, act.camera, act.asker) == (1, "front_door", "operator-1")
    assert abs(act.at_ns - time.time_ns()) < 60 * 10**9


def test_nobody_enters_by_a_clock_in_the_past_until_the_operator_says_that_it_is_right(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Here the journal knows a time an hour ahead; the entry, the beat's detail and the gauge say why."""
    with closing(Journal(path=folder / "journal.db", loggers=["log"])) as journal:
        journal.keep_newest(time.time_ns() + 3600 * 10**9)
        journal.record(an_access(), Door())
        wait_until(journal.outcomes, "the journal")
    with ExitStack() as stack:
        entrance = Entrance(folder, stack)
        entrance.see(seen(ANN), times=3)
        ((_, event),) = entrance.due()
        assert isinstance(event, Access)
        assert (event.verdict, event.reason, event.person) == ("denied", "clock_behind", ANN)
        start = "nobody may enter: this machine's clock stands at "
        assert entrance.desk.closed.startswith(start)
        assert start in caplog.text
        assert entrance.desk.gauges()["clock_behind"] == 1
        entrance.desk.take(Unlock(asker="operator-1"))
        entrance.turn_until(lambda: not entrance.desk.closed)
        act = entrance.fetch().events[-1]
        assert isinstance(act, Act)
        assert (act.camera, act.asker) == (None, "operator-1")
        entrance.see(times=25)
        entrance.see(seen(ANN), times=3)
        ((_, event),) = entrance.due()
        assert isinstance(event, Access)
        assert event.verdict == "granted"
    with ExitStack() as stack:
        assert Entrance(folder, stack).desk.closed == "", "the journal knows what the operator said"


def test_who_was_decided_by_a_journal_that_was_put_back_is_decided_again(folder: Path) -> None:
    """Ann was granted before the copy was made, left, and came again while the copy was put back."""
    with ExitStack() as stack:
        entrance = Entrance(folder, stack)
        entrance.see(seen(ANN), times=3)
        entrance.due()
        source = entrance.fetch().source
    with ExitStack() as stack:
        entrance = Entrance(folder, stack, seq=100)
        entrance.see(seen(BOB, left=400), times=3)
        entrance.due()
        entrance.see(seen(ANN), seen(BOB, left=400), times=4)
        assert entrance.fetch(source=source, after=9, visit="lost").source != source
        entrance.see(seen(ANN), seen(BOB, left=400), times=4)
        ((_, event),) = entrance.due()
        assert isinstance(event, Access)
        assert (event.verdict, event.person) == ("granted", ANN)
        entrance.turn_until(lambda: not entrance.desk.journal.waiting)
    with closing(Journal(path=folder / "journal.db", loggers=["log"])) as journal:
        persons = [visit.person for visit in journal.doors["front_door"].visits]
    assert sorted(persons, key=str) == [ANN, BOB], "each has one open visit"
