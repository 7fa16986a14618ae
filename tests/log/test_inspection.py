"""What a walk along the chain finds."""

from collections.abc import Mapping, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import START_NS, an_access, some_links
from turnstile.log.chain import START, Head, Link, Personal, Salts, commitment, extend, seal
from turnstile.log.inspection import Finding, Inspection, KeptHead
from turnstile.log.notes import (
    ActWords,
    EntriesRemoved,
    EventsMissing,
    Fact,
    NameErased,
    Note,
    NoteLink,
    OperatorActed,
    PicturesRemoved,
    link_note,
)

ERASED = Personal(None, None, None, None, "erased-0a1b2c3d")


def a_log(count: int = 6) -> list[Link]:
    """Return a log whose entries have names and pictures."""
    return some_links(*(an_access(seq, thumbnail=b"jpeg %d" % seq) for seq in range(1, count + 1)))


def inspected(
    links: Sequence[Link | NoteLink],
    *,
    floor: Head = START,
    heads: Sequence[tuple[Head, str]] = (),
    last_seqs: Mapping[str, int] | None = None,
) -> tuple[Inspection, list[Finding]]:
    """Return an inspection that has walked along a log, and what it found."""
    inspection = Inspection(floor)
    inspection.expect(KeptHead(head, words) for head, words in heads)
    for link in links:
        inspection.take(link)
    return inspection, inspection.finish(last_seqs)


def noted(links: Sequence[Link | NoteLink], *facts: Fact) -> list[Link | NoteLink]:
    """Return a log with notes after its end."""
    found = list(links)
    for fact in facts:
        note = Note(log="test/log", number=number_of(found[-1]) + 1, at_ns=START_NS, fact=fact)
        found.append(link_note(found[-1].hash, note))
    return found


def number_of(link: Link | NoteLink) -> int:
    """Return where an entry or note stands."""
    return link.note.number if isinstance(link, NoteLink) else link.record.number


def without_picture(link: Link) -> Link:
    """Return an entry whose picture was removed."""
    return link._replace(personal=link.personal._replace(thumbnail=None, thumbnail_salt=None))


def inspect(
    links: Sequence[Link | NoteLink], *, floor: Head = START, heads: Sequence[tuple[Head, str]] = ()
) -> list[Finding]:
    """Return what an inspection finds."""
    return inspected(links, floor=floor, heads=heads)[1]


def changed(link: Link, **fields: object) -> Link:
    """Return an entry with other contents and its old hash."""
    return link._replace(record=msgspec.structs.replace(link.record, **fields))


def with_hash(link: Link) -> Link:
    """Return an entry with the hash that its contents give."""
    return link._replace(hash=seal(link.previous, link.record))


def test_a_log_as_it_was_written_passes() -> None:
    """The inspection says how far it went."""
    links = a_log()
    inspection, findings = inspected(links)
    assert findings == []
    assert inspection.head == Head(6, links[-1].hash)
    assert (inspection.entries, inspection.erased, inspection.without_picture) == (6, 0, 0)


@pytest.mark.parametrize(
    "field",
    [
        {"verdict": "denied"},
        {"camera": "back_door"},
        {"decided_ns": 1},
        {"distance": 0.31},
        {"person_commitment": bytes(32)},
        {"seq": 99},
        {"config_hash": "x"},
    ],
)
def test_a_changed_entry_is_named(field: dict[str, object]) -> None:
    """Only that one, whatever was changed."""
    links = a_log()
    links[2] = changed(links[2], **field)
    assert inspect(links) == [(3, "entry 3 was changed: it does not give its hash")]


def test_a_change_that_was_sealed_anew_is_named_by_the_entry_after_it() -> None:
    """Who changes an entry must rewrite all that follow."""
    links = a_log()
    links[2] = with_hash(changed(links[2], verdict="denied"))
    assert inspect(links) == [(3, "entry 3 is not the one that 4 follows")]


@pytest.mark.parametrize(
    ("removed", "words"), [((3,), "entry 3 is missing"), ((2, 3, 4), "entries 2 to 4 are missing")]
)
def test_removed_entries_are_named(removed: tuple[int, ...], words: str) -> None:
    """By the gap in the numbers."""
    links = [link for link in a_log() if link.record.number not in removed]
    assert inspect(links) == [(removed[0], words)]


