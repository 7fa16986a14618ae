"""Make `.venv` from the lock: everything pinned, hashed, and built without a compiler or root.

Run by `make setup`, which checks that this Python is 3.11 or newer. A stamp inside `.venv` names the lock it
was made from, so a second run installs nothing. The stamp is written last and taken away first: set-up that
was interrupted starts over instead of trusting what half an installation left behind.
"""

import argparse
import contextlib
import fcntl
import hashlib
import os
import pkgutil
import subprocess
import sys
import venv
from collections.abc import Collection, Iterator
from pathlib import Path

STAMP_NAME = "turnstile-setup"
INPUTS = ("requirements/build.txt", "requirements/lock.txt")


class SetupError(Exception):
    """Set-up cannot go on; the text says what to do."""


def key(root: Path) -> str:
    """Return what the environment depends on: this Python and the contents of the files it is made from."""
    digest = hashlib.sha256(f"{sys.version}\n{sys.base_prefix}\n{root}\n".encode())
    for name in INPUTS:
        digest.update(hashlib.sha256((root / name).read_bytes()).digest())
    return digest.hexdigest()


def is_current(root: Path) -> bool:
    """Tell whether `.venv` was completed from these very inputs, or is a link to another checkout's.

    Making one anew through a link would empty the other's first.
    """
    if (root / ".venv").is_symlink():
        return True
    try:
        return (root / ".venv" / STAMP_NAME).read_text("ascii") == key(root)
    except (OSError, UnicodeDecodeError):
        return False


def check_interpreter(modules: Collection[str]) -> None:
    """Raise SetupError when this Python cannot make virtual environments: Debian splits `ensurepip` off."""
    if "ensurepip" not in modules:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise SetupError(
            f"{sys.executable} has no ensurepip, which virtual environments need.\n"
            f"On Debian or Ubuntu: sudo apt-get install python{version}-venv\n"
            "Or name another Python: make setup PYTHON=/path/to/python3"
        )


def make(root: Path) -> None:
    """Make `.venv` anew and install the lock and this package into it."""
    folder = root / ".venv"
    (folder / STAMP_NAME).unlink(missing_ok=True)
    print(f"making {folder}", flush=True)
    venv.EnvBuilder(with_pip=True, clear=True, symlinks=True).create(folder)
    python = folder / "bin" / "python"
    _pip(python, root, "--only-binary", ":all:", "--require-hashes", "-r", "requirements/build.txt")
    _pip(python, root, "--require-hashes", "--use-pep517", "-r", "requirements/lock.txt")
    _pip(python, root, "--editable", ".")
    stamp = folder / (STAMP_NAME + ".new")
    stamp.write_text(key(root), "ascii")
    stamp.replace(folder / STAMP_NAME)


def _pip(python: Path, root: Path, *arguments: str) -> None:
    """Run `pip install` so that it takes only what `arguments` name."""
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-build-isolation", *arguments]
    print("pip install", *arguments, flush=True)
    if subprocess.run(command, cwd=root, check=False).returncode != 0:
        raise SetupError("pip could not install, for the reason above; mend it and run `make setup` again")


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """Hold the repository folder's lock, so that two `make` at once do not build one `.venv`."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def main() -> int:
    """Bring `.venv` in line with the lock. Return 0, or 1 with the reason printed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    root: Path = parser.parse_args().root.resolve()
    with alone(root):
        if is_current(root):
            return 0
        try:
            check_interpreter([module.name for module in pkgutil.iter_modules()])
            make(root)
        except (SetupError, OSError, subprocess.CalledProcessError) as error:
            print(f"set-up failed: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
