"""What is said of a thing that fails again and again."""

from turnstile.health.steady import HOLDS_S, Steady


def test_trouble_that_comes_and_goes_each_second_is_said_once() -> None:
    """As on a full disk: opening works and writing does not."""
    steady, said = Steady(), list[str]()
    for second in range(60):
        if steady.work(second + 0.5):
            said.append("well")
        if steady.fail("no space"):
            said.append("no space")
    assert said == ["no space"]
    assert steady.trouble == "no space"


def test_it_is_well_again_when_that_has_held_or_is_proven() -> None:
    """Once; then the same words are said anew."""
    steady = Steady()
    assert steady.fail("no space")
    assert [steady.work(at_s) for at_s in (0.0, HOLDS_S - 0.1, HOLDS_S, HOLDS_S + 1)] == [
        False,
        False,
        True,
        False,
    ]
    assert steady.fail("no space")
    assert steady.work(9.0, proven=True)
    assert steady.trouble == ""


def test_other_words_are_said_too() -> None:
    """Each kind of trouble once, however they take turns."""
    steady = Steady()
    assert [steady.fail(words) for words in ("one", "two", "one", "two")] == [True, True, False, False]
