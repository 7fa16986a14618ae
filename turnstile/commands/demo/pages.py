"""The demo in a browser: its web node, and one link by which whoever runs it comes in.

The demo goes on whether or not pages come: it never waits for them.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

from turnstile.io.runner.processes import PROGRAMS, Processes

NODE = "web"
GUEST = "guest"
_SERVES = "pages at http"


class DemoPages:
    """Starts the web node, invites a guest, and shows the link once."""

    def __init__(self, nodes: Processes, say: Callable[[str], None]) -> None:
        self._nodes, self._say = nodes, say
        self._invitation: subprocess.Popen[str] | None = None
        self._browser: subprocess.Popen[bytes] | None = None
        self._gave_up = False
        self.link = ""
        """Where the guest comes in; empty: nowhere yet."""

    def start(self) -> None:
        """Start the web node."""
        self._nodes.start_command(NODE, "-m", "turnstile", "web")

    def look(self) -> None:
        """Invite as soon as the pages answer, and say where; say it once if they cannot."""
        if self.link or self._gave_up:
            return
        if self._nodes.exit_code(NODE) is not None:
            self._give_up(self._nodes.last_words(NODE, lines=1))
        elif self._invitation is None:
            if _SERVES in self._nodes.last_words(NODE, lines=100):
                self._invitation = self._invite()
        elif self._invitation.poll() is not None:
            self._show(*self._invitation.communicate())

    def close(self) -> None:
        """Leave no command running; a browser that is open stays."""
        for process in (self._invitation, self._browser):
            if process is not None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.communicate()

    def _invite(self) -> "subprocess.Popen[str]":
        command = ["-m", "turnstile", "web", "invite", GUEST, "--role", "admin"]
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", *command, "--config", str(self._nodes.site_file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=PROGRAMS,
            start_new_session=True,
        )

    def _show(self, said: str, problem: str) -> None:
        self.link = said.partition("\n")[0]
        if not self.link:
            self._give_up(problem.strip())
            return
        self._say(f"Look at it in a browser, until the demo ends: {self.link}")
        if _has_screen():
            self._browser = _open_browser(self.link)

    def _give_up(self, why: str) -> None:
        self._gave_up = True
        self._say(f"there are no pages in a browser: {why}")


def _has_screen() -> bool:
    return sys.platform == "darwin" or any(os.environ.get(one) for one in ("DISPLAY", "WAYLAND_DISPLAY"))


def _open_browser(address: str) -> "subprocess.Popen[bytes]":
    """Open a browser that has a window, if there is one; without $TERM no other is tried."""
    return subprocess.Popen(
        [sys.executable, "-m", "webbrowser", "-t", address],
        env={name: value for name, value in os.environ.items() if name != "TERM"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
