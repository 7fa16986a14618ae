"""What accounts did: in the chain, in words, and without the name of somebody erased."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.builders import a_deed, an_access, write_site
from tests.support.logs import LOGGER, tamper, write_log
from turnstile.commands.cli import main

Say = Callable[..., tuple[int, str]]
ACTS = (
    an_access(1, person="Bob"),
    a_deed('enrolled "Ann Lee" from event aaaa:1', 2),
    a_deed('renamed "Bob" to "Ann Lee"', 3, deed="rename-person"),
    a_deed("invited Ann Lee", 4, deed="record-act"),
    a_deed('blocked "Ann Leeward"', 5, deed="block-person"),
    a_deed('enrolled "Carl"', 6, by="Ann Lee"),
)


@pytest.fixture
def config(folder: Path) -> Path:
    """Give a site whose log has what accounts did."""
    config = write_site(folder, LOGGER)
    (folder / "faces").mkdir(exist_ok=True)
    write_log(config, *ACTS).close()
    return config


@pytest.fixture
def say(config: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Give what runs a command and returns its exit code and all that it says."""

    def run(*words: str) -> tuple[int, str]:
        code = main([*words, "--config", str(config)])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


@pytest.mark.parametrize("command", ["query", "export", "verify"])
def test_who_did_what_is_shown_and_verified(say: Say, command: str) -> None:
    """In one sentence, as in the text."""
    code, said = say("log", command)
    assert code == 0, said
    wanted = 'anna (clerk) enrolled "Ann Lee" from event aaaa:1'
    assert (wanted if command != "export" else wanted.replace('"', '\\"')) in said


def test_an_erased_person_is_in_no_act(config: Path, say: Say) -> None:
    """Neither by whole name nor in free words, nor as who did it; others stay, and the chain verifies."""
    code, said = say("erase", "ann lee")
    assert "5 changed" in said or "log of logger: 4 entries now of erased-" in said, said
    code, said = say("log", "verify")
    assert code == 0, said
    everything = b"".join(path.read_bytes() for path in config.parent.rglob("*") if path.is_file())
    assert b"Ann Lee" not in everything.replace(b"Ann Leeward", b"")
    assert 'anna (clerk) enrolled "erased-' in said
    assert "anna (clerk) invited erased-" in said
    assert 'anna (clerk) blocked "Ann Leeward"' in said


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE act_words SET words = 'enrolled \"Zoe\"' WHERE number = 2", "by note 2 was changed"),
        ("UPDATE act_words SET by = 'zoe' WHERE number = 2", "by note 2 was changed"),
        ("UPDATE act_words SET words_salt = NULL WHERE number = 2", "cannot be proven"),
        ("UPDATE act_words SET by = 'erased-00000000', by_salt = NULL WHERE number = 2", "no erasure"),
        ("DELETE FROM act_words WHERE number = 2", "by note 2 is missing"),
    ],
)
def test_an_act_that_was_changed_is_found(config: Path, say: Say, statement: str, words: str) -> None:
    """By the commitments in its note."""
    tamper(config, statement)
    code, said = say("log", "verify")
    assert code == 1
    assert words in said
