"""What somebody who is signed in wants of the broker or of a logger, and what comes back.

The message says who wants it. What is wanted, and what is answered, is of `turnstile.requests`.
"""

from typing import Annotated, Literal

from msgspec import Meta

from turnstile.protocol.envelope import Message
from turnstile.protocol.fields import Name, PersonName, Token

AccountRole = Literal["viewer", "clerk", "admin"]
"""A viewer sees; a clerk enrols and names besides; an admin changes rules, erases and revokes besides."""

BROKER = "broker"
MAX_WISH_BYTES = 24 * 2**20
"""Largest wish: a picture of 20 MB as a camera makes it, with what is said of it."""
MAX_ANSWER_BYTES = 8 * 2**20


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
