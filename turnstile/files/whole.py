"""Writing a whole file at once. The library for it, `atomicwrites`, was given up by its author in 2022."""

import contextlib
import os
import tempfile
from pathlib import Path

_NAME_CHARS_IN_PARTIAL = 200


def write_whole(path: Path, data: bytes, *, mode: int = 0o600, durable: bool = False) -> None:
    """Put a file in place of what stands at a path. Readers see the old one or the new one, never a part.

    Args:
        path: in a folder that exists. A link there is replaced, not followed.
        data: everything that the file will hold.
        mode: exactly this, whatever the umask is.
        durable: return only when the file survives a loss of power.

    Raises:
        OSError: it cannot be written; what stood there stands there still, and nothing is left beside it.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:_NAME_CHARS_IN_PARTIAL]}.")
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            if durable:
                file.flush()
                os.fsync(descriptor)
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names that came into a folder or left it survive a loss of power.

    Raises:
        OSError: the folder cannot be opened or written.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
