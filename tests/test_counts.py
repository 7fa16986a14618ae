"""Numbers of things in words."""

import pytest

from turnstile.counts import counted, named, singular


@pytest.mark.parametrize(
    ("count", "nouns", "words"),
    [
        (1, ("entry", "entries"), "1 entry"),
        (0, ("entry", "entries"), "0 entries"),
        (2, ("line",), "2 lines"),
        (1, ("person", "people"), "1 person"),
    ],
)
def test_one_is_singular_and_all_others_plural(count: int, nouns: tuple[str, ...], words: str) -> None:
    """Whatever the plural is."""
    assert counted(count, *nouns) == words


@pytest.mark.parametrize(
    ("words", "one"),
    [
        ("frames in", "frame in"),
        ("entries", "entry"),
        ("refused process", "refused process"),
        ("dropped for newer", "dropped for newer"),
    ],
)
def test_what_nodes_count_has_a_singular(words: str, one: str) -> None:
    """What is none stays."""
    assert singular(words) == one


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("", ""),
        ("a", "a"),
        ("ab", "a and b"),
        ("abcdef", "a, b, c, d, e and f"),
        ("abcdefg", "a, b, c, d, e and 2 more"),
    ],
)
def test_a_long_row_of_names_is_cut(names: str, words: str) -> None:
    """A reader wants to know some of them, and how many there are."""
    assert named(list(names)) == words
