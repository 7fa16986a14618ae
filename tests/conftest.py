"""What all tests share."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest
from psycopg import sql

from tests import postgresql

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
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=(writer,), stderr=subprocess.DEVNULL) as server:
        os.close(writer)
        with os.fdopen(reader) as numbers:
            yield f":{numbers.readline().strip()}"
        server.terminate()


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Give a PostgreSQL server's addresses; ``{}`` stands for a database."""
    if reason := postgresql.why_not():
        pytest.skip(reason)
    with postgresql.a_server(fsync=False) as addresses:
        yield addresses


@pytest.fixture
def empty_database(server: str, tmp_path: Path) -> str:
    """Give the address of an empty PostgreSQL database."""
    name = f"test_{hashlib.sha256(bytes(tmp_path)).hexdigest()[:16]}"
    with psycopg.connect(server.format("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return server.format(name)
