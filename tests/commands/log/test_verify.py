"""Verify: what was tampered with is named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.logs import tamper

Run = Callable[..., tuple[int, str]]


def test_a_log_as_it_was_written_is_whole(run: Run) -> None:
    """Verify says how far it went and what it compared."""
    code, said = run("verify")
    assert code == 0
    assert "4 entries" in said
    assert "compared with 1 head kept elsewhere" in said
    assert said.endswith("whole: nothing was changed, removed or reordered\n")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE entries SET verdict = 'granted' WHERE number = 3", "entry 3 was changed"),
        ("DELETE FROM entries WHERE number = 2", "entry 2 is missing"),
        ("UPDATE personal SET person = 'Eve' WHERE number = 1", "the name of entry 1 was changed"),
    ],
)
def test_verify_names_what_was_tampered_with(run: Run, config: Path, statement: str, words: str) -> None:
    """And exits with 1."""
    tamper(config, statement)
    code, said = run("verify")
    assert code == 1
    assert words in said
    assert "NOT whole" in said


def test_a_cut_end_is_seen_by_the_witness(run: Run, config: Path) -> None:
    """Although the store's own record of its end was cut too."""
    tamper(config, "DELETE FROM entries WHERE number = 4")
    tamper(config, "UPDATE logs SET head_number = 3, head_hash = (SELECT hash FROM entries WHERE number = 3)")
    code, said = run("verify")
    assert code == 1
    assert "the end of the log is cut off: entry 4 is missing" in said
    assert "heads.txt" in said


def test_the_text_is_compared_with_the_store(run: Run, config: Path) -> None:
    """People read the text, so a changed line is named as well."""
    text = config.parent / "access_log.txt"
    lines = text.read_text().splitlines()
    forged = [lines[0].replace("Ann", "Eve"), *lines[1:], lines[3], "a note", lines[3].replace(":4", ":9")]
    text.write_text("".join(f"{line}\n" for line in forged))
    code, said = run("verify")
    assert code == 1
    assert [line.partition("access_log.txt ")[2] for line in said.splitlines()[:4]] == [
        "tells an event a second time",
        "is no entry",
        "does not say what entry 1 says",
        "tells an event that the store does not have",
    ]
