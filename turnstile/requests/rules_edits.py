"""Changes of a rules document, in place, so that whoever reads it again finds all the rest as it was.

A document is what YAML holds: dictionaries, lists, texts and dates. Names are compared as
`turnstile.protocol.names` says.
"""

import copy
import datetime as dt
from typing import Any

from turnstile.protocol.names import same_name

Document = dict[str, Any]
NOBODY = "nobody"
"""The group that takes the place of the last person at a door: with no entry, everybody could use it."""


def block(document: Document, person: str) -> bool:
    """Bar a person; tell whether that is new."""
    blocked = _list(document, "blocked")
    if any(same_name(one, person) for one in blocked):
        return False
    blocked.append(person)
    return True


def unblock(document: Document, person: str) -> bool:
    """Bar a person no more; tell whether they were barred."""
    return _remove(document.get("blocked") or [], person)


def set_validity(document: Document, person: str, from_day: str, until_day: str) -> int:
    """Set the days on which a person may enter; empty: any. Return 1."""
    valid = document.get("valid")
    if not isinstance(valid, dict):
        valid = document["valid"] = {}
    known = next((one for one in valid if same_name(f"{one}", person)), person)
    days = {
        name: dt.date.fromisoformat(day) for name, day in (("from", from_day), ("until", until_day)) if day
    }
    if days:
        valid[known] = days
    else:
        valid.pop(known, None)
    if not valid:
        del document["valid"]
    return 1


def add_name(document: Document, person: str, to: str) -> int:
    """Say of another name, too, what rules say of a person; return in how many places."""
    count = 0
    for names in _lists(document):
        if not any(same_name(f"{one}", to) for one in names):
            of_person = [at for at, name in enumerate(names) if same_name(f"{name}", person)]
            for at in of_person[:1]:
                names.insert(at + 1, to)
                count += 1
    valid = document.get("valid") or {}
    for name in [one for one in valid if same_name(f"{one}", person)]:
        valid[to] = copy.deepcopy(valid[name])  # one thing in two places would be written as an alias
        count += 1
    return count


def rename(document: Document, person: str, to: str) -> int:
    """Give a person another name wherever rules have it, once each; return in how many places."""
    count = 0
    for names in _lists(document):
        found = [at for at, name in enumerate(names) if same_name(f"{name}", person)]
        if found:
            names[found[0]] = to
            twice = [at for at, name in enumerate(names) if at != found[0] and same_name(f"{name}", to)]
            for at in sorted({*found[1:], *twice}, reverse=True):
                del names[at]
            count += 1
    valid = document.get("valid") or {}
    for name in [one for one in valid if same_name(f"{one}", person)]:
        valid[to] = valid.pop(name)
        count += 1
    return count


def forget(document: Document, person: str) -> int:
    """Remove a person from all rules; return from how many places. Nobody else may enter for it."""
    count = sum(_remove(names, person) for names in _lists(document))
    valid = document.get("valid") or {}
    for name in [one for one in valid if same_name(f"{one}", person)]:
        del valid[name]
        count += 1
    for door in (document.get("doors") or {}).values():
        for allow in (door or {}).get("allow") or ():
            if not allow.get("people") and not allow.get("groups"):
                allow["groups"] = [NOBODY]
                groups = document.setdefault("groups", {})
                groups.setdefault(NOBODY, [])
            if "people" in allow and not allow["people"]:
                del allow["people"]
    return count


def _lists(document: Document) -> list[list[Any]]:
    """Return every list of names."""
    allows = [
        allow
        for door in (document.get("doors") or {}).values()
        for allow in (door or {}).get("allow") or ()
        if isinstance(allow, dict)
    ]
    found = [*(document.get("groups") or {}).values(), document.get("blocked")]
    found += [allow.get("people") for allow in allows]
    return [one for one in found if isinstance(one, list)]


def _list(document: Document, key: str) -> list[Any]:
    found = document.get(key)
    if not isinstance(found, list):
        found = document[key] = []
    return found


def _remove(names: list[Any], person: str) -> bool:
    gone = [at for at, name in enumerate(names) if same_name(f"{name}", person)]
    for at in reversed(gone):
        del names[at]
    return bool(gone)
