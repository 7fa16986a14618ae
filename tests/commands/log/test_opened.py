"""A log is opened only where it is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.builders import write_site
from tests.support.logs import LOGGER
from turnstile.commands.cli import main

Run = Callable[..., tuple[int, str]]


def test_an_absent_log_is_said_and_not_made(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 without a store, 78 without a site file, and nothing is left behind."""
    config = write_site(folder, LOGGER)
    assert main(["log", "verify", "--config", str(config)]) == 1
    assert "no access log" in capsys.readouterr().err
    assert not (folder / "access_log.db").exists()
    assert main(["log", "query", "--config", str(folder / "nothing.yaml")]) == 78


@pytest.mark.parametrize(
    "options", [["verify", "--against", "abc"], ["query", "--last", "0"], ["query", "--reason", "because"]]
)
def test_wrong_options_are_refused(run: Run, options: list[str]) -> None:
    """With exit code 2."""
    with pytest.raises(SystemExit) as ended:
        run(*options)
    assert ended.value.code == 2
