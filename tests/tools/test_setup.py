"""Set-up installs once, starts over when it was interrupted, and says what to do when it cannot."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import setup

ROOT = Path(__file__).resolve().parents[2]


def a_clone(folder: Path) -> Path:
    """Return a folder with what set-up reads."""
    for name in (*setup.INPUTS, "tools/setup.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def complete(root: Path) -> None:
    """Leave what a finished set-up leaves."""
    (root / ".venv").mkdir()
    (root / ".venv" / setup.STAMP_NAME).write_text(setup.key(root), "ascii")


def set_up(root: Path) -> "subprocess.CompletedProcess[str]":
    """Run set-up in a process of its own, as make does."""
    command = [sys.executable, str(root / "tools" / "setup.py")]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_a_new_clone_is_not_set_up(tmp_path: Path) -> None:
    """Without `.venv` there is work to do."""
    assert not setup.is_current(a_clone(tmp_path))


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    """With the stamp of this very lock nothing is made, downloaded or said."""
    complete(a_clone(tmp_path))
    finished = set_up(tmp_path)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    assert [path.name for path in (tmp_path / ".venv").iterdir()] == [setup.STAMP_NAME]


@pytest.mark.parametrize("name", setup.INPUTS)
def test_another_lock_is_another_environment(tmp_path: Path, name: str) -> None:
    """Each file that pins something decides."""
    complete(a_clone(tmp_path))
    with (tmp_path / name).open("a") as file:
        file.write("# a newer version\n")
    assert not setup.is_current(tmp_path)


@pytest.mark.parametrize("stamp", [b"", b"0" * 64, b"\xff\xfe"])
def test_a_stamp_of_something_else_counts_as_none(tmp_path: Path, stamp: bytes) -> None:
    """A cut, foreign or binary stamp proves nothing."""
    complete(a_clone(tmp_path))
    (tmp_path / ".venv" / setup.STAMP_NAME).write_bytes(stamp)
    assert not setup.is_current(tmp_path)


def test_another_checkouts_environment_is_left_alone(tmp_path: Path) -> None:
    """A linked `.venv` is not made anew, which would empty it."""
    clone, other = a_clone(tmp_path / "clone"), tmp_path / "other"
    other.mkdir()
    (clone / ".venv").symlink_to(other)
    assert setup.is_current(clone)


def test_set_up_that_failed_leaves_no_stamp(tmp_path: Path) -> None:
    """What pip could not finish is started over the next time, and the person is told."""
    complete(a_clone(tmp_path))
    (tmp_path / "requirements" / "build.txt").write_text("not a requirement!\n")
    finished = set_up(tmp_path)
    assert finished.returncode == 1
    assert "run `make setup` again" in finished.stderr
    assert not (tmp_path / ".venv" / setup.STAMP_NAME).exists()


def test_a_python_without_ensurepip_is_told_what_to_install() -> None:
    """Debian and Ubuntu ship it apart."""
    setup.check_interpreter({"venv", "ensurepip"})
    with pytest.raises(setup.SetupError, match=r"apt-get install python3\.\d+-venv"):
        setup.check_interpreter({"venv"})


def test_the_lock_names_no_index_and_pins_everything_by_hash() -> None:
    """The lock works with whatever package index a machine uses, and takes nothing unpinned from it."""
    for name in setup.INPUTS:
        lines = (ROOT / name).read_text().splitlines()
        assert not [line for line in lines if "://" in line or line.startswith("-")]
        starts = [number for number, line in enumerate(lines) if line[:1].isalnum()]
        assert starts
        assert all("==" in lines[number] and "--hash=sha256:" in lines[number + 1] for number in starts)


def test_the_lock_compiles_nothing() -> None:
    """dlib, which would need a compiler, is there compiled or not at all."""
    names = [line.split("==")[0] for line in (ROOT / "requirements/lock.txt").read_text().splitlines()]
    assert "dlib-bin" in names
    assert "dlib" not in names
