"""The output of several processes on one terminal: each line prefixed with its process's name.

A terminal may be paused (Ctrl-S) and a reader may be slow. Neither may hold up the supervisor, nor the nodes,
whose pipes would fill. So a thread writes, and lines beyond `MAX_LINES` are dropped and counted. asyncio's
own writer was rejected: it makes a terminal non-blocking for every program on it, and it refuses files.
"""

import asyncio
import os
import queue
from collections.abc import Iterable
from itertools import cycle

from turnstile.counts import counted
from turnstile.io.runner.worker import Worker

MAX_LINE_BYTES = 16 * 1024
"""A longer line is shown in parts."""

MAX_LINES = 5000
"""So many may wait to be written."""

LAST_LINES_WITHIN_S = 2.0

_COLOURS = (36, 33, 35, 32, 34, 96, 93, 95, 92, 94)


class Output:
    """Where lines of all processes go; in colour if it is a terminal and ``$NO_COLOR`` is not set."""

    def __init__(self, out_fd: int, names: Iterable[str] = (), *, colour: bool | None = None) -> None:
        """Begin to write to a descriptor; names are lined up."""
        self._out_fd = out_fd
        self._colour = os.isatty(out_fd) and not os.environ.get("NO_COLOR") if colour is None else colour
        self._colours = dict(zip(names, cycle(_COLOURS), strict=False))
        self._left_out = 0
        self._lines: queue.Queue[bytes | None] = queue.Queue(MAX_LINES)
        self._writer = Worker("output", self._write_lines)
        self._writer.start()

    def write(self, name: str, line: bytes) -> None:
        """Have a process's line written, unless too many wait."""
        self._writer.check()
        colour = self._colours.setdefault(name, _COLOURS[len(self._colours) % len(_COLOURS)])
        prefix = f"{name:{max(map(len, self._colours))}} |"
        if self._colour:
            prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
        try:
            self._lines.put_nowait(b"%s %s\n" % (prefix.encode(), line.removesuffix(b"\n")))
        except queue.Full:
            self._left_out += 1

    async def copy(self, name: str, stream: asyncio.StreamReader) -> None:
        """Have a process's lines written until it closes its output; the stream's limit is a line's."""
        while not stream.at_eof():
            try:
                line = await stream.readuntil()
            except asyncio.LimitOverrunError:
                line = await stream.read(MAX_LINE_BYTES)
            except asyncio.IncompleteReadError as end:
                line = end.partial
            if line:
                self.write(name, line)

    def close(self) -> None:
        """Return when all is written, or 2 s later if nobody reads."""
        try:
            self._lines.put(None, timeout=LAST_LINES_WITHIN_S)
        except queue.Full:
            return
        self._writer.close(within_s=LAST_LINES_WITHIN_S)

    def _write_lines(self) -> None:
        told = 0
        while (line := self._lines.get()) is not None:
            left_out = self._left_out - told
            missed = f"({counted(left_out, 'line')} left out: nobody read)\n" if left_out else ""
            data = missed.encode() + line
            told += left_out
            try:
                while data:
                    data = data[os.write(self._out_fd, data) :]
            except OSError:  # no reader, no terminal or no space: this line is left out, too
                told -= left_out + 1
