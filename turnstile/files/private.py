"""Files that hold names, faces, encodings or secrets: their owner's only, whatever the umask is."""

import errno
import logging
import os
import stat
from pathlib import Path

from turnstile.counts import counted
from turnstile.errors import ConfigError

MIN_SECRET_BYTES = 16

log = logging.getLogger("turnstile")


def open_plain(path: Path, flags: int) -> int:
    """Open a plain file, made if it is not there for its owner only; return its descriptor.

    A pipe or a device is never waited for.

    Args:
        path: of the file. Its folder is made, too.
        flags: as `os.open` takes them.

    Raises:
        OSError: it cannot be opened, or is no plain file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a plain file")
    return descriptor


def write_all(descriptor: int, data: bytes) -> None:
    """Append data whole, or leave the file as it was.

    Raises:
        OSError: the disk does not take it all.
    """
    size = os.fstat(descriptor).st_size
    written = os.write(descriptor, data)
    if written != len(data):
        os.ftruncate(descriptor, size)
        raise OSError(
            errno.ENOSPC, f"only {written} of {len(data)} bytes could be written; the disk is probably full"
        )


def close_to_others(path: Path) -> None:
    """Take a file or folder from its group and all others, if it is there, and say so if they had it.

    Raises:
        OSError: it cannot be looked at.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return
    if not mode & 0o077:
        return
    own = mode & 0o700
    try:
        path.chmod(own)
    except PermissionError:
        log.warning("%s is open to others (mode %04o), and only its owner can close it", path, mode)
        return
    log.warning("%s was open to others (mode %04o); it is its owner's only now (%04o)", path, mode, own)


def read_secret(path: Path) -> bytes:
    """Return the secret in a file that only its owner can read.

    Raises:
        ConfigError: it cannot be read, others can read it, or it is shorter than 16 bytes.
    """
    try:
        mode, secret = path.stat().st_mode, path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"secret_file {path}: cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise ConfigError(f"secret_file {path}: others can read it; chmod 600 {path}")
    if len(secret) < MIN_SECRET_BYTES:
        raise ConfigError(
            f"secret_file {path}: {counted(len(secret), 'byte')}; at least {MIN_SECRET_BYTES} are wanted"
        )
    return secret
