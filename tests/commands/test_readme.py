"""Every command that the documents print is one that the programs accept."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from turnstile.commands.cli import all_commands, command_line

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "faces/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FILES = [
    path for folder in ("configs", "deploy") for path in sorted((ROOT / folder).rglob("*")) if path.is_file()
]

BLOCK = re.compile(r"^ *```[^\n]*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`]+)`")
BETWEEN_COMMANDS = re.compile(r"&&|\||;|<|>|, then ")
COMMAND = re.compile(r"(?:^|\s)(\.venv/bin/turnstile|python -m turnstile)\s+(\S.*)")
NAMED = re.compile(r"^(turnstile)\s+(\S.*)")
PROGRAM = re.compile(r"(?:^|\s)\.venv/bin/python (\w+\.py)\s*(.*)")
MAKE = re.compile(r"(?:^|\s)make ([a-z]+)(?:\s|$)")

KEYS = [f"keys {action}" for action in ("init", "add", "revoke", "list", "bundle", "unpack")]
KEYS += [f"web {action}" for action in ("serve", "invite", "accounts", "remove", "sign-out", "cert")]
PLACEHOLDERS = {
    "…": "configs/local.yaml",
    "configs/trial.yaml": "configs/local.yaml",
    "HASH": "0" * 64,
    "N": "4",
}


class Printed(NamedTuple):
    """A command as a document prints it."""

    place: str
    how: str
    words: tuple[str, ...]


def texts(path: Path) -> Iterator[str]:
    """Give what stands in a document as code: lines of blocks and spans; every line of another file."""
    text = path.read_text("utf-8")
    if path.suffix == ".md":
        yield from (line for block in BLOCK.findall(text) for line in block.splitlines())
        yield from (" ".join(span.split()) for span in SPAN.findall(BLOCK.sub("", text)))
    else:
        yield from (line.lstrip("# ") for line in text.splitlines())


def commands(path: Path) -> Iterator[str]:
    """Give one command after the other."""
    for text in texts(path):
        yield from (part.strip() for part in BETWEEN_COMMANDS.split(text))


def printed(pattern: re.Pattern[str], *paths: Path) -> list[Printed]:
    """Return the commands in these files that look so, with values for what stands for one."""
    found = []
    for path in paths:
        for text in commands(path):
            if match := pattern.search(text):
                words = [PLACEHOLDERS.get(word, word) for word in shlex.split(match[2], comments=True)]
                found.append(Printed(path.relative_to(ROOT).as_posix(), match[1], tuple(words)))
    return list(dict.fromkeys(found))


def accept(words: list[str]) -> None:
    """Parse a command line of `turnstile`."""
    try:
        options = command_line(words).parse_args(words)
    except SystemExit as ended:
        assert ended.code == 0, f"turnstile {shlex.join(words)}"  # noqa: PT017 - argparse has printed why
        return
    config = getattr(options, "config", None)
    if config is not None and config.parts[0] == "configs":
        assert (ROOT / config).is_file()


@pytest.mark.parametrize("one", printed(COMMAND, *PAGES, *FILES), ids=str)
def test_a_printed_command_is_accepted(one: Printed) -> None:
    """Its sub-commands and options exist, and what it needs is given."""
    accept(list(one.words))


@pytest.mark.parametrize("one", printed(NAMED, *PAGES), ids=str)
def test_a_command_that_is_only_named_exists(one: Printed) -> None:
    """One with options is for typing: from a fresh clone it begins with `.venv/bin/turnstile`."""
    assert any(f"{name} ".startswith(f"{' '.join(one.words)} ") for name in [*all_commands(), *KEYS])


@pytest.mark.parametrize("one", printed(PROGRAM, *PAGES, *FILES), ids=str)
def test_a_printed_program_is_accepted(one: Printed) -> None:
    """The program itself says so, before it does anything."""
    if one.words and f"log {one.words[0]}" in all_commands():
        accept(["log", *one.words])
        return
    command = [sys.executable, str(ROOT / one.how), *one.words, "--check"]
    finished = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert finished.returncode == 0, finished.stderr


def test_a_printed_make_has_its_target() -> None:
    """In the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    wanted = {target for page in PAGES for text in commands(page) for target in MAKE.findall(text)}
    assert "demo" in wanted
    assert wanted <= targets


def test_the_pages_are_read() -> None:
    """A pattern that finds nothing would prove nothing."""
    of_readme = {one.words[0] for one in printed(COMMAND, ROOT / "README.md")}
    assert {"doctor", "check", "up", "keys", "status", "log", "erase"} <= of_readme
    assert len(printed(PROGRAM, ROOT / "README.md")) >= 2
