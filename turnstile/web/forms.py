"""From what somebody typed into a form to a wish."""

from typing import TypeVar

import msgspec

from turnstile.errors import TurnstileError
from turnstile.requests.wishes import Wish

_W = TypeVar("_W", bound=Wish)


class FormError(TurnstileError):
    """A field of a form that cannot be used; the message says what would be valid."""


def wish_of(kind: type[_W], **fields: object) -> _W:
    """Return a wish with these fields, each within its range.

    Raises:
        FormError: one is not.
    """
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise FormError(f"this cannot be done: {_plain(str(error))}") from error


def _plain(words: str) -> str:
    """Return what msgspec says, about a form's field instead of a path."""
    what, _, path = words.partition(" - at `$.")
    return f"{path.rstrip('`')}: {what}" if path else what