def test_removed_first_entries_are_missed() -> None:
    """The first entry kept must follow what retention says it removed."""
    assert inspect(a_log()[2:]) == [(1, "entries 1 to 2 are missing")]


def test_swapped_entries_are_named_with_their_places() -> None:
    """Each gives its hash under the other's number."""
    links = a_log()
    links[1], links[4] = changed(links[4], number=2), changed(links[1], number=5)
    assert inspect(links) == [
        (2, "entry 2 was moved: it is what was written as entry 5"),
        (5, "entry 5 was moved: it is what was written as entry 2"),
    ]


def test_an_entry_removed_with_the_gap_closed_is_named() -> None:
    """The entries after it were renumbered."""
    links = a_log()
    closed = [*links[:2], *(changed(link, number=link.record.number - 1) for link in links[3:])]
    assert [finding.words for finding in inspect(closed)] == [
        f"entry {number} was moved: it is what was written as entry {number + 1}" for number in (3, 4, 5)
    ]


@given(numbers=st.lists(st.integers(0, 5), min_size=1, unique=True), renumbered=..., witnessed=...)
def test_no_removal_and_no_new_order_passes(
    *,
    numbers: list[int],
    renumbered: bool,
    witnessed: bool,
) -> None:
    """Whatever is left in whatever order, only the log's beginning passes, and with a head only all of it."""
    links = a_log()
    left = [links[number] for number in (numbers if renumbered else sorted(numbers))]
    if renumbered:
        left = [changed(link, number=number) for number, link in enumerate(left, 1)]
    heads = [(Head(6, links[-1].hash), "somebody has")] if witnessed else []
    passes = left == links[: len(left)] and (not witnessed or len(left) == 6)
    assert (inspect(left, heads=heads) == []) == passes


def test_a_cut_end_is_seen_by_a_head_that_was_kept() -> None:
    """Without one it cannot be: the words say what is missing and who kept the head."""
    links = a_log()
    head = Head(6, links[-1].hash)
    assert inspect(links[:4]) == []
    assert inspect(links[:4], heads=[(head, "the notebook has")]) == [
        (6, "the end of the log is cut off: entries 5 to 6 are missing; entry 6 the notebook has")
    ]
    assert inspect(links, heads=[(head, "the notebook has")]) == []


def test_a_log_written_anew_is_seen_by_a_head_that_was_kept() -> None:
    """Each hash of the forged one fits, but it is another."""
    forged = some_links(*(an_access(seq, person="Ann") for seq in range(1, 7)))
    kept = Head(4, a_log()[3].hash)
    assert inspect(forged) == []
    assert inspect(forged, heads=[(kept, "the notebook has")]) == [
        (4, "entry 4 is not the one that the notebook has: the log was rewritten")
    ]


def test_a_hash_alone_is_looked_for() -> None:
    """It may be of any entry."""
    links = a_log()
    inspection = Inspection()
    inspection.expect_hash(links[3].hash, "no entry has the first hash")
    inspection.expect_hash(bytes(32), "no entry has the second hash")
    for link in links:
        inspection.take(link)
    assert inspection.finish() == [(0, "no entry has the second hash")]


def test_a_chain_whose_beginning_was_removed_by_retention_verifies() -> None:
    """What is kept must follow the last entry removed; heads kept from before it are compared with it."""
    links = a_log()
    floor = Head(2, links[1].hash)
    left = noted(links, EntriesRemoved(up_to=2, up_to_hash=floor.hash, before_ns=1))[2:]
    assert inspect(left, floor=floor, heads=[(Head(1, bytes(32)), "x"), (floor, "x")]) == []
    forged = Head(2, bytes(32))
    assert (2, "entry 2 is not the one that 3 follows") in inspect(left, floor=forged)
    assert len(inspect(left, floor=floor, heads=[(forged, "x")])) == 1


def test_a_floor_without_a_note_is_a_finding() -> None:
    """Whoever cuts the first entries off and moves the floor would have to forge a note as well."""
    links = a_log()
    words = "entries 1 to 2 are missing, but no removal is on record"
    assert inspect(links[2:], floor=Head(2, links[1].hash)) == [(2, words)]


