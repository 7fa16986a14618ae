"""How much room is left on a disk, said before it is full."""

import shutil
from pathlib import Path

LOW_BYTES, LOW_SHARE = 500 * 2**20, 0.05
"""A disk is low when less than 500 MB are free, or less than a twentieth of a small one."""


class Space:
    """The room beside some files.

    Attributes:
        free_bytes: what the fullest of their disks has left; `None` when it is not known.
        trouble: which one is low, in words; empty when none is.
    """

    def __init__(self, *files: Path) -> None:
        self.free_bytes: int | None = None
        self.trouble = ""
        self._files = files

    def look(self) -> None:
        """Ask how much is free now."""
        self.free_bytes, self.trouble = None, ""
        for file in self._files:
            try:
                disk = shutil.disk_usage(file.parent)
            except OSError:
                continue
            if self.free_bytes is None or disk.free < self.free_bytes:
                self.free_bytes = disk.free
            wanted = min(LOW_BYTES, round(disk.total * LOW_SHARE))
            if disk.free < wanted and not self.trouble:
                self.trouble = (
                    f"the disk of {file} is nearly full: {disk.free / 2**20:.0f} MB are free, "
                    f"{wanted / 2**20:.0f} MB are wanted"
                )

    def gauges(self, name: str) -> dict[str, float]:
        """Return what a beat tells."""
        free = {} if self.free_bytes is None else {f"{name}_free_bytes": float(self.free_bytes)}
        return {**free, "disk_low": float(bool(self.trouble))}
