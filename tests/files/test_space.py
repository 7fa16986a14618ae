"""A disk that fills up is announced before it is full."""

import os
import subprocess
from pathlib import Path

import pytest

from turnstile.files.space import Space


def test_a_disk_with_room_is_no_trouble(tmp_path: Path) -> None:
    """What is free is known; a folder that is missing is not looked at."""
    space = Space(tmp_path / "log.txt", tmp_path / "missing" / "log.db")
    space.look()
    assert space.free_bytes is not None
    assert space.gauges("log")["log_free_bytes"] == space.free_bytes


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system can be mounted by root only")
def test_a_disk_is_low_when_a_twentieth_is_left(tmp_path: Path) -> None:
    """Its file, what is free and what is wanted are named; with room again it is well."""
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", str(tmp_path)], check=True)
    try:
        ballast, space = tmp_path / "ballast", Space(tmp_path / "journal.db")
        ballast.write_bytes(bytes(97 * 2**20))
        space.look()
        words = f"the disk of {tmp_path / 'journal.db'} is nearly full: 3 MB are free, 5 MB are wanted"
        assert (space.trouble, space.gauges("journal")["disk_low"]) == (words, 1.0)
        ballast.unlink()
        space.look()
        assert (space.trouble, space.gauges("journal")["disk_low"]) == ("", 0.0)
    finally:
        subprocess.run(["/bin/umount", "-l", str(tmp_path)], check=True)
