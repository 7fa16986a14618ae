"""The errors Turnstile raises; each message says what happened, the value, and what would be valid."""


class TurnstileError(Exception):
    """Anything this system refuses or cannot do."""


class ConfigError(TurnstileError):
    """A site file that cannot be used; the message starts with the path of the offending key."""


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


class SetupError(TurnstileError):
    """Something that set-up or the system should bring is missing; the message says what to install."""


class LogError(TurnstileError):
    """An access log, or a line of one, that cannot be read or written."""


class RulesError(TurnstileError):
    """A rules file that cannot be used.

    Attributes:
        place: keys and list positions that lead to the offending value; empty for the whole file.
    """

    def __init__(self, message: str, *, place: tuple[str | int, ...] = ()) -> None:
        where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).lstrip(".")
        super().__init__(f"{where}: {message}" if where else message)
        self.place = place


class JournalError(TurnstileError):
    """A journal that cannot be opened, is damaged, or is in use by another broker."""
