"""The rules file: read at start, again at each change, and never worse than before."""

import os
import socket
import zoneinfo
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path, PosixPath

import pytest

from tests.support.rights import shut_out_of
from tests.support.waiting import wait_until
from turnstile.access.rules import NO_RULES, build
from turnstile.errors import ConfigError, UnreadableError
from turnstile.io.access.rules_file import Places, RulesFile, load, local_time, parse, places_of, standing
from turnstile.io.site.file import load as load_site
from turnstile.io.site.yaml_file import MAX_BYTES

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
        files.append(RulesFile(Places(path, memory=path.with_name("journal.db.rules")), doors=DOORS))
        return files[-1]

    yield open_it
    for one in files:
        one.close()


def _is_closed(file: RulesFile) -> bool:
    file.refresh()
    return file.rules is None


def _says(file: RulesFile, words: str) -> bool:
    file.refresh()
    return words in file.standing.problem


def blocked(file: RulesFile) -> list[str]:
    """Return whom the rules in force block."""
    assert file.rules is not None
    return list(file.rules.blocked)


def test_without_a_file_there_are_no_rules_and_it_is_said_where_they_were_looked_for(
    path: Path, opened: Callable[[], RulesFile]
) -> None:
    """Everyone enrolled is allowed everywhere."""
    file = opened()
    assert (file.rules, file.standing.problem) == (NO_RULES, "")
    assert file.standing.absent == (
        f"no rules: {path} is not there, so everybody enrolled may use every door"
    )


def test_a_file_that_appears_or_changes_is_noticed(path: Path, opened: Callable[[], RulesFile]) -> None:
    """Rules come into force without a restart."""
    file = opened()
    path.write_text("blocked: [Ann]")
    wait_until(file.refresh, "the rules")
    assert (blocked(file), file.standing.absent) == (["Ann"], "")
    path.write_text("blocked: [Ann, Bob]")
    wait_until(file.refresh, "the new rules")
    assert blocked(file) == ["Ann", "Bob"]


def test_when_the_file_goes_nobody_enters_until_it_is_back_whether_or_not_the_broker_starts_again(
    path: Path, opened: Callable[[], RulesFile]
) -> None:
    """A deleted file must not let in those whom it barred; who wants no rules writes that into the file."""
    path.write_text("blocked: [Ann]")
    file = opened()
    path.unlink()
    for one in (file, opened()):
        wait_until(partial(_is_closed, one), "the loss is noticed")
        assert one.standing.problem.startswith(f"nobody may enter: {path}: the rules are gone; put them back")
    path.write_text("blocked: [Bob]")
    wait_until(file.refresh, "the rules are back")
    assert (blocked(file), file.standing.problem) == (["Bob"], "")
    path.write_text("{}\n")
    wait_until(lambda: file.refresh() and file.rules == NO_RULES, "there are none by intent")
    path.unlink()
    wait_until(lambda: file.refresh() or file.standing.absent, "there is no file either")
    assert opened().rules == NO_RULES


