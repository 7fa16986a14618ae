"""How a number of things is written, and a row of names: ``1 entry``, ``2 entries``, ``a, b and 3 more``.

inflect was rejected: it guesses the plurals of all of English, and the few nouns here are known.
"""

import re
from collections.abc import Sequence

MAX_NAMED = 5


def counted(count: int, one: str, more: str = "") -> str:
    """Return a number and its noun; `more` is the plural where that is not `one` and an s."""
    return f"{count} {one if count == 1 else more or f'{one}s'}"


def singular(words: str) -> str:
    """Return the plurals among a few words in the singular, as ``frames in`` is ``frame in`` for one."""
    return re.sub(r"(?<=[^s])s\b", "", re.sub(r"ies\b", "y", words))


def named(names: Sequence[str], *, at_most: int = MAX_NAMED) -> str:
    """Return names as a row, the first of them if there are many; a row of all has no ``1 more``."""
    shown = list(names) if len(names) <= at_most + 1 else [*names[:at_most], f"{len(names) - at_most} more"]
    return " and ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))
