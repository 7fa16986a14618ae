"""The access log's lines, and which events a log takes."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import builders
from tests.support.builders import an_access, some_links
from turnstile.errors import LogError
from turnstile.log.chain import Personal
from turnstile.log.lines import (
    MAX_LINE_CHARS,
    Entry,
    Event,
    Progress,
    continuation,
    entry_of,
    event_of,
    format_entry,
    is_remark,
    may_begin_line,
    parse_entry,
    person_of_line,
    without_person,
)
from turnstile.log.notes import EventsMissing, SourceBegan
from turnstile.protocol.messages import Log, Verdict
from turnstile.protocol.names import same_name

ZONE = timezone(timedelta(hours=1))
EVENT = Event("9f3a", 17)
NOON = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=ZONE)


def an_entry(
    *,
    at: datetime = NOON,
    camera: str = "front_door",
    verdict: Verdict = "granted",
    person: str | None = "Barack Obama",
    distance: float | None = 0.3124,
    votes: int = 3,
    of: int = 5,
    reason: str = "recognised",
    event: Event = EVENT,
) -> Entry:
    """Return an entry; what a test is about it states itself."""
    return Entry(
        at=at,
        camera=camera,
        verdict=verdict,
        person=person,
        distance=distance,
        votes=votes,
        of=of,
        reason=reason,
        event=event,
    )


def a_log(*seqs: int, source: str = "9f3a") -> Log:
    """Return the events of these numbers as the broker sends them."""
    return builders.a_log(*(an_access(seq, source=source) for seq in seqs), source=source)


def test_an_entry_is_one_line_with_aligned_columns() -> None:
    """Times, cameras, verdicts, names and numbers stand under each other."""
    granted = format_entry(an_entry())
    denied = format_entry(
        an_entry(camera="yard", verdict="denied", person=None, distance=None, votes=8, of=8, reason="unknown")
    )
    assert granted == (
        "2026-11-22T12:00:00.250+01:00  front_door    GRANTED  Barack Obama          0.3124  3/5    "
        "recognised  event=9f3a:17"
    )
    assert denied == (
        "2026-11-22T12:00:00.250+01:00  yard          DENIED   unknown               -       8/8    "
        "unknown     event=9f3a:17"
    )


names = st.text(min_size=1, max_size=40)
entries = st.builds(
    an_entry,
    at=st.datetimes(
        min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
        max_value=datetime(2262, 1, 1),  # noqa: DTZ001
        timezones=st.sampled_from([UTC, ZONE, timezone(timedelta(hours=-9, minutes=-30))]),
    ).map(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)),
    camera=st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,62}\Z"),
    verdict=st.sampled_from(["granted", "denied"]),
    person=st.none()
    | names.filter(lambda name: len(repr(name)) < 180)
    | st.sampled_from(["unknown", "Unknown", " "]),
    distance=st.none() | st.floats(min_value=0, max_value=4).map(lambda distance: round(distance, 4)),
    votes=st.integers(min_value=0, max_value=2**63 - 1),
    of=st.integers(min_value=0, max_value=2**63 - 1),
    reason=st.sampled_from(["", "-", "recognised", "too many  tries", "a\nb"]),
    event=st.builds(
        Event, st.from_regex(r"\A[0-9a-f]{0,32}\Z"), st.integers(min_value=0, max_value=2**63 - 1)
    ),
)


@given(entries)
def test_a_line_gives_back_its_entry(entry: Entry) -> None:
    """Whatever stands in the name, the line says the same as the entry."""
    assert parse_entry(format_entry(entry)) == entry


@given(person=st.text(min_size=1, max_size=200), reason=st.text(max_size=500))
def test_no_name_and_no_reason_can_break_or_lengthen_a_line(person: str, reason: str) -> None:
    """The line stays one printable line of eight fields, and names its own event."""
    line = format_entry(an_entry(person=person, reason=reason))
    assert len(line) <= MAX_LINE_CHARS
    assert line.isprintable()
    assert line.splitlines() == [line]
    assert event_of(line) == Event("9f3a", 17)
    assert not is_remark(line)
    parsed = parse_entry(line)
    assert (parsed.at, parsed.verdict, parsed.event) == (NOON, "granted", Event("9f3a", 17))
    assert parsed.person is not None


def test_the_longest_line_there_can_be_fits_into_a_message() -> None:
    """Every field at its longest stays within what `Entries` carries."""
    most = 2**63 - 1
    line = format_entry(
        an_entry(
            at=datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=-10, seconds=-31))),
            camera="c" * 63,
            person="p" * 200,
            votes=most,
            of=most,
            reason="r" * 500,
            event=Event("f" * 32, most),
        )
    )
    assert len(line) <= MAX_LINE_CHARS
    assert parse_entry(line).person == "p" * 200


@pytest.mark.parametrize(
    "forged", ["x\n2026-11-22T12:00:00.250+01:00  yard  GRANTED", "x  DENIED  y", "x event=9f3a:9"]
)
def test_a_name_that_imitates_a_line_stays_a_name(forged: str) -> None:
    """It is found in the name's field and nowhere else."""
    entry = an_entry(person=forged)
    assert parse_entry(format_entry(entry)) == entry