def test_a_removal_that_came_too_early_is_seen_by_a_head_kept_elsewhere() -> None:
    """An entry that was witnessed after the time that retention names was too young to go."""
    links = a_log()
    floor = Head(2, links[1].hash)
    left = noted(links, EntriesRemoved(up_to=2, up_to_hash=floor.hash, before_ns=START_NS))[2:]
    inspection = Inspection(floor)
    late_ns = START_NS + 3 * 86_400 * 10**9
    inspection.expect([KeptHead(Head(1, links[0].hash), "the notebook has", late_ns)])
    for link in left:
        inspection.take(link)
    words = "entry 1 the notebook has: it was removed before its age allowed"
    assert inspection.finish() == [(1, words)]


def test_a_head_kept_while_a_clock_was_ahead_is_no_sign_of_an_early_removal() -> None:
    """A newer head, kept at an earlier time, shows that the clock was wrong."""
    links = a_log()
    floor = Head(2, links[1].hash)
    left = noted(links, EntriesRemoved(up_to=2, up_to_hash=floor.hash, before_ns=START_NS))[2:]
    inspection = Inspection(floor)
    ahead_ns = START_NS + 3650 * 86_400 * 10**9
    heads = [KeptHead(Head(1, links[0].hash), "a disk has", ahead_ns)]
    inspection.expect([*heads, KeptHead(Head(3, links[2].hash), "a disk has", START_NS)])
    for link in left:
        inspection.take(link)
    assert inspection.finish() == []


def test_an_erased_name_leaves_the_chain_whole() -> None:
    """The hash holds a commitment only; the pseudonym must be one that an erasure gave."""
    links = a_log()
    links[2] = links[2]._replace(personal=ERASED)
    inspection, findings = inspected(noted(links, NameErased(pseudonym="erased-0a1b2c3d", entries=1)))
    assert findings == []
    assert (inspection.erased, inspection.without_picture) == (1, 1)
    assert inspect(links) == [(3, "the name of entry 3 was replaced, but no erasure is on record")]


def test_an_erasure_on_record_covers_no_later_and_no_further_entry() -> None:
    """Who wipes names under a pseudonym that an earlier erasure gave is found by the count."""
    links = a_log()
    links[1], links[2] = links[1]._replace(personal=ERASED), links[2]._replace(personal=ERASED)
    few = noted(links, NameErased(pseudonym="erased-0a1b2c3d", entries=1))
    words = "erased-0a1b2c3d stands in 2 entries; erasures of 1 are on record"
    assert inspect(few) == [(7, words)]


def test_a_gap_in_the_events_needs_a_note() -> None:
    """Events that no entry tells are a finding, unless a note says that they are missing."""
    first, second = an_access(1), an_access(5)
    gap = EventsMissing(source=first.source, first_seq=2, last_seq=4)
    (head,) = some_links(first)
    (note,) = noted([head], gap)[1:]
    after = extend(Head(2, note.hash), second, log="test/log", salts=Salts(bytes(32), bytes(32), bytes(32)))
    assert inspect([head, note, after]) == []
    silent = some_links(first, second)
    words = f"event {first.source}:5 follows {first.source}:1; no gap is on record"
    assert inspect(silent) == [(2, words)]


def test_what_an_operator_did_is_one_of_the_events() -> None:
    """Its note is missed like an entry when it is gone, and one with another number is a finding."""
    head = some_links(an_access(1))
    source = head[0].record.source
    act = OperatorActed(source=source, seq=2, act="act-2", camera="gate", asker="operator-1", at_ns=START_NS)
    assert inspected(noted(head, act), last_seqs={source: 2})[1] == []
    assert len(inspected(head, last_seqs={source: 2})[1]) == 1
    words = f"event {source}:3 follows {source}:1; no gap is on record"
    assert inspect(noted(head, msgspec.structs.replace(act, seq=3))) == [(2, words)]


def test_progress_that_was_raised_is_a_finding() -> None:
    """A store that claims events which it has no entries of would never fetch them."""
    links = a_log()
    source = links[0].record.source
    assert inspected(links, last_seqs={source: 6})[1] == []
    words = f"the store says that its last event of {source} is 106; it is 6"
    assert inspected(links, last_seqs={source: 106})[1] == [(0, words)]
    assert len(inspected(links, last_seqs={source: 6, "ffff": 3})[1]) == 1
    assert len(inspected(links, last_seqs={source: 5})[1]) == 1
    assert len(inspected(links, last_seqs={})[1]) == 1


