"""The output of several processes on one terminal: each line behind the name of whose it is.

A terminal may be paused (Ctrl-S) and a reader may be slow. Neither may hold up who supervises doors, nor the
nodes, whose pipes would fill: a thread writes, and what it has no time for is left out and counted.
"""

import os
import queue
import sys
import threading
from collections.abc import Mapping
from itertools import cycle
from typing import Any

from turnstile.io.site.terminal import give_up_output

MAX_LINE_BYTES = 16 * 1024
"""A longer line is shown in parts."""

MAX_LINES = 5000
"""So many may wait to be written."""

LAST_LINES_WITHIN_S = 2.0

_COLOURS = (36, 33, 35, 32, 34, 96, 93, 95, 92, 94)
_RESET = b"\x1b[0m"


class Prefixes:
    """Where lines of all processes go; in colour if it is a terminal and ``$NO_COLOR`` is not set."""

    def __init__(self, out_fd: int, *, colour: bool | None = None) -> None:
        """Begin to write to a descriptor."""
        self._out_fd = out_fd
        self._colour = os.isatty(out_fd) and not os.environ.get("NO_COLOR") if colour is None else colour
        self._colours = cycle(_COLOURS)
        self._width = 0
        self._left_out = 0
        self._lines: queue.Queue[bytes | None] = queue.Queue(MAX_LINES)
        self._writer = threading.Thread(target=self._write_lines, daemon=True)
        self._writer.start()

    def make_room(self, width: int) -> None:
        """Line up names of at most so many characters."""
        self._width = max(self._width, width)

    def lines_of(self, name: str) -> "Lines":
        """Return where a process's output goes."""
        self.make_room(len(name))
        return Lines(self, name, f"\x1b[{next(self._colours)}m".encode() if self._colour else b"")

    def write(self, name: str, colour: bytes, line: bytes) -> None:
        """Have a line written, unless too many wait."""
        prefix = b"%s%-*s |%s " % (colour, self._width, name.encode(), _RESET if colour else b"")
        try:
            self._lines.put_nowait(prefix + line + b"\n")
        except queue.Full:
            self._left_out += 1

    def close(self) -> None:
        """Return when all is written, or 2 s later if nobody reads."""
        try:
            self._lines.put(None, timeout=LAST_LINES_WITHIN_S)
        except queue.Full:
            return
        self._writer.join(LAST_LINES_WITHIN_S)

    def _write_lines(self) -> None:
        told = 0
        while (line := self._lines.get()) is not None:
            left_out = self._left_out - told
            if left_out:
                self._write(b"(%d lines are left out: nobody read)\n" % left_out)
                told += left_out
            self._write(line)

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._out_fd, data) :]
        except BrokenPipeError:
            give_up_output()


class Lines:
    """A process's output: bytes come as they are read, lines go. What circus calls a stream."""

    def __init__(self, prefixes: Prefixes, name: str, colour: bytes) -> None:
        self._prefixes, self._name, self._colour = prefixes, name, colour
        self._begun: dict[str, bytes] = {}

    def __call__(self, data: Mapping[str, Any]) -> None:
        """Take what came: the bytes under ``data``, of the stream under ``name``."""
        *whole, begun = (self._begun.get(data["name"], b"") + data["data"]).split(b"\n")
        while len(begun) > MAX_LINE_BYTES:
            whole.append(begun[:MAX_LINE_BYTES])
            begun = begun[MAX_LINE_BYTES:]
        self._begun[data["name"]] = begun
        for line in whole:
            self._prefixes.write(self._name, self._colour, line)

    def finish(self) -> None:
        """Write what was begun as a line."""
        for begun in self._begun.values():
            if begun:
                self._prefixes.write(self._name, self._colour, begun)
        self._begun.clear()


def to_standard_output() -> Prefixes:
    """Return the prefixes of this process's own output."""
    return Prefixes(sys.stdout.fileno())