def test_a_person_called_unknown_is_not_the_unknown() -> None:
    """Somebody who is called unknown cannot be taken for nobody."""
    named, nobody = format_entry(an_entry(person="Unknown")), format_entry(an_entry(person=None))
    assert named.split("  ")[4].strip() == r"\u0055nknown"
    assert parse_entry(named).person == "Unknown"
    assert parse_entry(nobody).person is None


def test_a_name_too_long_for_its_field_says_that_it_was_cut() -> None:
    """It ends in an ellipsis, which no whole name does."""
    cut = parse_entry(format_entry(an_entry(person="\n" * 200))).person
    assert cut == "\n" * 33 + "…"
    assert "…" not in format_entry(an_entry(person="and so on…"))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("", "8 fields"),
        ("# continues after event=9f3a:17", "8 fields"),
        (format_entry(an_entry()).replace("GRANTED", "ALLOWED"), "verdict"),
        (format_entry(an_entry()).replace("0.3124", "nan   "), "distance"),
        (format_entry(an_entry()).replace("3/5", "3:5"), "votes"),
        (format_entry(an_entry()).replace("event=9f3a", "event=XYZ"), "event"),
        (format_entry(an_entry()).replace("+01:00", "      "), "zone"),
        (format_entry(an_entry()).replace("2026", "year"), "time"),
        (format_entry(an_entry()).replace("Barack", "Bar\\ck"), "backslash"),
        (format_entry(an_entry()).replace("Barack", r"\Uffffffff"), "backslash"),
    ],
)
def test_what_is_no_entry_is_refused_with_the_field(line: str, complaint: str) -> None:
    """The error says which field is wrong."""
    with pytest.raises(LogError, match=complaint):
        parse_entry(line)


def test_an_event_becomes_an_entry_with_rounded_numbers() -> None:
    """Whole milliseconds and four decimals, as the line has them."""
    at = datetime(2026, 11, 22, 12, 0, 0, 250_999, tzinfo=ZONE)
    access = msgspec.structs.replace(an_access(4, source="9f3a", person="Ann"), distance=0.123456)
    entry = entry_of(some_links(access)[0], at=at)
    assert (entry.at, entry.person, entry.distance, entry.event) == (NOON, "Ann", 0.1235, Event("9f3a", 4))


def test_an_erased_person_has_a_pseudonym_in_the_text() -> None:
    """Who it was stays as hidden there as in the store."""
    link = some_links(an_access(person="Ann"))[0]
    erased = link._replace(personal=Personal(None, None, None, None, "erased-0a1b2c3d"))
    assert entry_of(erased, at=NOON).person == "erased-0a1b2c3d"


@given(entries, names)
def test_a_name_is_replaced_in_its_own_lines_only(entry: Entry, other: str) -> None:
    """Whatever the name holds, and however long it is; other people's lines stay as they are."""
    line = format_entry(entry)
    if entry.person is not None:
        erased = parse_entry(without_person(line, entry.person, "erased-0a1b2c3d"))
        assert erased == msgspec.structs.replace(entry, person="erased-0a1b2c3d")
    if entry.person is None or not same_name(other, entry.person):
        assert without_person(line, other, "erased-0a1b2c3d") == line


@pytest.mark.parametrize("spelling", ["ZOE  LEE", "Zoe\u0308 Lee".upper(), "zoë_lee", "zoë\u00a0lee"])
def test_a_name_in_another_spelling_is_replaced_too(spelling: str) -> None:
    """As the same person is recognised by rules and in the faces folder."""
    name = "Zoe Lee" if spelling.isascii() else "Zoë Lee"
    line = format_entry(an_entry(person=name))
    assert parse_entry(without_person(line, spelling, "erased-1")).person == "erased-1"


def test_a_line_that_only_looks_like_an_entry_loses_the_name() -> None:
    """It keeps what else it has: somebody may have edited it."""
    line = format_entry(an_entry(person="Ann Lee")).replace("GRANTED", "ALLOWED")
    assert without_person(line, "Ann Lee", "erased-1") == line.replace("Ann Lee", "erased-1")


def test_a_name_that_was_cut_is_replaced_too() -> None:
    """A cut name still tells who it was."""
    line = format_entry(an_entry(person="\n" * 200))
    assert parse_entry(without_person(line, "\n" * 200, "erased-1")).person == "erased-1"
    assert without_person("# a remark", "Ann", "erased-1") == "# a remark"


def test_a_continued_file_names_the_event_before_it() -> None:
    """So an otherwise empty file still says where to go on."""
    remark = continuation(Event("9f3a", 17))
    assert is_remark(remark)
    assert event_of(remark) == Event("9f3a", 17)


@given(entries, st.integers(min_value=0, max_value=100))
def test_every_beginning_of_a_line_is_recognised(entry: Entry, length: int) -> None:
    """A line cut short by a crash is told from a file that is no access log."""
    assert may_begin_line(format_entry(entry)[:length])
    assert may_begin_line(continuation(entry.event)[:length])


