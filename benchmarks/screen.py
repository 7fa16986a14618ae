"""A screen that exists only in memory, for windows nobody looks at."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

OPTIONS = ("-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset", "-r")
"""Keys do not repeat: one that was pressed and never let go would end every later window."""


@contextmanager
def a_screen() -> Iterator[str]:
    """Give the DISPLAY of a screen of 1280x800; empty if Xvfb is not installed."""
    if shutil.which("Xvfb") is None:
        yield ""
        return
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), *OPTIONS]
    with subprocess.Popen(command, pass_fds=(writer,), stderr=subprocess.DEVNULL) as server:
        os.close(writer)
        try:
            with os.fdopen(reader) as numbers:
                yield f":{numbers.readline().strip()}"
        finally:
            server.terminate()
