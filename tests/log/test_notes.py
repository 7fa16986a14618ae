"""Notes of the log about itself: their words, their line and their number."""

from datetime import UTC, datetime

import msgspec
import pytest

from turnstile.log.notes import (
    ActWords,
    EntriesRemoved,
    EventsMissing,
    EventsRepeated,
    Fact,
    NameErased,
    Note,
    OperatorActed,
    PicturesRemoved,
    SourceBegan,
    Unreadable,
    link_note,
    name_before,
    note_number,
    read_fact,
    remark,
    words_of,
)


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (
            SourceBegan(source="bbbb", before="aaaa", before_seq=7, reason="the journal was replaced"),
            "events come from journal bbbb after event aaaa:7: the journal was replaced",
        ),
        (
            SourceBegan(source="bbbb", before="aaaa", before_seq=7),
            "events come from journal bbbb after event aaaa:7",
        ),
        (
            EventsMissing(source="aaaa", first_seq=3, last_seq=3),
            "event aaaa:3 is missing; the journal has it no more",
        ),
        (
            EventsMissing(source="aaaa", first_seq=3, last_seq=5),
            "3 events, aaaa:3 to 5, are missing; the journal has them no more",
        ),
        (
            OperatorActed(source="aaaa", seq=3, act="act-1", camera="gate", asker="operator-1", at_ns=10**18),
            "operator-1 unlocked gate at 2001-09-09 01:46:40 UTC; event=aaaa:3",
        ),
        (
            OperatorActed(source="aaaa", seq=3, act="act-1", camera=None, asker="operator-1", at_ns=-1),
            "operator-1 said that the broker's clock is right; event=aaaa:3",
        ),
        (
            NameErased(pseudonym="erased-1", entries=1),
            "erased-1 stands for a name that was erased in 1 entry",
        ),
        (
            NameErased(pseudonym="erased-1", entries=2),
            "erased-1 stands for a name that was erased in 2 entries",
        ),
        (
            PicturesRemoved(up_to=9, before_ns=1),
            "pictures of entries up to 9, stored before 1970-01-01, were removed for their age",
        ),
        (
            EntriesRemoved(up_to=9, up_to_hash=bytes(32), before_ns=1),
            "entries up to 9, stored before 1970-01-01, were removed for their age",
        ),
    ],
)
def test_a_note_says_in_words_what_happened(fact: Fact, words: str) -> None:
    """Who reads the text needs no other tool."""
    assert words_of(fact) == words


def test_a_note_is_a_remark_with_its_number() -> None:
    """So that the text can be continued after it."""
    note = Note(log="office/log", number=12, at_ns=0, fact=NameErased(pseudonym="erased-1", entries=1))
    line = remark(link_note(bytes(32), note), at=datetime(2026, 11, 22, 12, tzinfo=UTC))
    assert line == f"# 2026-11-22T12:00:00.000+00:00  note 12: {words_of(note.fact)}"
    assert note_number(line) == 12
    assert note_number("# another remark") is None


def test_a_note_is_chained_to_what_stands_before_it() -> None:
    """Another predecessor or another fact is another hash."""
    note = Note(log="office/log", number=2, at_ns=0, fact=NameErased(pseudonym="erased-1", entries=1))
    other = Note(log="office/log", number=2, at_ns=0, fact=NameErased(pseudonym="erased-2", entries=1))
    hashes = {
        link_note(bytes(32), note).hash,
        link_note(b"x" * 32, note).hash,
        link_note(bytes(32), other).hash,
    }
    assert len(hashes) == 3


def test_a_note_is_found_again_in_its_line() -> None:
    """By its number; other remarks have none."""
    note = Note(log="site/log", number=7, at_ns=0, fact=NameErased(pseudonym="erased-1", entries=1))
    line = remark(link_note(bytes(32), note), at=datetime(2026, 11, 25, tzinfo=UTC))
    assert line.endswith("note 7: erased-1 stands for a name that was erased in 1 entry")
    assert (note_number(line), note_number("# a remark")) == (7, None)


def test_a_fact_that_cannot_be_read_says_so() -> None:
    """Bytes that a fault changed stop nobody."""
    fact = read_fact(b"\xff")
    assert isinstance(fact, Unreadable)
    assert words_of(fact).startswith("cannot be read: ")
    repeated = EventsRepeated(source="aaaa", first_seq=2, last_seq=3)
    assert words_of(read_fact(msgspec.json.encode(repeated))) == ("events aaaa:2 to 3 are in the log already")


@pytest.mark.parametrize(
    ("deed", "words", "before"),
    [
        ("rename-person", 'renamed "Ann \\"A\\" Lee" to "Ann Roe"', 'Ann "A" Lee'),
        ("rename-person", 'renamed "ann roe" to "Ann Roe"', ""),
        ("rename-person", 'renamed "Ann" to "Bob"', ""),
        ("record-act", 'renamed "Ann" to "Ann Roe"', ""),
    ],
)
def test_a_rename_tells_what_somebody_was_called_before(deed: str, words: str, before: str) -> None:
    """So whoever erases somebody learns of the other name in the log."""
    fact = OperatorActed(
        source="aaaa", seq=1, act="act-1", camera=None, asker="web-1", at_ns=1, role="clerk", deed=deed
    )
    assert name_before(fact, ActWords("Ada", b"", words, b""), "ann  ROE") == before
