"""Reading files that people put there, and telling "not there" from "cannot look".

`Path.exists` and its like answer False for a dangling link and a loop of links. From Python 3.14 on they do
so for a folder that may not be entered, too. What is decided by absence asks `is_absent` instead.
"""

import errno
import os
import stat
from pathlib import Path

_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}


def is_absent(path: Path) -> bool:
    """Tell whether nothing has this name, not even a link that leads nowhere.

    Raises:
        OSError: nobody can tell, because the folder is not there or may not be looked into.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        path.parent.stat()
        return True
    return False


def read_file(path: Path, *, at_most: int) -> bytes:
    """Return the first `at_most` bytes of a regular file, at once: a pipe or a device is never waited for.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            kind = _KINDS.get(stat.S_IFMT(mode), "a device")
            raise OSError(errno.EINVAL, f"it is {kind}, not a file", str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(at_most)
    finally:
        os.close(descriptor)


def why(error: OSError, *, about: Path) -> str:
    """Return an error in words, with the path unless it is the one spoken about: ``Permission denied``."""
    words = error.strerror or str(error)
    where = os.fspath(error.filename) if isinstance(error.filename, str | Path) else ""
    return words if where in ("", str(about)) else f"{words}: {where}"
