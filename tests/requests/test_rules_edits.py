"""Changes of rules: only what is meant changes, and nobody may enter for it who might not before."""

import datetime as dt
from typing import Any

import pytest

from turnstile.access.rules import build, may_ever
from turnstile.requests.rules_edits import Document, add_name, block, forget, rename, set_validity, unblock

DOORS = ("front", "store")


def some_rules() -> dict[str, Any]:
    """Return rules that name Ann in each way."""
    return {
        "groups": {"staff": ["Ann Lee", "Bob"]},
        "doors": {"store": {"allow": [{"people": ["ann  lee"]}]}},
        "valid": {"Ann Lee": {"until": dt.date(2027, 1, 1)}},
        "blocked": ["ANN LEE", "Eve"],
    }


def test_a_person_is_blocked_once_and_unblocked_in_any_spelling() -> None:
    """A list is begun where there is none."""
    rules: dict[str, Any] = {}
    assert block(rules, "Ann Lee")
    assert not block(rules, "ann lee")
    assert rules == {"blocked": ["Ann Lee"]}
    assert unblock(rules, "ANN_LEE")
    assert not unblock(rules, "Ann Lee")
    build(rules, doors=DOORS)


def test_validity_is_set_and_removed() -> None:
    """Under the name that is written there."""
    rules: dict[str, Any] = {"valid": {"ann lee": {"from": dt.date(2026, 1, 1)}}}
    set_validity(rules, "Ann Lee", "", "2026-12-31")
    assert rules == {"valid": {"ann lee": {"until": dt.date(2026, 12, 31)}}}
    set_validity(rules, "Ann Lee", "", "")
    assert rules == {}


def test_a_person_is_renamed_everywhere() -> None:
    """In groups, at doors, with dates and on the list of those barred."""
    rules = some_rules()
    assert rename(rules, "Ann Lee", "Ann Roe") == 4
    built = build(rules, doors=DOORS)
    assert "Ann Lee" not in built.named() | {"ann  lee", "ANN LEE"} & built.named()
    assert built.named() == {"Ann Roe", "Bob", "Eve"}


def test_a_person_is_forgotten_everywhere_and_no_door_opens_for_it() -> None:
    """The store was Ann's alone: it is nobody's then, not everybody's."""
    rules = some_rules()
    assert forget(rules, "Ann Lee") == 4
    built = build(rules, doors=DOORS)
    assert built.named() == {"Bob", "Eve"}
    assert not may_ever(built, "Bob", "store")
    assert may_ever(built, "Bob", "front")


@pytest.mark.parametrize("edit", [rename, forget])
def test_rules_without_the_person_stay(edit: Any) -> None:
    """Nothing is counted."""
    rules = some_rules()
    before = repr(rules)
    assert (edit(rules, "Zoe", "Zia") if edit is rename else edit(rules, "Zoe")) == 0
    assert repr(rules) == before


def test_another_name_is_added_beside_a_persons_and_takes_its_place() -> None:
    """Wherever rules have the person; a name that is there already is not there twice."""
    document: Document = {
        "blocked": ["Ann", "Bob"],
        "groups": {"staff": ["Roe", "Ann"], "none": ["Bob"]},
        "valid": {"Ann": {"from": "2030-01-01"}},
    }
    assert add_name(document, "ann", "Roe") == 2
    assert document["blocked"] == ["Ann", "Roe", "Bob"]
    assert document["groups"] == {"staff": ["Roe", "Ann"], "none": ["Bob"]}
    assert document["valid"]["Roe"] == document["valid"]["Ann"]
    rename(document, "Ann", "Roe")
    assert (document["blocked"], document["groups"]["staff"]) == (["Roe", "Bob"], ["Roe"])
    assert document["valid"].keys() == {"Roe"}
