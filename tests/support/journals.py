"""Journals as earlier brokers left them."""

import sqlite3
from contextlib import closing
from pathlib import Path


def make_version_1(path: Path) -> None:
    """Turn a journal that nobody has open into one of version 1."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE source (id TEXT NOT NULL); INSERT INTO source SELECT id FROM sources;"
            "DROP TABLE sources; ALTER TABLE loggers RENAME COLUMN unheard_ns TO heard_ns;"
            "PRAGMA user_version=1;"
        )
