"""Log lines: one line a message, whoever's words are in it, and no secret of an address.

Names, problems and details come from other machines. A line break or an escape code among them would forge
lines or steer the reader's terminal. So what does not print is written as in Python's strings.

structlog would escape as well. It brings a second way of logging beside the standard library's.
"""

import logging
import sys

from turnstile.site.secrecy import without_secrets

FORMAT = "%(asctime)s %(levelname)-7s %(message)s"

_KNOWN = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime"}


class LineFormatter(logging.Formatter):
    """Formats records as single lines; a traceback follows, indented."""

    def __init__(self) -> None:
        """Take the format of all programs."""
        super().__init__(FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the standard library's name
        """Return the line, with what was given as `extra`."""
        more = [f"{name}: {value}" for name, value in vars(record).items() if name not in _KNOWN]
        line = super().formatMessage(record)
        return in_one_line(f"{line} ({', '.join(more)})" if more else line)

    def formatException(self, ei: object) -> str:  # noqa: N802 - the standard library's name
        """Return a traceback whose lines cannot be taken for log lines."""
        lines = super().formatException(ei).split("\n")  # type: ignore[arg-type]  # as it came
        return "\n".join(f"    {in_one_line(line)}" for line in lines)


def in_one_line(text: str) -> str:
    """Return a text without secrets, and with what does not print escaped."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode()
        for char in without_secrets(text)
    )


def configure_logging(level: str) -> None:
    """Send log lines to standard error with time and level."""
    handler = logging.StreamHandler(sys.stderr)
    log_to(handler, level)


def log_to(handler: logging.Handler, level: str) -> None:
    """Send log lines to one handler."""
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    if level != "debug":
        logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it says "3 changes detected" at INFO
