"""A site whose log has four entries, and what runs a command on it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.builders import write_site
from tests.support.logs import EVENTS, LOGGER, write_log
from turnstile.commands.cli import main


@pytest.fixture
def config(folder: Path) -> Path:
    """Give the site's file."""
    path = write_site(folder, LOGGER, cameras=("front_door", "back_door"))
    write_log(path, *EVENTS).close()
    return path


@pytest.fixture
def run(config: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Give what runs `turnstile log COMMAND` and returns its exit code and all that it says."""

    def run_command(command: str, *options: str) -> tuple[int, str]:
        code = main(["log", command, "--config", str(config), *options])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run_command
