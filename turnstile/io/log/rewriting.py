"""The access log's text and what rotation made of it: finding those files, rewriting them line by line."""

import gzip
import re
import zlib
from collections.abc import Callable
from pathlib import Path

from turnstile.errors import LogError
from turnstile.files.whole import write_whole


def log_files(path: Path) -> list[Path]:
    """Return the text file and what rotation moved away: ``access_log.txt.1``, ``access_log-2026.txt.gz``."""
    name = re.compile(rf"{re.escape(path.stem)}([.-].+)?{re.escape(path.suffix)}([.-].+)?")
    if not path.parent.is_dir():
        return []
    return sorted(one for one in path.parent.iterdir() if name.fullmatch(one.name) and one.is_file())


def rewrite(path: Path, change: Callable[[str], str | None]) -> int:
    """Put a changed copy in a file's place, if anything changes; return how many lines did.

    A logger that has the file open notices, as after rotation, and goes on in the new one.

    Args:
        path: plain, or compressed when it ends in ``.gz``.
        change: returns what stands instead of a line; nothing removes it.

    Raises:
        LogError: the file cannot be read or written.
    """
    try:
        data = path.read_bytes()
        text = gzip.decompress(data) if path.suffix == ".gz" else data
        lines = text.decode(errors="surrogateescape").split("\n")
        changed = [change(line) for line in lines[:-1]]
        count = sum(before != after for before, after in zip(lines, changed, strict=False)) + bool(lines[-1])
        if count:
            kept = "".join(f"{line}\n" for line in changed if line is not None)
            data = kept.encode(errors="surrogateescape")
            write_whole(path, gzip.compress(data) if path.suffix == ".gz" else data, durable=True)
    except (OSError, EOFError, zlib.error) as error:
        raise LogError(f"{path} cannot be rewritten: {error}") from error
    return count