def test_a_changed_note_is_named() -> None:
    """Notes are bound as entries are."""
    links = noted(a_log(), NameErased(pseudonym="erased-1", entries=1))
    note = links[-1]
    assert isinstance(note, NoteLink)
    fact = NameErased(pseudonym="erased-1", entries=2)
    links[-1] = note._replace(note=msgspec.structs.replace(note.note, fact=fact))
    assert inspect(links) == [(7, "note 7 was changed: it does not give its hash")]


def test_changed_personal_fields_are_named() -> None:
    """While their salts are there, the commitments prove them."""
    links = a_log()
    first, second, third = (link.personal for link in links[:3])
    links[0] = links[0]._replace(personal=first._replace(person="Ann"))
    links[1] = links[1]._replace(personal=second._replace(thumbnail=b"another"))
    links[2] = links[2]._replace(personal=third._replace(person=None, person_salt=None))
    assert [finding.words for finding in inspect(links)] == [
        "the name of entry 1 was changed",
        "the picture of entry 2 was changed",
        "the name of entry 3 is missing, but no erasure is on record",
    ]


def test_a_picture_that_was_removed_for_its_age_is_no_finding() -> None:
    """It is counted."""
    links = a_log()
    links[0] = without_picture(links[0])
    inspection, findings = inspected(noted(links, PicturesRemoved(up_to=1, before_ns=1)))
    assert (inspection.without_picture, findings) == (1, [])
    links[1] = without_picture(links[1])
    assert len(inspect(noted(links, PicturesRemoved(up_to=1, before_ns=1)))) == 1
    links[1] = a_log()[1]
    assert inspect(links) == [(1, "the picture of entry 1 is missing, but no removal is on record")]


def test_a_picture_where_there_was_none_is_a_finding() -> None:
    """The entry says whether it came with one."""
    (link,) = some_links(an_access(1, thumbnail=b""))
    forged = link._replace(personal=link.personal._replace(thumbnail=b"forged", thumbnail_salt=bytes(32)))
    assert inspect([forged]) == [(1, "entry 1 came without a picture and has one now")]


def an_account_acted(links: Sequence[Link | NoteLink]) -> NoteLink:
    """Return a note of what an account did, after a log's end."""
    salts = (b"1" * 32, b"2" * 32)
    told = ActWords("Ada", salts[0], 'enrolled "Ann Lee"', salts[1])
    fact = OperatorActed(
        source="bbbb",
        seq=1,
        act="act-1",
        camera=None,
        asker="web-1",
        at_ns=START_NS,
        role="clerk",
        deed="enrol-picture",
        by_commitment=commitment(told.by, salts[0]),
        words_commitment=commitment(told.words, salts[1]),
    )
    note = noted(links, fact)[-1]
    assert isinstance(note, NoteLink)
    return note._replace(told=told)


def test_what_an_account_did_is_proven() -> None:
    """By commitments, so that a name in it can be erased."""
    links = a_log()
    assert inspect([*links, an_account_acted(links)]) == []


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (None, "what an account did by note 7 is missing"),
        (
            ActWords("Eve", b"1" * 32, 'enrolled "Ann Lee"', b"2" * 32),
            "what an account did by note 7 was changed",
        ),
        (ActWords("Ada", b"1" * 32, "nothing", b"2" * 32), "what an account did by note 7 was changed"),
        (
            ActWords("Ada", b"1" * 32, "nothing", None),
            "what an account did by note 7 cannot be proven any more",
        ),
        (
            ActWords("Ada", b"1" * 32, 'enrolled "erased-0a1b2c3d"', None),
            "the name of entry 7 was replaced, but no erasure is on record",
        ),
    ],
)
def test_what_an_account_did_and_does_not_prove_is_a_finding(told: ActWords | None, words: str) -> None:
    """Lost, changed, without its salt, or with a pseudonym that no erasure gave."""
    links = a_log()
    found = inspect([*links, an_account_acted(links)._replace(told=told)])
    assert [finding.words for finding in found] == [words]
