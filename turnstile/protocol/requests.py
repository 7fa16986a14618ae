"""What somebody who is signed in wants of the broker or of a logger, what comes back, and what is on record.

The message says who wants it. What is wanted, and what is answered, is of `turnstile.requests`.
"""

from typing import Annotated, Literal

from msgspec import Meta

from turnstile.protocol.envelope import Message
from turnstile.protocol.fields import STEERING, Count, Label, Name, Nanoseconds, PersonName, Text, Token

AccountRole = Literal["viewer", "clerk", "admin"]
"""A viewer sees; a clerk enrols and names besides; an admin changes rules, erases and revokes besides."""

BROKER = "broker"
MAX_WISH_BYTES = 8 * 2**20
"""Largest wish: a picture, with what is said of it."""
MAX_ANSWER_BYTES = 8 * 2**20
MAX_DEED_CHARS = 1500
DeedWords = Annotated[str, Meta(pattern=rf"\A[^{STEERING}]{{0,{MAX_DEED_CHARS}}}\Z")]


class Request(Message, frozen=True, kw_only=True, tag="request/1"):
    """An account of the web node wants something."""

    asker: Name
    """The web node's process."""
    token: Token
    """Comes back with the reply."""
    to: Name
    """``broker``, or a logger's name."""
    by: PersonName
    """The account."""
    role: AccountRole
    doors: Annotated[tuple[Name, ...], Meta(max_length=4096)] = ()
    """Which doors the account may see; none named: all."""
    wish: Annotated[bytes, Meta(max_length=MAX_WISH_BYTES)]


class Reply(Message, frozen=True, kw_only=True, tag="reply/1"):
    """The answer to a `Request`."""

    asker: Name
    token: Token
    sender: Name
    """The broker, or the logger's name."""
    answer: Annotated[bytes, Meta(max_length=MAX_ANSWER_BYTES)]


class Act(Message, frozen=True, kw_only=True, tag="act/2"):
    """Somebody ended what keeps people out, or changed something by the web node.

    It is on record among the decisions, and for loggers alone.
    """

    source: Token
    seq: Count
    """Numbered as `Access` is."""
    visit: Text
    """What tells it from every other act and every visit."""
    camera: Name | None
    """The door, if it is about one. Without a deed: see `Unlock`."""
    asker: Name
    at_ns: Nanoseconds
    """Broker's clock."""
    by: Annotated[str, Meta(max_length=200)] = ""
    """The account; empty for the operator's command."""
    role: Annotated[str, Meta(max_length=20)] = ""
    deed: Label = ""
    """Which wish it was: ``enrol-picture``; empty for the operator's command."""
    words: DeedWords = ""
    """What was done, after the account's name; names stand in quotes (`turnstile.protocol.names.quoted`)."""