def _a_dangling_link(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def _a_loop_of_links(path: Path) -> None:
    path.symlink_to(path)


def _a_socket(path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as one:
        one.bind(str(path))


@pytest.mark.parametrize(
    ("put", "words"),
    [
        (_a_dangling_link, "cannot be read: No such file or directory"),
        (_a_loop_of_links, "cannot be read: Too many levels of symbolic links"),
        (Path.mkdir, "cannot be read: it is a folder, not a file"),
        (os.mkfifo, "cannot be read: it is a pipe, not a file"),
        (_a_socket, "cannot be read: No such device or address"),
        (Path.touch, "is empty; write {} into it if there are to be no rules"),
        (lambda path: path.write_bytes(b"\n \n"), "is empty"),
        (lambda path: path.write_bytes(b"# blocked: [Ann]\n"), "has only comments; write {} into it"),
        (lambda path: path.write_bytes(b"---\n"), "has only comments"),
        (lambda path: path.write_bytes(bytes(512)), "byte 1 is no UTF-8 text"),
        (lambda path: path.write_bytes("blocked: [José]".encode("latin-1")), "byte 14 is no UTF-8 text"),
        (lambda path: path.write_bytes(b"#" * (MAX_BYTES + 1)), "larger than 256 kB"),
    ],
)
def test_what_cannot_be_read_lets_nobody_enter(
    path: Path, opened: Callable[[], RulesFile], put: Callable[[Path], object], words: str
) -> None:
    """At the start, and when it takes the place of rules that could be; right rules hold again at once."""
    path.write_text("blocked: [Ann]")
    running = opened()
    path.unlink()
    put(path)
    for file in (running, opened()):
        wait_until(partial(_is_closed, file), "the trouble is noticed")
        wait_until(partial(_says, file, words), "it is said")
        assert (
            file.standing.problem.startswith(f"nobody may enter: {path}: ") or ":1: " in file.standing.problem
        )
    path.rmdir() if path.is_dir() else path.unlink()
    path.write_text("blocked: [Bob]")
    wait_until(running.refresh, "the rules")
    assert (blocked(running), running.standing.problem) == (["Bob"], "")


@pytest.mark.parametrize("name", ["rules.yml", "Rules.yaml", "rules.yaml.txt"])
def test_a_file_that_has_nearly_the_name_of_the_rules_is_not_passed_over(path: Path, name: str) -> None:
    """Whoever wrote it wanted rules; it is named."""
    path.with_name(name).write_text("blocked: [Ann]")
    found = standing(Places(path), doors=DOORS)
    assert found.rules is None
    assert f"{path}; there is {path.with_name(name)}: rename it" in found.problem


@pytest.mark.parametrize("how", ["a file", "a link", "a long name", "nothing"])
def test_a_folder_that_cannot_be_looked_into_lets_nobody_enter(tmp_path: Path, how: str) -> None:
    """It is not a place without a file."""
    folder = tmp_path / ("f" * 300 if how == "a long name" else "folder")
    if how == "a file":
        folder.touch()
    if how == "a link":
        folder.symlink_to("nowhere")
    found = standing(Places(folder / "rules.yaml"), doors=DOORS)
    assert found.rules is None
    assert found.problem.startswith(f"nobody may enter: {folder}/rules.yaml: cannot be looked at: ")


def test_a_folder_that_may_not_be_entered_lets_nobody_enter(
    path: Path, opened: Callable[[], RulesFile]
) -> None:
    """Also when its rights are taken away while the broker runs, until they are given back."""
    path.write_text("blocked: [Ann]")
    file = opened()
    with shut_out_of(path.parent):
        assert standing(Places(path), doors=DOORS).rules is None
        wait_until(file.refresh, "the trouble is noticed")
        assert file.standing.problem == f"nobody may enter: {path}: cannot be looked at: Permission denied"
    wait_until(file.refresh, "the rules")
    assert blocked(file) == ["Ann"]


def test_rules_at_the_place_where_they_were_looked_for_before_are_not_passed_over(tmp_path: Path) -> None:
    """The sentence says where they lie and where they belong; a file at the right place is all it takes."""
    config = tmp_path / "configs" / "site.yaml"
    config.parent.mkdir()
    (tmp_path / "people").mkdir()
    config.write_text("site: here\ncameras: {front: {source: 0}}\ngallery: {faces: ../people/faces}\n")
    old, new = tmp_path / "rules.yaml", tmp_path / "people" / "rules.yaml"
    old.write_text("blocked: [Ann]")
    places = places_of(load_site(config), config)
    found = standing(places, doors=DOORS)
    assert (places.path, found.rules) == (new, None)
    assert str(old) in found.problem
    assert str(new) in found.problem
    old.rename(new)
    assert standing(places, doors=DOORS).rules == build({"blocked": ["Ann"]}, doors=DOORS)


def test_a_broken_edit_keeps_the_rules_and_says_so_once(
    path: Path, opened: Callable[[], RulesFile], caplog: pytest.LogCaptureFixture
) -> None:
    """With the line; the next good edit counts again."""
    path.write_text("blocked: [Ann]")
    file = opened()
    path.write_text("blocked: [Ann]\nholidays:\n  - 2026-12-25\n  - tomorrow\n")
    wait_until(lambda: file.refresh() or file.standing.problem, "the problem")
    assert blocked(file) == ["Ann"]
    assert f"those before still hold: {path}:4: holidays[1]: " in file.standing.problem
    assert len([one for one in caplog.records if one.levelname == "WARNING"]) == 1
    path.write_text("blocked: [Bob]")
    wait_until(file.refresh, "the rules")
    assert (blocked(file), file.standing.problem) == (["Bob"], "")


def test_a_first_file_with_a_mistake_lets_nobody_enter(path: Path, opened: Callable[[], RulesFile]) -> None:
    """There are no rules before it that could hold, and somebody wants some."""
    file = opened()
    path.write_text("blocked: [Ann]\nblok: [Eve]\n")
    wait_until(file.refresh, "the trouble is noticed")
    assert file.rules is None
    assert file.standing.problem.startswith(f"nobody may enter: {path}:2: ")


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
        RulesFile(Places(path), doors=DOORS)


def test_times_are_those_of_the_rules_zone() -> None:
    """Wherever the broker stands."""
    vienna = build({"timezone": "Europe/Vienna"}, doors=DOORS)
    assert local_time(vienna, 1_795_000_000).isoformat() == "2026-11-18T12:06:40+01:00"
    assert local_time(NO_RULES, 1_795_000_000).timestamp() == 1_795_000_000


class VanishingPath(PosixPath):
    """A path that can be looked at as often as the start needs."""

    looks = 0

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Fail in a way that nobody foresaw, but for the first time."""
        self.looks += 1
        if self.looks > 3:
            raise KeyError("something unheard of")
        return super().stat(follow_symlinks=follow_symlinks)


def test_what_ends_the_watch_reaches_the_loop(path: Path) -> None:
    """Rules that are no longer watched would go on admitting whom an edit has barred."""
    path.write_text("blocked: [Ann]")
    file = RulesFile(Places(VanishingPath(path)), doors=DOORS)
    with pytest.raises(KeyError, match="unheard of"):
        wait_until(file.refresh, "the error")
    file.close()


@pytest.mark.parametrize("value", ["!!bool perhaps", "!!timestamp soon", "!!float much", "!!binary ü"])
def test_values_that_the_yaml_library_cannot_construct_are_refused(path: Path, value: str) -> None:
    """PyYAML raises `KeyError` and `AttributeError` for some."""
    path.write_text(f"blocked: {value}")
    with pytest.raises(ConfigError, match="not plain YAML"):
        load(path, doors=DOORS)


def test_missing_time_zone_data_is_not_taken_for_a_wrong_name(path: Path) -> None:
    """The text names the package that brings it."""
    path.write_text("timezone: Europe/Vienna\n")
    zoneinfo.ZoneInfo.clear_cache()
    zoneinfo.reset_tzpath(to=())
    try:
        with pytest.raises(
            ConfigError, match="this system has no time zone data; install its package tzdata"
        ):
            load(path, doors=DOORS)
    finally:
        zoneinfo.reset_tzpath()


def test_a_text_is_read_as_the_file_would_be() -> None:
    """Whoever edits rules in a browser hears the same before they are saved."""
    name = Path("rules.yaml")
    assert parse(b"blocked: [Eve]", name, doors=["front"]).blocked == ("Eve",)
    with pytest.raises(UnreadableError, match="is empty"):
        parse(b"", name, doors=["front"])
    with pytest.raises(ConfigError, match=r"rules\.yaml:2: doors\.back: no camera"):
        parse(b"doors:\n  back: {}", name, doors=["front"])


def test_rules_that_are_handed_over_late_do_not_hide_a_later_edit(
    path: Path, opened: Callable[[], RulesFile]
) -> None:
    """A request wrote them; somebody wrote the file after it, and that was read before they were put."""
    path.write_text("blocked: [Ann]")
    file = opened()
    path.write_text("blocked: [Bob]")
    wait_until(file.refresh, "the edit")
    file.put(build({"blocked": ["Eve"]}, doors=()))
    assert file.refresh()
    assert blocked(file) == ["Eve"]
    wait_until(lambda: file.refresh() and blocked(file) == ["Bob"], "the file")
