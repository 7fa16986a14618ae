"""The chain: what is bound, and what an inspection finds."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import an_access, some_links
from turnstile.log.chain import START, Finding, Head, Inspection, Link, Personal, commitment, seal

ERASED = Personal(None, None, None, None, "erased-0a1b2c3d")


def a_log(count: int = 6) -> list[Link]:
    """Return a log whose entries have names and pictures."""
    return some_links(*(an_access(seq, thumbnail=b"jpeg %d" % seq) for seq in range(1, count + 1)))


def inspected(
    links: list[Link],
    *,
    floor: Head = START,
    erasures: Sequence[str] = (),
    heads: Sequence[tuple[Head, str]] = (),
) -> tuple[Inspection, list[Finding]]:
    """Return an inspection that has walked along a log, and what it found."""
    inspection = Inspection(floor, erasures=erasures)
    inspection.expect(heads)
    for link in links:
        inspection.take(link)
    return inspection, inspection.finish()


def inspect(
    links: list[Link], *, floor: Head = START, heads: Sequence[tuple[Head, str]] = ()
) -> list[Finding]:
    """Return what an inspection finds."""
    return inspected(links, floor=floor, heads=heads)[1]


def changed(link: Link, **fields: object) -> Link:
    """Return an entry with other contents and its old hash."""
    return link._replace(record=msgspec.structs.replace(link.record, **fields))


def with_hash(link: Link) -> Link:
    """Return an entry with the hash that its contents give."""
    return link._replace(hash=seal(link.previous, link.record))


def test_the_canonical_form_is_pinned() -> None:
    """Whoever keeps a hash today must be able to check it with a later version."""
    assert a_log(2)[1].hash.hex() == "bcfdccc1958dbea339de291998150671b9bbd86c51922c8c97732c396dcf2380"


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
    assert inspect(links[2:], floor=floor, heads=[(Head(1, bytes(32)), "x"), (floor, "x")]) == []
    forged = Head(2, bytes(32))
    assert inspect(links[2:], floor=forged) == [(2, "entry 2 is not the one that 3 follows")]
    assert len(inspect(links[2:], floor=floor, heads=[(forged, "x")])) == 1


def test_an_erased_name_leaves_the_chain_whole() -> None:
    """The hash holds a commitment only; the pseudonym must be one that an erasure gave."""
    links = a_log()
    links[2] = links[2]._replace(personal=ERASED)
    inspection, findings = inspected(links, erasures=["erased-0a1b2c3d"])
    assert findings == []
    assert (inspection.erased, inspection.without_picture) == (1, 1)
    assert inspect(links) == [(3, "the name of entry 3 was replaced, but no erasure is on record")]


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
    links[0] = links[0]._replace(personal=links[0].personal._replace(thumbnail=None, thumbnail_salt=None))
    inspection, findings = inspected(links)
    assert (inspection.without_picture, findings) == (1, [])


def test_commitments_to_the_same_name_differ() -> None:
    """Nobody can tell from the chain that two entries are of one person, nor try names."""
    first, second = a_log(2)
    assert first.personal.person == second.personal.person
    assert first.record.person_commitment != second.record.person_commitment
    assert commitment("Ann", b"salt") != commitment(None, b"salt")


def test_what_a_database_would_not_give_back_is_not_hashed() -> None:
    """Neither a negative zero nor a NUL character survives in every database."""
    access = msgspec.structs.replace(an_access(), distance=-0.0, margin=-0.0, gallery_version="a\0b")
    record = some_links(access)[0].record
    assert str(record.distance) == str(record.margin) == "0.0"
    assert record.gallery_version == "a\ufffdb"
