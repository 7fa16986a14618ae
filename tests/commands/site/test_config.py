"""`turnstile config`: what it prints of the keys of a site file."""

import pytest

from turnstile.commands.cli import main


def test_a_key_is_explained_in_a_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Without the quotes of the page."""
    assert main(["config", "--explain", "displays.hall.audience"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["displays.NAME.audience", "  default  operator", "  valid    door or operator"]
    assert lines[3].startswith("  Who reads it. door: the public")


def test_a_section_is_explained_with_its_keys(capsys: pytest.CaptureFixture[str]) -> None:
    """They are what to ask for next."""
    assert main(["config", "--explain", "decision.lockout"]) == 0
    assert "  decision.lockout.max_denials\n" in capsys.readouterr().out


def test_all_keys_are_listed_with_their_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    """One a line."""
    assert main(["config"]) == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert ["cameras.NAME.source", "must be given"] in lines
    assert ["decision.votes_needed", "3"] in lines


def test_a_misspelt_key_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 78, as for the same key in a site file."""
    assert main(["config", "--explain", "max_fsp"]) == 78
    assert "did you mean cameras.NAME.max_fps" in capsys.readouterr().err
