"""When two ways to write a name mean the same person, group or file: one function for all comparisons.

A name comes from a rules file, a picture's file name (decomposed by macOS), a command line or a log. Each
keyboard and file system writes it in its own way; a blocked person must not enter because of that.

Library not taken: `PyICU` compares as Unicode's collation does; the standard library suffices for equality.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable

import msgspec

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


_APART = re.compile(r"[\W_]+")
_WORD = re.compile(r"[^\W_]+")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


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


def bears(text: str, person: str) -> bool:
    """Tell whether a text or a path has a person's name in it, as words of their own."""
    wanted = _words(person)
    if not wanted:
        return name_key(person) in name_key(text)
    if text.isascii() and wanted[0] not in text.lower():
        return False
    words = _words(text)
    return any(words[at : at + len(wanted)] == wanted for at in range(len(words)))


def quoted(name: str) -> str:
    """Return a name as it stands in what was done, so that `renamed` finds it."""
    return msgspec.json.encode(name).decode()


def renamed(words: str, person: str, pseudonym: str) -> str:
    """Return what was done with a pseudonym for a person: in quotes the whole name, elsewhere its words."""
    pieces, at = list[str](), 0
    for found in _QUOTED.finditer(words):
        pieces.append(_without_words(words[at : found.start()], person, pseudonym))
        pieces.append(quoted(pseudonym) if same_name(_unquoted(found[0]), person) else found[0])
        at = found.end()
    return "".join([*pieces, _without_words(words[at:], person, pseudonym)])


def _unquoted(text: str) -> str:
    try:
        return msgspec.json.decode(text, type=str)
    except (msgspec.MsgspecError, UnicodeError):
        return text


def _without_words(text: str, person: str, pseudonym: str) -> str:
    wanted = _words(person)
    if not wanted or not bears(text, person):
        return text
    words = list(_WORD.finditer(text))
    keys = [" ".join(_words(word[0])) for word in words]
    pieces, at = list[str](), 0
    for first in range(len(words) - len(wanted) + 1):
        start, end = words[first].start(), words[first + len(wanted) - 1].end()
        if keys[first : first + len(wanted)] == wanted and start >= at:
            pieces += [text[at:start], pseudonym]
            at = end
    return "".join([*pieces, text[at:]])


def _words(text: str) -> list[str]:
    return [word for word in _APART.split(name_key(text)) if word]
