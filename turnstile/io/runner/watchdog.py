"""A work loop's sign of life, for whoever restarts what hangs.

systemd hears it by the notify protocol (sd_notify(3)): that the node is ready, that its loop turns, what
state it is in, that it stops. Where there is no systemd, as in a container, `TURNSTILE_PULSE_FILE` names a
file that is touched once a second. Both come from the loop itself, so a loop that hangs is silent.

Libraries not taken: sdnotify, unchanged since 2017, for the one datagram; systemd-python needs a compiler.
"""

import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

from turnstile.io.site.terminal import printable

EVERY_S = 1.0
MAX_STATUS_CHARS = 200


class Pulse:
    """Tells a service manager that a loop turns. Belongs to the loop's thread, but for `age_s`.

    Attributes:
        turned_s: when the loop turned last, on the monotonic clock.
    """

    def __init__(self, environ: MutableMapping[str, str] | None = None) -> None:
        """Take whom to tell out of the environment, so that child processes do not speak for this one."""
        environ = os.environ if environ is None else environ
        self.turned_s = time.monotonic()
        self._address = environ.pop("NOTIFY_SOCKET", "")
        watchdog_us = environ.pop("WATCHDOG_USEC", "")
        self._feeds = (
            watchdog_us.isdigit() and environ.pop("WATCHDOG_PID", f"{os.getpid()}") == f"{os.getpid()}"
        )
        self._every_s = min(EVERY_S, int(watchdog_us) / 4e6) if self._feeds else EVERY_S
        self._file = environ.pop("TURNSTILE_PULSE_FILE", "")
        self._said_s = 0.0
        self._state = ""
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)

    @property
    def age_s(self) -> float:
        """Return how long ago the loop turned. May be asked from any thread."""
        return time.monotonic() - self.turned_s

    def ready(self, state: str) -> None:
        """Say that the node is wired and its loop begins."""
        self._say("READY=1", *self._new_status(state))
        self.turned(state)

    def turned(self, state: str) -> None:
        """Note that the loop turned, and say so when it is time."""
        self.turned_s = now_s = time.monotonic()
        if now_s - self._said_s < self._every_s:
            return
        self._said_s = now_s
        self._say(*(["WATCHDOG=1"] if self._feeds else []), *self._new_status(state))
        if self._file:
            with suppress(OSError):
                Path(self._file).touch(mode=0o600)

    def stopping(self) -> None:
        """Say that the node stops, as it was asked to."""
        self._say("STOPPING=1")

    def close(self) -> None:
        """Say nothing more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _new_status(self, state: str) -> list[str]:
        if state == self._state:
            return []
        self._state = state
        return [f"STATUS={printable(state)[:MAX_STATUS_CHARS]}"]

    def _say(self, *lines: str) -> None:
        """Send without waiting: a manager that does not listen must not hold up the loop."""
        if self._socket is None or not lines:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with suppress(OSError):
            self._socket.sendto("\n".join(lines).encode(), address)
