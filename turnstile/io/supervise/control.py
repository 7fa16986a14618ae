"""What runs on this machine: one supervisor a site file and host, and a way to speak to it.

Each has a folder of its owner alone, named after the site file, in ``$XDG_RUNTIME_DIR/turnstile`` or else a
``turnstile-UID`` among the temporary files: a lock that is held while it runs, and its command socket.
"""

import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from circus.client import CircusClient
from circus.exc import CallError

from turnstile.errors import ConfigError, TurnstileError
from turnstile.io.supervise.supervisor import CONTROL, STOP_WITHIN_S

EVERYTHING = "all"
"""Stands for the host's name where a site names none."""

_LOCK = "lock"
ANSWER_WITHIN_S = STOP_WITHIN_S + 5.0


@contextmanager
def claim(config: Path, host: str) -> Iterator[Path]:
    """Be the one supervisor of a site file and host, and give its folder.

    Raises:
        ConfigError: there is one already, or the folder is not ours alone.
    """
    folder = _folder(config, host)
    _make_private(folder.parent)
    _make_private(folder)
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            pid = (folder / _LOCK).read_text().strip()
            raise ConfigError(
                f"{config}: runs here already, kept by process {pid}; `turnstile scale`, `stop` and `start` "
                "change what runs"
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield folder
    finally:
        os.close(descriptor)


def tell(config: Path, host: str | None, command: str, **properties: object) -> dict[str, Any]:
    """Send a command to the supervisor of a site file, and return the answer.

    Args:
        config: the site file it was started with.
        host: which one, if this machine plays several hosts; none: the only one.
        command: ``nodes``, ``stop``, ``start`` or ``scale``.
        properties: what the command needs.

    Raises:
        TurnstileError: none runs, several do and no host was named, or the command cannot be carried out.
    """
    client = CircusClient(endpoint=f"ipc://{_running(config, host) / CONTROL}", timeout=ANSWER_WITHIN_S)
    try:
        answer: dict[str, Any] = client.send_message(command, **properties, waiting=True)
    except CallError as error:
        raise TurnstileError(f"{config}: no answer within {ANSWER_WITHIN_S:.0f} s: {error}") from error
    finally:
        client.stop()
    if answer.get("status") != "ok":
        raise TurnstileError(str(answer.get("reason")))
    return answer


def _running(config: Path, host: str | None) -> Path:
    known = sorted(_base().glob(f"{_stem(config)}-*"))
    folders = known if host is None else [_folder(config, host)]
    found = [folder for folder in folders if _is_held(folder / _LOCK)]
    if not found:
        raise TurnstileError(
            f"{config}: nothing runs here that was started with `turnstile up {config}` (looked in {_base()})"
        )
    if len(found) > 1:
        hosts = ", ".join(folder.name.partition("-")[2] for folder in found)
        raise TurnstileError(f"--host is needed: this machine runs {hosts}")
    return found[0]


def _is_held(lock: Path) -> bool:
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _folder(config: Path, host: str) -> Path:
    folder = _base() / f"{_stem(config)}-{host[:40]}"
    if len(os.fsencode(folder / CONTROL)) > 107:
        raise ConfigError(f"{folder}: too long for a socket; set $XDG_RUNTIME_DIR to a shorter one")
    return folder


def _base() -> Path:
    """Return the folder of all supervisors of this user, and of those who speak to them."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return (
        Path(runtime) / "turnstile" if runtime else Path(tempfile.gettempdir()) / f"turnstile-{os.getuid()}"
    )


def _stem(config: Path) -> str:
    return hashlib.sha256(os.fsencode(config.resolve())).hexdigest()[:12]


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat(follow_symlinks=False)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be made: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ConfigError(f"{folder}: must be a folder of yours that nobody else can enter: chmod 700")
