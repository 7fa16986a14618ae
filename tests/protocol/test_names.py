"""Names are compared in one form, whoever wrote them and on whatever keyboard."""

import sys
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnstile.protocol.names import bears, name_key, quoted, renamed, same_name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann Lee", "ann_lee"),
        ("Ann Lee", " ANN \t  LEE "),
        ("Ann Lee", "Ann\u00a0Lee"),
        ("Ann Lee", "Ann\u3000\u2009Lee\u202f"),
        ("Ann Lee", "\ufeffAnn\u200b Lee\u00ad"),
        ("Jos\u00e9", "Jose\u0301"),
        ("\u00c9lodie", "e\u0301lodie"),
        ("Gro\u00df", "GROSS"),
        ("\u0130pek", "i\u0307pek"),
        ("\u0130PEK", "ipek"),
        ("I\u015f\u0131k", "\u0131\u015f\u0131k"),
        ("\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2", "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03a3"),
        ("\u212bngstr\u00f6m", "\u00e5ngstro\u0308m"),
        ("a\u0323\u0307", "a\u0307\u0323"),
        ("\ud55c", "\u1112\u1161\u11ab"),
        ("Conor O'Brien", "conor_o\u2019brien"),
        ("Jean-Luc", "Jean\u2011Luc"),
        ("Jean-Luc", "Jean\u2013Luc"),
        ("Eve Poe", "\uff25\uff56\uff45\u3000\uff30\uff4f\uff45"),
        ("Eve Poe", "Eve Poe\ufe0f"),
    ],
)
def test_two_ways_to_write_a_name_are_one_name(one: str, other: str) -> None:
    """Accents, case, spaces of every kind, marks in any order, and signs as word processors write them."""
    assert same_name(one, other)


@pytest.mark.parametrize(("one", "other"), [("Ann Lee", "Annlee"), ("Jose", "Jos\u00e9"), ("Ann", "")])
def test_other_names_stay_others(one: str, other: str) -> None:
    """An accent that is missing, and a space that is missing."""
    assert not same_name(one, other)


@given(st.text(max_size=40))
def test_the_form_does_not_depend_on_how_a_name_is_written(name: str) -> None:
    """Folding twice changes nothing, nor does the way in which accents are written, nor spaces around."""
    key = name_key(name)
    assert name_key(key) == key
    for form in ("NFC", "NFD"):
        assert name_key(unicodedata.normalize(form, name)) == key
    assert name_key(f"  {name.replace(' ', '   ')}\u00a0") == key


def test_every_letter_is_folded_once_and_for_all() -> None:
    """No letter of Unicode is another after a second folding, or as a capital or small letter."""
    letters = (chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code))[0] in "LM")
    forms: tuple[Callable[[str], str], ...] = (name_key, str.upper, str.lower, str.title)
    changed = [char for char in letters if {name_key(form(char)) for form in forms} != {name_key(char)}]
    assert not changed


@pytest.mark.parametrize(
    ("text", "person", "has_it"),
    [
        ("faces/ann_lee_2.jpg", "Ann Lee", True),
        ("ANN LEE left", "ann_lee", True),
        ("faces/ann_leeds.jpg", "Ann Lee", False),
        ("faces/bob.jpg", "Ann Lee", False),
        ("Ann and Lee", "Ann Lee", False),
        ("faces/élodie.jpg", "Élodie", True),
        ("faces/+-+.jpg", "+-+", True),
    ],
)
def test_a_text_bears_a_name_as_words_of_its_own(text: str, person: str, has_it: bool) -> None:  # noqa: FBT001 - a column
    """Part of a longer name is another name."""
    assert bears(text, person) is has_it


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ('enrolled "Ann Lee" from ann_lee.jpg', 'enrolled "erased-1" from erased-1.jpg'),
        ('renamed "Ann Leeds" to "ANN  LEE"', 'renamed "Ann Leeds" to "erased-1"'),
        ('blocked "Bob"', 'blocked "Bob"'),
        ('wrote "Ann \\q" and Ann Lee', 'wrote "Ann \\q" and erased-1'),
        ("nothing in quotes", "nothing in quotes"),
    ],
)
def test_a_name_is_replaced_in_what_was_done(words: str, left: str) -> None:
    """In quotes only a whole name; elsewhere wherever its words stand."""
    assert renamed(words, "Ann Lee", "erased-1") == left


@given(st.text(min_size=1, max_size=20, alphabet=st.characters(categories=["L", "Nd"])))
def test_a_name_that_was_put_in_quotes_is_found(name: str) -> None:
    """Whatever its letters."""
    assert renamed(f"blocked {quoted(name)}", name, "erased-1") == 'blocked "erased-1"'
