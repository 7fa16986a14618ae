"""Verify against who can write store, text or witness: each way to fool it is named, with exit code 1."""

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support.builders import write_site
from tests.support.logs import EVENTS, LOGGER, tamper, write_log
from turnstile.commands.cli import main

Verify = Callable[[], tuple[int, str]]

MOVE_FLOOR = "UPDATE logs SET floor_number = 2, floor_hash = (SELECT hash FROM entries WHERE number = 2)"
CUT_FIRST = ("DELETE FROM entries WHERE number <= 2", "DELETE FROM personal WHERE number <= 2")
WIPE_FIRST = (
    "UPDATE personal SET pseudonym = 'erased-1', person = NULL, person_salt = NULL, thumbnail = NULL, "
    "thumbnail_salt = NULL, nearest = NULL, nearest_salt = NULL WHERE number = 1"
)


@pytest.fixture
def config(folder: Path) -> Path:
    """Give the file of a site whose log has four entries."""
    path = write_site(folder, LOGGER, cameras=("front_door", "back_door"))
    write_log(path, *EVENTS).close()
    return path


@pytest.fixture
def verify(config: Path, capsys: pytest.CaptureFixture[str]) -> Verify:
    """Give what runs `turnstile log verify`."""

    def run() -> tuple[int, str]:
        code = main(["log", "verify", "--config", str(config)])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def forged(fact: str) -> Sequence[str]:
    """Return the statements that put a note at the end, without the hash that only its form gives."""
    return (
        f"INSERT INTO notes SELECT id, 5, 1, x'{fact.encode().hex()}', head_hash, zeroblob(32) FROM logs",  # noqa: S608
        "UPDATE logs SET head_number = 5, head_hash = zeroblob(32)",
    )


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (
            [
                "CREATE TABLE erasures (log_id, pseudonym, erased_ns, entries)",
                "INSERT INTO erasures VALUES (1, 'erased-1', 1, 1)",
                WIPE_FIRST,
            ],
            "the name of entry 1 was replaced, but no erasure is on record",
        ),
        (
            [WIPE_FIRST, *forged('{"type":"erasure","pseudonym":"erased-1","entries":1}')],
            "note 5 was changed: it does not give its hash",
        ),
        ([WIPE_FIRST, *forged("{")], "note 5 was changed: it does not give its hash"),
        (
            ["UPDATE personal SET thumbnail = NULL, thumbnail_salt = NULL"],
            "the picture of entry 1 is missing, but no removal is on record",
        ),
        (
            [MOVE_FLOOR, *CUT_FIRST],
            "entries 1 to 2 are missing, but no removal is on record",
        ),
        (
            [MOVE_FLOOR, *CUT_FIRST],
            "entries up to 2 were removed, but keep_entries_days is not set",
        ),
        ([MOVE_FLOOR], "entry 1 stands outside the log"),
        (
            ["UPDATE progress SET last_seq = 104"],
            "the store says that its last event of aaaa is 104; it is 4",
        ),
        (["UPDATE progress SET last_seq = 3"], "the store says that its last event of aaaa is 3; it is 4"),
        (["DELETE FROM progress"], "the store says that its last event of aaaa is None; it is 4"),
        (
            ["INSERT INTO progress VALUES (1, 'bbbb', 7)"],
            "the store says that its last event of bbbb is 7; it is None",
        ),
        (
            ["UPDATE logs SET head_number = 3, head_hash = (SELECT hash FROM entries WHERE number = 3)"],
            "entry 4 stands outside the log: the log does not count it",
        ),
        (
            ["INSERT INTO personal (log_id, number, person) VALUES (1, 5, 'Eve')"],
            "the name of entry 5 stands outside the log",
        ),
        (
            ["UPDATE entries SET distance = 'near' WHERE number = 2"],
            "1 values of entries.distance are no real or null",
        ),
        (["UPDATE personal SET person_salt = NULL WHERE number = 2"], "the name of entry 2 is missing"),
        (["DELETE FROM personal WHERE number = 3"], "the name of entry 3 is missing"),
    ],
)
def test_verify_is_not_fooled_by_who_writes_the_store(
    config: Path, verify: Verify, statements: Sequence[str], words: str
) -> None:
    """What was taken away or put there is named."""
    for statement in statements:
        tamper(config, statement)
    code, said = verify()
    assert code == 1
    assert words in said
    assert "NOT whole" in said


