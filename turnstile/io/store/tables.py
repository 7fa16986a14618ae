"""The tables of a store, the same in SQLite and in PostgreSQL.

One store holds the logs of any number of sites and loggers. `entries` is what the chain is over and is only
ever added to, and cut at its old end by retention. What is personal stands in `personal`, so that it can be
erased. Columns of `entries` are the fields of `turnstile.log.chain.Record`. `notes` stand in the chain too.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

VERSION = 3
"""Of these tables. A logger brings a store of an earlier version up to date; a later one is refused."""

metadata = MetaData()

schema = Table("turnstile_schema", metadata, Column("version", Integer, nullable=False))

logs = Table(
    "logs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("site", String, nullable=False),
    Column("logger", String, nullable=False),
    Column("head_number", BigInteger, nullable=False),
    Column("head_hash", LargeBinary, nullable=False),
    Column("floor_number", BigInteger, nullable=False),
    Column("floor_hash", LargeBinary, nullable=False),
    Column("source", String, nullable=False),
    Column("text_number", BigInteger, nullable=False),
    UniqueConstraint("site", "logger"),
)
"""One row a log: its newest entry and the journal that it came from, the newest entry that retention removed,
and how far the text file was then."""

progress = Table(
    "progress",
    metadata,
    Column("log_id", Integer, ForeignKey("logs.id"), primary_key=True),
    Column("source", String, primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
)
"""How far each journal's events have been taken."""

entries = Table(
    "entries",
    metadata,
    Column("log_id", Integer, ForeignKey("logs.id"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("source", String, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("camera", String, nullable=False),
    Column("verdict", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("distance", Double),
    Column("margin", Double),
    Column("votes", BigInteger, nullable=False),
    Column("of", BigInteger, nullable=False),
    Column("visit", String, nullable=False),
    Column("decided_ns", BigInteger, nullable=False),
    Column("captured_ns", BigInteger, nullable=False),
    Column("frame_seq", BigInteger, nullable=False),
    Column("recognizer", String, nullable=False),
    Column("left_px", Integer),
    Column("top_px", Integer),
    Column("right_px", Integer),
    Column("bottom_px", Integer),
    Column("expires_ns", BigInteger, nullable=False),
    Column("encoding", String, nullable=False),
    Column("gallery_version", String, nullable=False),
    Column("config_hash", String, nullable=False),
    Column("person_commitment", LargeBinary, nullable=False),
    Column("thumbnail_commitment", LargeBinary, nullable=False),
    Column("max_distance", Double),
    Column("nearest_commitment", LargeBinary),
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    UniqueConstraint("log_id", "source", "seq"),
    Index("entries_by_time", "log_id", "decided_ns"),
)

personal = Table(
    "personal",
    metadata,
    Column("log_id", Integer, ForeignKey("logs.id"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("person", String),
    Column("person_salt", LargeBinary),
    Column("thumbnail", LargeBinary),
    Column("thumbnail_salt", LargeBinary),
    Column("pseudonym", String),
    Column("nearest", String),
    Column("nearest_salt", LargeBinary),
    Index("personal_by_person", "log_id", "person"),
)

notes = Table(
    "notes",
    metadata,
    Column("log_id", Integer, ForeignKey("logs.id"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("fact", LargeBinary, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
"""What happened to a log itself, in one sequence of numbers and one chain with its entries."""

act_words = Table(
    "act_words",
    metadata,
    Column("log_id", Integer, ForeignKey("logs.id"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("by", String, nullable=False),
    Column("by_salt", LargeBinary),
    Column("words", String, nullable=False),
    Column("words_salt", LargeBinary),
)
"""What accounts did, by the number of its note: personal, so that names can be erased from it."""

marks = Table(
    "marks",
    metadata,
    Column("log_id", Integer, ForeignKey("logs.id"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ns", BigInteger, nullable=False),
)
"""Since when there were so many entries, for retention."""

age_clocks = Table(
    "age_clocks",
    metadata,
    Column("log_id", Integer, ForeignKey("logs.id"), primary_key=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("withheld_ns", BigInteger, nullable=False),
    Column("withheld_up_to", BigInteger, nullable=False),
    Column("held_ns", BigInteger, nullable=False),
)
"""One `turnstile.log.age.AgeClock` a log."""

erasures = Table(
    "erasures",
    MetaData(),
    Column("log_id", Integer, primary_key=True),
    Column("pseudonym", String, primary_key=True),
    Column("erased_ns", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
)
"""Of version 1 only: whose names were erased. Version 2 has notes of it."""