@pytest.mark.parametrize("text", ["\x89PNG", "site: home", "2026/11", "20a"])
def test_other_text_is_no_beginning_of_a_line(text: str) -> None:
    """A file of another kind is not taken for a log with one torn line."""
    assert not may_begin_line(text)


def test_repeated_events_are_left_out() -> None:
    """The broker answers each Fetch, also one that was said twice."""
    progress = Progress()
    progress.have(Event("9f3a", 2))
    batch = progress.sift(a_log(1, 2, 3))
    assert ([access.seq for access in batch.new], batch.repeated, batch.refused) == ([3], 2, 0)


def test_events_after_a_gap_are_refused() -> None:
    """What is missing would never come if what follows it were taken."""
    progress = Progress()
    progress.have(Event("9f3a", 2))
    batch = progress.sift(a_log(3, 5, 6))
    assert ([access.seq for access in batch.new], batch.repeated, batch.refused) == ([3], 0, 2)
    assert progress.fetch_after == Event("9f3a", 2)


def test_a_new_journal_is_taken_from_its_first_event() -> None:
    """A broker that began a new journal is fetched from there on; the old one is remembered."""
    progress = Progress()
    progress.have(Event("aaaa", 7))
    batch = progress.sift(a_log(1, 2, source="bbbb"))
    assert [access.seq for access in batch.new] == [1, 2]
    assert progress.fetch_after == Event("bbbb", 0)
    assert progress.newest == Event("aaaa", 7)
    assert progress.sift(a_log(6, 7, 8, source="aaaa")).repeated == 2
    assert progress.fetch_after == Event("aaaa", 7)


def test_an_event_of_another_journal_than_its_log_is_refused() -> None:
    """A batch that contradicts itself is not taken."""
    batch = Progress().sift(builders.a_log(an_access(1, source="bbbb")))
    assert (batch.new, batch.refused) == ((), 1)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 8), st.booleans()), max_size=60))
def test_however_batches_are_repeated_or_lost_each_event_is_taken_once_in_order(
    answers: list[tuple[int, int, bool]],
) -> None:
    """Any batch may come at any time, and writing it may fail: the log is always 1, 2, 3, and so on."""
    progress = Progress()
    logged: list[int] = []
    progress.have(Event("9f3a", 0))
    for after, length, written in answers:
        batch = progress.sift(a_log(*range(after + 1, after + 1 + length)))
        if written:
            for access in batch.new:
                progress.have(Event(access.source, access.seq))
                logged.append(access.seq)
    assert logged == list(range(1, len(logged) + 1))
    assert progress.fetch_after.seq == len(logged)


def test_progress_knows_the_last_event_of_each_journal() -> None:
    """And fetches after the one of the journal that answered last."""
    progress = Progress()
    assert progress.last_seqs == {}
    for event in (Event("aaaa", 1), Event("aaaa", 2), Event("bbbb", 1)):
        assert not progress.has(event)
        progress.have(event)
        assert progress.has(event)
    assert progress.last_seqs == {"aaaa": 2, "bbbb": 1}


def test_what_a_batch_shows_of_its_journal_is_accounted_for() -> None:
    """Another journal is told first, then events that will never come."""
    progress = Progress()
    assert progress.account_for(Log(source="aaaa", after_seq=0, next_seq=1, events=())) == []
    progress.have(Event("aaaa", 3))
    assert progress.account_for(Log(source="aaaa", after_seq=3, next_seq=4, events=())) == []
    gap = EventsMissing(source="aaaa", first_seq=4, last_seq=6)
    assert progress.account_for(Log(source="aaaa", after_seq=3, next_seq=7, events=())) == [gap]
    began, missing = progress.account_for(
        Log(source="bbbb", after_seq=0, next_seq=3, events=(), reason="put back")
    )
    assert isinstance(began, SourceBegan)
    assert (began.before, began.before_seq, began.reason) == ("aaaa", 3, "put back")
    assert missing == EventsMissing(source="bbbb", first_seq=1, last_seq=2)


def test_a_log_without_entries_lacks_what_the_journal_has_forgotten() -> None:
    """As one that was put back to its beginning, or removed."""
    gap = EventsMissing(source="aaaa", first_seq=1, last_seq=4)
    assert Progress().account_for(Log(source="aaaa", after_seq=4, next_seq=5, events=())) == [gap]


def test_whom_a_line_names_is_read_from_it() -> None:
    """Nobody where it is a remark, or where nobody was recognised."""
    columns = ("2026-11-22T11:01:14.123+01:00", "front_door", "GRANTED", "Ann Lee", "0.3124", "3/5")
    named = "  ".join((*columns, "recognised", "event=9f:17"))
    assert person_of_line("# a remark") is None
    assert person_of_line(named) == "Ann Lee"
    assert person_of_line(named.replace("Ann Lee", "Ann\\x ")) == "Ann\\x"
