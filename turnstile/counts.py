"""How a number of things is written: ``1 entry``, ``2 entries``.

inflect was rejected: it guesses the plurals of all of English, and the few nouns here are known.
"""

import re


def counted(count: int, one: str, more: str = "") -> str:
    """Return a number and its noun; `more` is the plural where that is not `one` and an s."""
    return f"{count} {one if count == 1 else more or f'{one}s'}"


def singular(words: str) -> str:
    """Return the plurals among a few words in the singular, as ``frames in`` is ``frame in`` for one."""
    return re.sub(r"(?<=[^s])s\b", "", re.sub(r"ies\b", "y", words))
