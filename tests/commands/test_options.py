"""Options that several commands have."""

import argparse
from pathlib import Path

import pytest

from turnstile.commands.options import add_config, number


def parsed(*words: str, positional: bool = True) -> Path:
    """Return the site file that a command line names."""
    parser = argparse.ArgumentParser()
    add_config(parser, positional=positional)
    parser.add_argument("--host")
    config: Path = parser.parse_args(words).config
    return config


@pytest.mark.parametrize(
    "words",
    [
        ["--config", "site.yaml"],
        ["site.yaml"],
        ["--host", "gate", "site.yaml"],
        ["site.yaml", "--host", "gate"],
        ["--config", "site.yaml", "--host", "gate"],
    ],
)
def test_a_site_file_may_stand_alone_or_behind_its_option(words: list[str]) -> None:
    """Wherever other options stand."""
    assert parsed(*words) == Path("site.yaml")


@pytest.mark.parametrize("words", [[], ["--config", "one", "two"], ["one", "--config", "two"]])
def test_one_site_file_is_wanted(words: list[str]) -> None:
    """Neither none nor two."""
    with pytest.raises(SystemExit) as ended:
        parsed(*words)
    assert ended.value.code == 2


def test_other_commands_take_the_option_only() -> None:
    """So that a forgotten `--config` is said."""
    assert parsed("--config", "site.yaml", positional=False) == Path("site.yaml")
    with pytest.raises(SystemExit):
        parsed("site.yaml", positional=False)


@pytest.mark.parametrize("text", ["0", "11", "-1", "1.0", "", "x", "٣", "9" * 5000])
def test_a_number_out_of_its_range_is_refused(text: str) -> None:
    """With what would be valid."""
    convert = number(1, 10)
    assert [convert("1"), convert("10")] == [1, 10]
    with pytest.raises(argparse.ArgumentTypeError, match="is not a number from 1 to 10"):
        convert(text)
