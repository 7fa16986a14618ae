"""Files that are whole or not there."""

import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from turnstile.files.whole import sync_folder, write_whole


@pytest.fixture(params=[0o000, 0o077], ids=["open umask", "closed umask"])
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_umask")
@pytest.mark.parametrize("durable", [False, True])
def test_a_file_has_the_contents_and_mode_asked_for(tmp_path: Path, *, durable: bool) -> None:
    """Its owner's only if nothing else is asked for, whatever the umask and the old file's mode are."""
    file = tmp_path / "file"
    write_whole(file, b"older", durable=durable)
    for data, mode in ((b"old", 0o644), (b"new", 0o600)):
        write_whole(file, data, durable=durable, mode=mode)
        assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (data, mode)
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """Whoever may put a link there may not have another file overwritten."""
    other, link = tmp_path / "other", tmp_path / "link"
    other.write_bytes(b"kept")
    link.symlink_to(other)
    write_whole(link, b"new")
    assert (other.read_bytes(), link.read_bytes(), link.is_symlink()) == (b"kept", b"new", False)


@pytest.mark.parametrize("name", ["n" * 255, "\u738b" * 85])
def test_the_longest_name_that_a_folder_takes_can_be_written(tmp_path: Path, name: str) -> None:
    """The partial file's name is no longer, whatever bytes letters take."""
    write_whole(tmp_path / name, b"all")
    assert (tmp_path / name).read_bytes() == b"all"


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    """A folder stands where the file should be."""
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_whole(tmp_path / "file", b"new")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_disk_that_fills_up_leaves_the_old_file(tmp_path: Path) -> None:
    """Nothing of the new one stays, not even a partial file that would keep the disk full."""
    file = tmp_path / "file"
    file.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            write_whole(file, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert (file.read_bytes(), list(tmp_path.iterdir())) == (b"old", [file])


def test_a_writer_that_is_killed_leaves_a_whole_file(tmp_path: Path) -> None:
    """Whatever it was at."""
    file = tmp_path / "file"
    code = (
        "import sys, pathlib\nfrom turnstile.files.whole import write_whole\n"
        "file, size = pathlib.Path(sys.argv[1]), 300_000\n"
        "for number in range(1_000_000):\n    write_whole(file, bytes([number % 256]) * size)\n"
        "    if not number: print('begun', flush=True)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(file)], stdout=subprocess.PIPE)
    with writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"begun\n"
        found = [file.read_bytes() for _ in range(50)]
        writer.kill()
    assert {(len(data), len(set(data))) for data in [*found, file.read_bytes()]} == {(300_000, 1)}


def test_a_folder_that_is_not_there_cannot_be_made_durable(tmp_path: Path) -> None:
    """It says so."""
    with pytest.raises(FileNotFoundError):
        sync_folder(tmp_path / "absent")
