"""Which role may want what: written down again, so that the table is not asked about itself."""

from typing import get_args

import pytest

from turnstile.errors import WireError
from turnstile.protocol.requests import AccountRole, Request
from turnstile.requests.accounts import MAY, why_not
from turnstile.requests.answers import Done, decode_answer, encode_answer
from turnstile.requests.wishes import (
    AnyWish,
    BlockPerson,
    FindVisits,
    ReadPeople,
    UnlockDoor,
    decode_wish,
    encode_wish,
)

ONLY_ADMINS = {
    *("RemovePicture", "ErasePerson", "ReadRules", "ReplaceRules", "BlockPerson", "SetValidity"),
    *("UndoRules", "UnlockDoor"),
}
VIEWERS = {"FindVisits", "FindLastSeen", "ReadChain", "RecordAct", "ReadZone"}


def a_request(role: AccountRole, *doors: str) -> Request:
    """Return a request of Ann's."""
    return Request(asker="web-1", token="00", to="broker", by="Ann", role=role, doors=doors, wish=b"")


def test_each_role_may_what_it_is_for() -> None:
    """A wish that is added later is an admin's until it is decided about here."""
    every = {wish.__name__ for wish in get_args(AnyWish)}
    named = {role: {wish.__name__ for wish in wishes} for role, wishes in MAY.items()}
    assert named == {"viewer": VIEWERS, "clerk": every - ONLY_ADMINS, "admin": every}


def test_an_account_sees_its_own_doors() -> None:
    """No doors named means all."""
    wish = FindVisits(camera="front_door")
    assert why_not(a_request("viewer"), wish) == ""
    assert why_not(a_request("viewer", "front_door"), wish) == ""
    assert why_not(a_request("viewer", "store"), wish) == "Ann may not see front_door"


def test_an_account_of_one_door_changes_nothing_of_the_others() -> None:
    """Whoever is blocked is blocked everywhere."""
    wish = BlockPerson(person="Eve Poe", blocked=True)
    assert why_not(a_request("admin"), wish) == ""
    told = "Ann is of store only, and this concerns all doors"
    assert why_not(a_request("admin", "store"), wish) == told


def test_what_a_role_may_not_is_told() -> None:
    """In the words that a page shows."""
    assert why_not(a_request("clerk"), UnlockDoor(camera="store")) == "Ann is a clerk, who may not do this"


def test_wishes_and_answers_are_read_as_they_were_sent() -> None:
    """Anything else is refused in words."""
    assert decode_wish(encode_wish(ReadPeople())) == ReadPeople()
    assert decode_answer(encode_answer(Done(words="done"))) == Done(words="done")
    with pytest.raises(WireError, match=r"^not a wish: "):
        decode_wish(b"\xc1")
    with pytest.raises(WireError, match=r"^not an answer: "):
        decode_answer(encode_wish(ReadPeople()))
