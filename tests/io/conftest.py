"""What tests of sockets, files and databases share."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.support import postgresql


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
