"""Writing a whole file at once. The library for it, `atomicwrites`, was given up by its author in 2022."""

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import NamedTuple

_NAME_BYTES_IN_PARTIAL = 200


class Owner(NamedTuple):
    """Whose a file is; root's commands give files to the user whose program reads them."""

    user: int
    group: int


def owner_of(path: Path) -> Owner:
    """Return whose a file is.

    Raises:
        OSError: it cannot be looked at.
    """
    found = path.stat()
    return Owner(found.st_uid, found.st_gid)


def write_whole(
    path: Path, data: bytes, *, mode: int = 0o600, owner: Owner | None = None, durable: bool = False
) -> None:
    """Put a file in place of what stands at a path. Readers see the old one or the new one, never a part.

    Args:
        path: in a folder that exists. A link there is replaced, not followed.
        data: everything that the file will hold.
        mode: exactly this, whatever the umask is.
        owner: whose it is to be, if not the user's who writes it.
        durable: return only when the file survives a loss of power.

    Raises:
        OSError: it cannot be written; what stood there stands there still, and nothing is left beside it.
    """
    beginning = os.fsdecode(os.fsencode(path.name)[:_NAME_BYTES_IN_PARTIAL])
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{beginning}.")
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if owner is not None:
                os.fchown(descriptor, *owner)
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


def replace_contents(path: Path, data: bytes) -> None:
    """Put other contents into a file that is there, durably; its owner and mode stay.

    Raises:
        OSError: it cannot be written, or not be its owner's; the old contents stand there still.
    """
    path = path.resolve(strict=True)
    mode = stat.S_IMODE(path.stat().st_mode)
    write_whole(path, data, mode=mode, owner=owner_of(path), durable=True)


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
