"""The rules file: read at start, again at each change, and never worse than before."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path, PosixPath

import pytest

from tests.support.waiting import wait_until
from turnstile.access.rules import NO_RULES, build
from turnstile.errors import ConfigError
from turnstile.io.access.rules_file import RulesFile, load, local_time

DOORS = ("front", "store")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the rules are to stand."""
    return tmp_path / "rules.yaml"


@pytest.fixture
def opened(path: Path) -> Iterator[Callable[[], RulesFile]]:
    """Return a function that opens the file and looks at it until the test is over."""
    files: list[RulesFile] = []

    def open_it() -> RulesFile:
        files.append(RulesFile(path, doors=DOORS))
        return files[-1]

    yield open_it
    for one in files:
        one.close()


def test_without_a_file_there_are_no_rules(opened: Callable[[], RulesFile]) -> None:
    """Everyone enrolled is allowed everywhere."""
    assert opened().rules == NO_RULES


def test_a_file_that_appears_changes_or_goes_is_noticed(path: Path, opened: Callable[[], RulesFile]) -> None:
    """Rules come into force without a restart; a file that is gone leaves the last ones in force."""
    file = opened()
    path.write_text("blocked: [Ann]")
    wait_until(file.refresh, "the file to be read again")
    assert list(file.rules.blocked) == ["Ann"]
    path.write_text("blocked: [Ann, Bob]")
    wait_until(file.refresh, "the file to be read again")
    path.unlink()
    wait_until(lambda: bool(file.problem), "the file to be read again")
    assert not file.refresh()
    assert list(file.rules.blocked) == ["Ann", "Bob"]


def test_a_broken_edit_keeps_the_rules_and_says_so_once(
    path: Path, opened: Callable[[], RulesFile], caplog: pytest.LogCaptureFixture
) -> None:
    """With the line; the next good edit counts again."""
    path.write_text("blocked: [Ann]")
    file = opened()
    path.write_text("blocked: [Ann]\nholidays:\n  - 2026-12-25\n  - tomorrow\n")
    wait_until(lambda: bool(file.problem), "the file to be read again")
    assert file.rules.blocked == ("Ann",)
    assert f"{path}:4: holidays[1]: " in file.problem
    assert len([one for one in caplog.records if one.levelname == "WARNING"]) == 1
    path.write_text("blocked: [Bob]")
    wait_until(file.refresh, "the file to be read again")
    assert (file.rules.blocked, file.problem) == (("Bob",), "")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("blocked: Ann", 1, "must be a list"),
        ("groups: {}\ndoors:\n  front: {}\n  cellar: {}\n", 4, "no camera is named 'cellar'"),
        ("doors:\n  store:\n    allow:\n    - people: [A]\n      hours: {mon: [7-9]}\n", 5, "07:00-19:00"),
        ("blocked: []\ntimezone: Mars/Base\n", 2, "no time zone"),
        ("blocked: []\nblock: []\n", 2, "did you mean blocked?"),
    ],
)
def test_errors_name_file_and_line(path: Path, text: str, line: int, words: str) -> None:
    """An operator finds the place without counting."""
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, doors=DOORS)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["a: &x [1]\nb: *x", "blocked: []\nblocked: []", "{", "a: 2026-13-45"])
def test_what_is_not_plain_yaml_is_refused(path: Path, text: str) -> None:
    """Aliases, repeated keys and impossible dates included."""
    path.write_text(text)
    with pytest.raises(ConfigError, match="not plain YAML"):
        RulesFile(path, doors=DOORS)


def test_times_are_those_of_the_rules_zone() -> None:
    """Wherever the broker stands."""
    vienna = build({"timezone": "Europe/Vienna"}, doors=DOORS)
    assert local_time(vienna, 1_795_000_000).isoformat() == "2026-11-18T12:06:40+01:00"
    assert local_time(NO_RULES, 1_795_000_000).timestamp() == 1_795_000_000


class VanishingPath(PosixPath):
    """A path that can be looked at once."""

    looks = 0

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Fail in a way that nobody foresaw, but for the first time."""
        self.looks += 1
        if self.looks > 1:
            raise KeyError("something unheard of")
        return super().stat(follow_symlinks=follow_symlinks)


def test_what_ends_the_watch_reaches_the_loop(path: Path) -> None:
    """Rules that are no longer watched would go on admitting whom an edit has barred."""
    path.write_text("blocked: [Ann]")
    file = RulesFile(VanishingPath(path), doors=DOORS)
    with pytest.raises(KeyError, match="unheard of"):
        wait_until(file.refresh, "the error")
    file.close()


@pytest.mark.parametrize("value", ["!!bool perhaps", "!!timestamp soon", "!!float much", "!!binary ü"])
def test_values_that_the_yaml_library_cannot_construct_are_refused(path: Path, value: str) -> None:
    """PyYAML raises `KeyError` and `AttributeError` for some."""
    path.write_text(f"blocked: {value}")
    with pytest.raises(ConfigError, match="not plain YAML"):
        load(path, doors=DOORS)
