"""Erase: every part answers, and what may still have the name is said."""

import lzma
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.builders import an_encoding
from turnstile.commands.cli import main
from turnstile.files.whole import owner_of
from turnstile.io.people.anchors import open_anchors
from turnstile.io.site.file import load

SOMEBODY = 65_534

Erase = Callable[..., tuple[int, str]]


@pytest.fixture
def erase(config: Path, capsys: pytest.CaptureFixture[str]) -> Erase:
    """Give what runs the command and returns its exit code and all that it says."""
    faces = config.parent / "faces"
    faces.mkdir()
    (faces / "ann.jpg").write_bytes(b"a picture of Ann")
    (faces / "bob.jpg").write_bytes(b"a picture of Bob")

    def run_command(*options: str) -> tuple[int, str]:
        code = main(["erase", "--config", str(config), *options])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run_command


def snapshot(folder: Path) -> dict[Path, bytes]:
    """Return the contents of every file."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["Ann", " ANN ", "a\u200bnn"])
def test_each_part_says_what_was_erased(erase: Erase, config: Path, name: str) -> None:
    """Whatever the spelling; what no command reaches is said at the end."""
    code, said = erase(name)
    assert code == 0, said
    assert "faces: 1 picture removed" in said
    assert "journal: not on this machine" in said
    assert "log of logger: 2 entries now of erased-" in said
    assert "text of logger: 2 lines changed in access_log.txt" in said
    assert "not reached: backups" in said
    assert b"Ann" not in b"".join(snapshot(config.parent).values())
    assert not (config.parent / "faces" / "ann.jpg").exists()


def test_a_dry_run_says_the_same_and_changes_nothing(erase: Erase, config: Path) -> None:
    """So that one sees what would go."""
    before = snapshot(config.parent)
    code, said = erase("Ann", "--dry-run")
    assert code == 0, said
    assert "nothing is changed" in said
    for line in (
        "faces: 1 picture would be removed from",
        "log of logger: 2 entries would be of a pseudonym",
        "text of logger: 2 lines would be changed in",
    ):
        assert line in said
    assert "erased-" not in said
    assert "now of" not in said
    assert snapshot(config.parent) == before


@pytest.mark.parametrize("name", ["Anne", "Bop", "Zebulon"])
def test_a_name_that_nobody_bears_is_said_with_near_ones(erase: Erase, config: Path, name: str) -> None:
    """Exit code 1: a misspelt name must not look erased."""
    before = snapshot(config.parent)
    code, said = erase(name)
    assert code == 1
    assert f"error: nobody called '{name}' was found" in said
    near = {"Anne": "known are 'Ann'", "Bop": "known are 'Bob'"}.get(name)
    assert near in said if near else "known are" not in said
    assert snapshot(config.parent) == before


def test_a_name_of_nothing_is_refused(erase: Erase) -> None:
    """It would be everybody's whose name shows nothing."""
    code, said = erase(" \u200b ")
    assert code != 0
    assert "a name has letters" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
def test_every_file_stays_its_owners(erase: Erase, config: Path) -> None:
    """So that the logger can write its log after root erased somebody."""
    for path in config.parent.iterdir():
        os.chown(path, SOMEBODY, SOMEBODY)
        if path.name == "access_log.txt":
            path.chmod(0o640)
    modes = {path: path.stat().st_mode for path in config.parent.iterdir()}
    assert erase("Ann")[0] == 0
    assert {owner_of(path).user for path in config.parent.iterdir()} == {SOMEBODY}
    assert {path: path.stat().st_mode for path in config.parent.iterdir()} == modes


def test_what_may_hold_the_name_is_left_and_named(erase: Erase, config: Path) -> None:
    """Exit code 1, while all else is erased."""
    folder = config.parent
    kept = {
        "access_log.txt.3.xz": lzma.compress(b"Ann"),
        "access_log.txt.4": b"\xff Ann\n",
        "access_log.db.bak": b"SQLite \xff Ann",
        "journal.db.2025": b"\xff Ann",
        "access_log.csv": b"ann,granted\n",
        ".access_log.txt.abcd": b"of a writer that was killed: Ann\n",
        "faces/ann.gif": b"\xff",
        "access_log.txt.5": b"a note on Ann",
    }
    for name, data in kept.items():
        (folder / name).write_bytes(data)
    (folder / "access_log.txt.old").mkdir()
    (folder / "access_log.html").write_bytes(b"<p>Annabel</p>")
    code, said = erase("Ann")
    assert code == 1
    for name, data in kept.items():
        assert (folder / name).read_bytes() == data
        assert f"{folder / name} " in said
    assert f"{folder}/access_log.txt.old is left as it is" in said
    assert "access_log.html" not in said
    assert "access_log.txt.5 has the name in line 1: edit it" in said
    with closing(sqlite3.connect(folder / "access_log.db")) as store:
        assert store.execute("SELECT count(*) FROM personal WHERE person = 'Ann'").fetchone() == (0,)


