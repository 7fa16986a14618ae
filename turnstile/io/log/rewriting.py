"""The access log's text and what rotation made of it: finding those files, rewriting them line by line.

A file that is neither text nor gzip of text is left as it is, byte for byte.
"""

import gzip
import re
import zlib
from collections.abc import Callable
from pathlib import Path

from turnstile.errors import LogError
from turnstile.files.whole import replace_contents

_GZIP = b"\x1f\x8b"
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def log_files(path: Path) -> list[Path]:
    """Return the text file and what rotation moved away: ``access_log.txt.1``, ``access_log-2026.txt.gz``.

    Whatever bears such a name is among them, a folder too.

    Raises:
        LogError: the folder cannot be looked into.
    """
    name = re.compile(rf"{re.escape(path.stem)}([.-].+)?{re.escape(path.suffix)}([.-].+)?")
    try:
        return sorted(one for one in path.parent.iterdir() if name.fullmatch(one.name))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LogError(f"{path.parent} cannot be looked into: {error.strerror}") from error


def rewrite(path: Path, change: Callable[[str], str | None], *, dry_run: bool = False) -> int:
    """Change a file's lines, if any is to change; return how many are. Its owner and mode stay.

    A logger that has the file open notices, as after rotation, and goes on in the new one.

    Args:
        path: text, or gzip of text.
        change: returns what stands instead of a line; `None` removes it.
        dry_run: only count.

    Raises:
        LogError: the file cannot be read or written, or is neither. It is left as it is.
    """
    try:
        data = path.read_bytes()
        lines: list[str] = _LINE.findall(_decoded(data))
        changed = [_changed(line, change) for line in lines]
        count = sum(before != after for before, after in zip(lines, changed, strict=True))
        if count and not dry_run:
            kept = "".join(changed).encode()
            replace_contents(path, gzip.compress(kept) if data.startswith(_GZIP) else kept)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise LogError(f"{path} is left as it is: {_why(error)}") from error
    return count


def read_lines(path: Path) -> list[str]:
    """Return the lines of text, or of gzip of text.

    Raises:
        LogError: the file cannot be read, or is neither.
    """
    try:
        return _decoded(path.read_bytes()).split("\n")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise LogError(f"{path} is left as it is: {_why(error)}") from error


def _decoded(data: bytes) -> str:
    return (gzip.decompress(data) if data.startswith(_GZIP) else data).decode()


def _changed(line: str, change: Callable[[str], str | None]) -> str:
    words = line.rstrip("\r\n")
    after = change(words)
    return "" if after is None else after + line[len(words) :]


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is neither text nor gzip of text"
    return (isinstance(error, OSError) and error.strerror) or f"{error}"
