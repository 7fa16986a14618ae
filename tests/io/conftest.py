"""What tests of the edges share."""

import os
import subprocess
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def virtual_screen() -> Iterator[str]:
    """Give the DISPLAY of a screen that exists only in memory."""
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=(writer,), stderr=subprocess.DEVNULL) as server:
        os.close(writer)
        with os.fdopen(reader) as numbers:
            yield f":{numbers.readline().strip()}"
        server.terminate()
