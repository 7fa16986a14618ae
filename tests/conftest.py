"""What all tests share."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile(
    "turnstile",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("turnstile")
"""A busy machine fails no test: examples have no deadline."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give an empty folder, in one of its own, short enough for ipc addresses, which hold 107 characters."""
    with tempfile.TemporaryDirectory(prefix="turnstile-") as path:
        site = Path(path) / "site"
        site.mkdir()
        yield site


@pytest.fixture(scope="session")
def virtual_screen() -> Iterator[str]:
    """Give the DISPLAY of a screen of 1280x800 that exists only in memory."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed")
    reader, writer = os.pipe()
    options = ["-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset"]
    command = ["Xvfb", "-displayfd", str(writer), *options]
    with subprocess.Popen(command, pass_fds=(writer,), stderr=subprocess.DEVNULL) as server:
        os.close(writer)
        with os.fdopen(reader) as numbers:
            yield f":{numbers.readline().strip()}"
        server.terminate()
