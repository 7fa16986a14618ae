"""One supervisor a site file and host of this machine, and a way to send it commands.

Each has a lock, held while it runs, and a command socket. Both are in ``$XDG_RUNTIME_DIR/turnstile``, or else
in ``turnstile-UID`` among the temporary files. Only their owner can enter that folder.
"""

import fcntl
import hashlib
import json
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from turnstile.errors import ConfigError, TurnstileError

STOP_WITHIN_S = 10.0
"""How long a process has to finish what it has in hand; after that it is killed."""

ANSWER_WITHIN_S = STOP_WITHIN_S + 5.0
_MAX_SOCKET_BYTES = 107
"""The longest path of a unix socket."""


@contextmanager
def claim(config: Path, host: str) -> Iterator[Path]:
    """Be the one supervisor of a site file and host, and give the path of its command socket.

    Raises:
        ConfigError: there is one already, or the folder is not ours alone.
    """
    path = _lock(config, host)
    if len(os.fsencode(path)) > _MAX_SOCKET_BYTES:
        raise ConfigError(f"{path}: too long for a socket; set $XDG_RUNTIME_DIR to a shorter one")
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                f"{config}: runs here already, kept by process {path.read_text()}; "
                "`turnstile scale`, `stop` and `start` change what runs"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield path.with_suffix(".sock")


def send_command(config: Path, host: str | None, command: str, **properties: object) -> dict[str, Any]:
    """Send a command to the supervisor of a site file, and return the answer.

    Args:
        config: the site file it was started with.
        host: which one, if this machine plays several hosts; `None`: the only one.
        command: ``nodes``, ``stop``, ``start``, ``restart``, ``scale`` or ``reload``.
        properties: what the command needs.

    Raises:
        TurnstileError: none runs, several do and no host was named, or the command cannot be carried out.
    """
    wanted = _lock(config, host or "*")
    locks = [path for path in sorted(wanted.parent.glob(wanted.name)) if _is_held(path)]
    if not locks:
        raise TurnstileError(f"{config}: nothing runs here that was started with `turnstile up {config}`")
    if len(locks) > 1:
        hosts = ", ".join(path.stem.partition("-")[2] for path in locks)
        raise TurnstileError(f"--host is needed: this machine runs {hosts}")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_WITHIN_S * (6 if command == "reload" else 1))  # it stops kind by kind
        try:
            connection.connect(str(locks[0].with_suffix(".sock")))
            connection.sendall(json.dumps({"command": command, **properties}).encode() + b"\n")
            answer: dict[str, Any] = json.loads(connection.makefile("rb").readline())
        except (OSError, ValueError) as error:
            raise TurnstileError(
                f"{config}: no answer within {connection.gettimeout():.0f} s: {error}"
            ) from error
    if "error" in answer:
        raise TurnstileError(answer["error"])
    return answer


def _lock(config: Path, host: str) -> Path:
    """Return the path of a supervisor's lock; its folder is made if it is not there."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    temporary = Path(tempfile.gettempdir())
    folder = Path(runtime) / "turnstile" if runtime else temporary / f"turnstile-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat(follow_symlinks=False)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be made: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ConfigError(f"{folder}: must be a folder of yours that nobody else can enter: chmod 700")
    return folder / f"{hashlib.sha256(os.fsencode(config.resolve())).hexdigest()[:12]}-{host[:40]}.lock"


def _is_held(lock: Path) -> bool:
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
