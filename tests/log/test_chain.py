"""The chain: what is bound."""

import msgspec

from tests.support.builders import START_NS, an_access, some_links
from turnstile.log.chain import BEFORE_FIRST, commitment, seal
from turnstile.log.notes import (
    EntriesRemoved,
    EventsMissing,
    EventsRepeated,
    Fact,
    NameErased,
    Note,
    PicturesRemoved,
    SourceBegan,
    seal_note,
)


def test_the_canonical_form_is_pinned() -> None:
    """Whoever keeps a hash today must be able to check it with a later version."""
    links = some_links(*(an_access(seq, thumbnail=b"jpeg %d" % seq) for seq in (1, 2)))
    assert links[1].hash.hex() == "32169494d15409cfe5a91fc6f6a42ff9af5d2a84da05709826988ac79506d040"


def test_the_first_form_still_gives_its_hash() -> None:
    """Entries written before the limit and the nearest person were part of a record verify for ever."""
    before = BEFORE_FIRST
    for link in some_links(*(an_access(seq, thumbnail=b"jpeg %d" % seq) for seq in (1, 2))):
        before = seal(before, msgspec.structs.replace(link.record, nearest_commitment=None))
    assert before.hex() == "bcfdccc1958dbea339de291998150671b9bbd86c51922c8c97732c396dcf2380"


def test_the_form_of_a_note_is_pinned() -> None:
    """Notes are bound for as long as entries are: one of each kind, in one chain."""
    facts: tuple[Fact, ...] = (
        SourceBegan(source="bbbb", before="aaaa", before_seq=4, reason="the journal was put back"),
        EventsMissing(source="bbbb", first_seq=2, last_seq=9),
        EventsRepeated(source="bbbb", first_seq=1, last_seq=2),
        NameErased(pseudonym="erased-0a1b2c3d", entries=3),
        PicturesRemoved(up_to=4, before_ns=START_NS),
        EntriesRemoved(up_to=2, up_to_hash=bytes(32), before_ns=START_NS),
    )
    sealed = BEFORE_FIRST
    for number, fact in enumerate(facts, 1):
        sealed = seal_note(sealed, Note(log="site/logger", number=number, at_ns=START_NS, fact=fact))
    assert sealed.hex() == "a9528d9df4082eb633ba800292132c9a3f46e1d6b49ed20e0df90db102f7fd9d"


def test_commitments_to_the_same_name_differ() -> None:
    """Nobody can tell from the chain that two entries are of one person, nor try names."""
    first, second = some_links(an_access(1), an_access(2))
    assert first.personal.person == second.personal.person
    assert first.record.person_commitment != second.record.person_commitment
    assert commitment("Ann", b"salt") != commitment(None, b"salt")


def test_what_a_database_would_not_give_back_is_not_hashed() -> None:
    """Neither a negative zero nor a NUL character survives in every database."""
    access = msgspec.structs.replace(an_access(), distance=-0.0, margin=-0.0, gallery_version="a\0b")
    record = some_links(access)[0].record
    assert str(record.distance) == str(record.margin) == "0.0"
    assert record.gallery_version == "a\ufffdb"
