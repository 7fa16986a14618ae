"""When two ways to write a name mean the same person, group or file: one function for all comparisons.

A name comes from a rules file, a picture's file name (decomposed by macOS), a command line or a log. Each
keyboard and file system writes it in its own way; a blocked person must not enter because of that.

Library not taken: `PyICU` compares as Unicode's collation does; the standard library suffices for equality.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable

_TURKISH_I = re.compile("\u0131|i\u0307+")
_HIDDEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""What shows nothing and is of no category of its own: selectors of variants, fillers, joiners."""

_PLAIN = (
    {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
    | dict.fromkeys(map(ord, "\u2018\u2019\u201b\u02bc\u02bb\u2032\u00b4`"), "'")
    | dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212\ufe63"), "-")
)
"""Wide letters, apostrophes and hyphens as keyboards and word processors write them, and what is meant."""


def name_key(name: str) -> str:
    """Return the form in which a name is compared; equal forms are one name.

    Accents may be composed or not, letters small or capital (``ß`` is ``ss``), words apart by any number of
    spaces of any kind or by ``_``. Apostrophes, hyphens and wide letters count as the plain ones. Spaces
    around the name and characters that show nothing do not count.

    It is Unicode's canonical caseless match (The Unicode Standard, 3.13, D145) with spaces folded. The
    Turkish letters i with and without a dot are one: their capitals are each other's in other languages, and
    a file's name becomes a person's by capitals.
    """
    shown = "".join(char for char in name if unicodedata.category(char) != "Cf")
    folded = unicodedata.normalize("NFD", _HIDDEN.sub("", shown)).casefold().translate(_PLAIN)
    dotted = _TURKISH_I.sub("i", folded)
    return unicodedata.normalize("NFC", " ".join(dotted.replace("_", " ").split()))


def same_name(one: str, other: str) -> bool:
    """Tell whether two names are one."""
    return name_key(one) == name_key(other)


def near_names(name: str, known: Iterable[str]) -> list[str]:
    """Return at most three of the known names that are written nearly like this one."""
    spelt = {name_key(one): one for one in sorted(known)}
    return [spelt[key] for key in difflib.get_close_matches(name_key(name), spelt, n=3)]
