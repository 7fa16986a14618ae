"""Taking rights away from a test, which may run as root, whom no rights bind."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65_534


@contextmanager
def shut_out_of(folder: Path) -> Iterator[None]:
    """Be somebody who may not enter a folder, in all threads, until the block ends."""
    before, mode = os.geteuid(), folder.stat().st_mode
    folder.chmod(0)
    try:
        if before == 0:
            os.seteuid(NOBODY)
        yield
    finally:
        os.seteuid(before)
        folder.chmod(mode)