def swapped(lines: list[str], first: int, second: int) -> list[str]:
    """Return lines of which two have changed places."""
    found = list(lines)
    found[first], found[second] = lines[second], lines[first]
    return found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: lines[1:], "entry 1 has no line"),
        (lambda lines: [*lines[:1], *lines[2:]], "entry 2 has no line"),
        (lambda lines: lines[:-1], "entry 4 has no line"),
        (lambda lines: lines[:1], "entry 2 has no line"),
        (lambda _: [], "access_log.txt is empty; the store has 4 entries"),
        (lambda lines: swapped(lines, 0, 1), "does not stand in the order of entries"),
        (lambda lines: swapped(lines, 1, 2), "does not stand in the order of entries"),
        (lambda lines: swapped(lines, 2, 3), "does not stand in the order of entries"),
        (lambda lines: swapped(lines, 0, 3), "does not stand in the order of entries"),
        (lambda lines: [lines[0], *lines], "tells an event a second time"),
        (lambda lines: [*lines, lines[3].replace(":4", ":5")], "tells an event that the store does not have"),
        (
            lambda lines: ["# 2026-11-25T10:00:00.000+00:00  note 2: entries up to 2 were removed", *lines],
            "tells a note that the store does not have",
        ),
    ],
)
def test_verify_is_not_fooled_by_who_writes_the_text(
    config: Path, verify: Verify, change: Callable[[list[str]], list[str]], words: str
) -> None:
    """Lines that were removed, swapped, doubled or put there are named: first, middle and last."""
    text = config.parent / "access_log.txt"
    text.write_text("".join(f"{line}\n" for line in change(text.read_text().splitlines())))
    code, said = verify()
    assert code == 1
    assert words in said


def test_verify_says_where_the_text_begins(config: Path, verify: Verify) -> None:
    """A file may continue another one, which is not looked at."""
    text = config.parent / "access_log.txt"
    lines = text.read_text().splitlines()
    text.write_text("".join(f"{line}\n" for line in ("# continues after event=aaaa:2", *lines[2:])))
    code, said = verify()
    assert code == 0
    assert "compared with 2 lines" in said
    assert "its first line tells entry 3; older files had those before it" in said
    text.unlink()
    code, said = verify()
    assert code == 0
    assert "no line was compared: " in said


def a_day_ago() -> dt.date:
    """Return the date before which entries were stored that are older than a day."""
    return (dt.datetime.now(dt.UTC) - dt.timedelta(days=1)).date()


def test_a_head_kept_below_the_floor_is_held_against_recorded_retention(config: Path, verify: Verify) -> None:
    """Entries that the witness saw lately were too young for the removal that a note tells of."""
    heads = config.parent / "away" / "heads.txt"
    config.write_text(config.read_text().replace("witness:", "keep_entries_days: 1, witness:"))
    tamper(config, "INSERT INTO marks VALUES (1, 4, 1700000000000000000)")
    write_log(config).close()
    code, said = verify()
    assert code == 0
    assert f"entries up to 3, stored before {a_day_ago()}, were removed for their age" in said
    heads.write_text(f"2099-11-25T10:00:00+00:00  test/logger  2  {bytes(32).hex()}\n")
    code, said = verify()
    assert code == 1
    assert "it was removed before its age allowed" in said


def test_what_a_forged_note_says_is_listed_with_its_time(config: Path, verify: Verify) -> None:
    """Who can write the store can append notes; nothing is removed without one that a person can read."""
    config.write_text(config.read_text().replace("witness:", "keep_thumbnails_days: 1, witness:"))
    tamper(config, "INSERT INTO marks VALUES (1, 1, 1700000000000000000)")
    write_log(config).close()
    code, said = verify()
    assert code == 0
    assert "note 5 of 2" in said
    assert f"pictures of entries up to 1, stored before {a_day_ago()}, were removed for their age" in said


def test_a_text_that_cannot_be_read_is_not_taken_for_none(verify: Verify, config: Path) -> None:
    """A folder, a loop of links, and a link that leads nowhere; one that was never written is no fault."""
    text = config.parent / "access_log.txt"
    text.unlink()
    assert verify()[0] == 0
    for put in (Path.mkdir, lambda path: path.symlink_to(path), lambda path: path.symlink_to("nowhere")):
        put(text)
        code, said = verify()
        assert (code, f"{text} cannot be read: " in said) == (1, True)
        text.rmdir() if text.is_dir() else text.unlink()


def test_a_store_that_cannot_be_looked_at_is_not_taken_for_none(verify: Verify, config: Path) -> None:
    """It is said what stands there; none is "no access log yet"."""
    store = config.parent / "access_log.db"
    store.unlink()
    assert "there is no access log in" in verify()[1]
    for target in (store, "nowhere"):
        store.symlink_to(target)
        code, said = verify()
        assert (code, "there is no access log" in said, "Traceback" in said) == (1, False, False)
        store.unlink()
