"""Stores as earlier loggers left them."""

import msgspec
from sqlalchemy import select

from turnstile.io.store.store import Store
from turnstile.io.store.tables import entries, erasures, logs, schema
from turnstile.log.chain import START, seal


def seal_as_version_1(store: Store) -> None:
    """Give all entries the form and the hashes that they had in November 2026."""
    before = START.hash
    for link in list(store.links()):
        record = msgspec.structs.replace(link.record, max_distance=None, nearest_commitment=None)
        sealed = seal(before, record)
        with store.database.writing() as connection:
            connection.execute(
                entries.update()
                .where(entries.c.number == record.number)
                .values(max_distance=None, nearest_commitment=None, previous=before, hash=sealed)
            )
        before = sealed


def make_version_1(store: Store) -> None:
    """Take from a store what version 1 did not have: notes, ages, and some columns of its entries."""
    with store.database.writing() as connection:
        newest = select(entries.c.number, entries.c.hash).order_by(entries.c.number.desc()).limit(1)
        number, sealed = connection.execute(newest).one()
        connection.execute(logs.update().values(head_number=number, head_hash=sealed))
        for table in ("notes", "act_words", "marks", "age_clocks"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        for column in ("max_distance", "nearest_commitment"):
            connection.exec_driver_sql(f"ALTER TABLE entries DROP COLUMN {column}")
        for column in ("nearest", "nearest_salt"):
            connection.exec_driver_sql(f"ALTER TABLE personal DROP COLUMN {column}")
        erasures.create(connection)
        connection.execute(schema.update().values(version=1))
