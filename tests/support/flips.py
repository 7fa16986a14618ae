"""One flipped bit in a store: noticed by `verify` in words, or harmless.

python -m tests.support.flips [--all]
"""

import logging
import sys
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Literal

from tests.support.builders import write_site
from tests.support.logs import EVENTS, LOGGER, write_log
from turnstile.commands.log.opened import open_log
from turnstile.errors import TurnstileError
from turnstile.io.log.verification import inspect
from turnstile.io.site.file import load

Outcome = Literal["noticed", "harmless", "UNNOTICED"]


def flipped(data: bytes, bit: int) -> bytes:
    """Return data with one bit flipped."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


class FlippedStore:
    """The store of a log with four entries."""

    def __init__(self, folder: Path) -> None:
        self._config = write_site(folder, LOGGER, cameras=("front_door", "back_door"))
        write_log(self._config, *EVENTS).close()
        (folder / "access_log.txt").unlink()
        self._site = load(self._config)
        self._file = folder / "access_log.db"
        self.data = self._file.read_bytes()
        self._contents = self._read()

    def try_bit(self, bit: int) -> Outcome:
        """Flip a bit and verify; if that finds nothing, compare what the log says with what it said."""
        self._file.write_bytes(flipped(self.data, bit))
        self._file.with_name(f"{self._file.name}-journal").unlink(missing_ok=True)
        try:
            opened = open_log(self._site, "logger")
            with closing(opened.store):
                if not inspect(opened.store, opened.settings).whole:
                    return "noticed"
            return "harmless" if self._read() == self._contents else "UNNOTICED"
        except TurnstileError:
            return "noticed"

    def _read(self) -> object:
        store = open_log(self._site, "logger").store
        with closing(store):
            return list(store.chain(pictures=True)), store.head, store.floor, store.progress.last_seqs


def main(*, every: int) -> None:
    """Flip each bit, or every so manieth, and print how many had which outcome."""
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        store = FlippedStore(Path(folder))
        counts = Counter(store.try_bit(bit) for bit in range(0, len(store.data) * 8, every))
    sys.stdout.write(f"{dict(counts)}\n")


if __name__ == "__main__":
    main(every=1 if "--all" in sys.argv else 997)