def test_pictures_that_are_elsewhere_too_are_said(erase: Erase, config: Path) -> None:
    """Behind a link, or under another name on the same disk."""
    faces = config.parent / "faces"
    (config.parent / "portrait.jpg").write_bytes(b"Ann again")
    (faces / "ann_2.jpg").symlink_to(config.parent / "portrait.jpg")
    os.link(faces / "ann.jpg", config.parent / "copy.jpg")
    code, said = erase("Ann")
    assert code == 1
    assert f"ann_2.jpg was a link to {config.parent / 'portrait.jpg'}, which is still there" in said
    assert "ann.jpg had another name on this disk" in said
    assert list(faces.iterdir()) == [faces / "bob.jpg"]


def test_a_folder_behind_a_link_goes_too(erase: Erase, config: Path) -> None:
    """The broker follows the link; without it, nobody is enrolled of that name."""
    pictures = config.parent / "pictures"
    pictures.mkdir()
    (pictures / "1.jpg").write_bytes(b"Ann again")
    (config.parent / "faces" / "ANN").symlink_to(pictures)
    code, said = erase("Ann")
    assert code == 1
    assert "faces: 2 pictures removed" in said
    assert f"was a link to {pictures}, which is still there: remove it" in said
    assert [path.name for path in (config.parent / "faces").iterdir()] == ["bob.jpg"]


@pytest.mark.parametrize(
    "rules",
    [
        b"blocked: [Ann, Bob]",
        b'blocked: ["\\x41nn"]',
        "blocked: [Ann]".encode("utf-16"),
        b"blocked: [Ann",
        b"\xff Ann",
    ],
)
def test_rules_that_may_have_the_name_are_named(erase: Erase, config: Path, rules: bytes) -> None:
    """In whatever way they write it, and when nobody can tell."""
    path = config.parent / "rules.yaml"
    path.write_bytes(rules)
    code, said = erase("Ann")
    assert code == 1
    assert f"error: {path} " in said


def test_a_comment_with_the_name_is_named_and_no_failure(erase: Erase, config: Path) -> None:
    """It may be an example, and nobody is let in by it."""
    with config.open("a") as file:
        file.write("# such as ann.jpg\n")
    line = len(config.read_text().splitlines())
    code, said = erase("Ann")
    assert code == 0, said
    assert f"not changed: a comment in line {line} of {config} has the name: edit it" in said
    config.write_text(config.read_text().replace("site: ", "site: ann-"))
    assert f"error: {config} has the name in line" in erase("Ann")[1]


@pytest.mark.parametrize("name", ["Ann Jr.", "(Ann) Lee", "\u2605"])
def test_a_name_of_more_than_words_is_found_in_the_middle_of_a_line(
    erase: Erase, config: Path, name: str
) -> None:
    """Though it begins or ends with a sign, or has no letter."""
    (config.parent / "rules.yaml").write_text(f"blocked: [Bob, {name}, Carl]\n")
    code, said = erase(name)
    assert code == 1
    assert "rules.yaml has the name in line 1: edit it" in said


def test_a_pseudonym_is_no_name_to_erase(erase: Erase, config: Path) -> None:
    """The text would no longer say what the store says."""
    before = snapshot(config.parent)
    code, _ = erase("erased-0123abcd")
    assert code != 0
    assert snapshot(config.parent) == before


def test_faces_that_are_not_the_persons_are_removed_with_the_person(erase: Erase, config: Path) -> None:
    """Those of others stay."""
    site = load(config)
    anchors = open_anchors(site.gallery, site.recognition.encoding)
    anchors.add("Ann", "aaaa:1", an_encoding())
    anchors.add("Bob", "aaaa:2", an_encoding())
    code, said = erase("ann")
    assert code == 0, said
    assert "anchors: 1 file removed" in said
    assert [one.person for one in anchors.everybody()] == ["Bob"]
