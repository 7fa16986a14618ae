"""The errors Turnstile raises; each message says what happened, the value, and what would be valid."""

Place = tuple[str | int, ...]
"""Keys and list positions that lead to a value in a file."""


class TurnstileError(Exception):
    """Anything this system refuses or cannot do."""


class ConfigError(TurnstileError):
    """A site file, rules file or option that cannot be used; the message starts with the path of the key.

    Attributes:
        words: the message without the path.
        place: keys and list positions that lead to the offending value; empty where that is not known.
    """

    def __init__(self, words: str, *, place: Place = ()) -> None:
        where = "".join(f"[{step}]" if isinstance(step, int) else f".{_plain(step)}" for step in place)
        super().__init__(f"{where.lstrip('.')}: {words}" if where else words)
        self.words, self.place = words, place


class UnreadableError(ConfigError):
    """A file of which nobody can tell what it says: it cannot be looked at, or is empty or no text."""


def _plain(key: str) -> str:
    """Return a key so that it cannot break a line or fill the screen."""
    return key if key.isprintable() and len(key) <= _KEY_CHARS else f"{key!r:.{_KEY_CHARS}}"


_KEY_CHARS = 80


class WireError(TurnstileError):
    """A message that is not one of ours; the message names the field."""


class RefusedError(TurnstileError):
    """A message or subscription that its sender's key does not allow; the message says whose and why."""


class PictureError(TurnstileError):
    """A picture that cannot be decoded or used; the message is fit to show to the person who took it."""


class CameraError(TurnstileError):
    """A camera or clip that cannot be opened or stopped delivering."""


class ModelError(TurnstileError):
    """A model file that is missing, truncated, or not of the expected kind."""


class DisplayError(TurnstileError):
    """A screen, video file or snapshot that cannot be written to."""


class NoScreenYetError(DisplayError):
    """A screen whose server does not answer, and may later."""


class SetupError(TurnstileError):
    """Something that set-up or the system should bring is missing; the message says what to install."""


class LogError(TurnstileError):
    """An access log, or a line of one, that cannot be read or written."""


class JournalError(TurnstileError):
    """A journal that cannot be opened, is damaged, or is in use by another broker."""
