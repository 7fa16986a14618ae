"""Make `.venv` in two stages: what running needs, then what development needs besides.

`make setup` runs the first, `make development` both. Everything is pinned, hashed, and built without a
compiler or root. Each stage leaves a stamp inside `.venv` that names the files it was made from, so a second
run installs nothing. A stamp is written last: set-up that was interrupted starts over instead of trusting
what half an installation left behind.

pip installs, because it comes with Python and reads the machine's own index settings. uv saves a quarter of
the processor time, but it would have to be installed first, and it ignores those settings.
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
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One part of the environment, and the stamp that says what it was made from."""

    stamp_name: str
    inputs: tuple[str, ...]

    def key(self, root: Path) -> str:
        """Return what this stage depends on: this Python and the contents of the files it is made from."""
        digest = hashlib.sha256(f"{sys.version}\n{sys.base_prefix}\n{root}\n".encode())
        for name in self.inputs:
            digest.update(hashlib.sha256((root / name).read_bytes()).digest())
        return digest.hexdigest()

    def stamp(self, root: Path) -> Path:
        """Return where the stamp stands."""
        return root / ".venv" / self.stamp_name

    def is_complete(self, root: Path) -> bool:
        """Tell whether this stage was completed from these very inputs."""
        try:
            return self.stamp(root).read_text("ascii") == self.key(root)
        except (OSError, UnicodeDecodeError):
            return False

    def complete(self, root: Path) -> None:
        """Write the stamp, whole or not at all."""
        new = self.stamp(root).with_suffix(".new")
        new.write_text(self.key(root), "ascii")
        new.replace(self.stamp(root))


RUNTIME = Stage(stamp_name="turnstile-setup", inputs=("requirements/build.txt", "requirements/runtime.txt"))
DEVELOPMENT = Stage(stamp_name="turnstile-setup-development", inputs=("requirements/dev.txt",))


class SetupError(Exception):
    """Set-up cannot go on; the text says what to do."""


def is_current(root: Path) -> bool:
    """Tell whether nothing in `.venv` has to be made anew.

    Development may be missing, but not half installed or made from other inputs: only a new environment rids
    `.venv` of what those left.
    """
    if not RUNTIME.is_complete(root):
        return False
    return DEVELOPMENT.is_complete(root) or not DEVELOPMENT.stamp(root).exists()


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
    """Make `.venv` anew and install what running needs and this package into it."""
    folder = root / ".venv"
    RUNTIME.stamp(root).unlink(missing_ok=True)
    print(f"making {folder}", flush=True)
    venv.EnvBuilder(with_pip=True, clear=True, symlinks=True).create(folder)
    _pip(root, "--only-binary", ":all:", "--require-hashes", "-r", "requirements/build.txt")
    _pip(root, "--require-hashes", "--use-pep517", "-r", "requirements/runtime.txt")
    _pip(root, "--editable", ".")
    RUNTIME.complete(root)


def develop(root: Path) -> None:
    """Install what development needs besides into `.venv`; an empty stamp stands there meanwhile."""
    DEVELOPMENT.stamp(root).write_bytes(b"")
    _pip(root, "--require-hashes", "--use-pep517", "-r", "requirements/dev.txt")
    DEVELOPMENT.complete(root)


def _pip(root: Path, *arguments: str) -> None:
    """Run `pip install` so that it takes only what `arguments` name."""
    command = [
        str(root / ".venv/bin/python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    command += ["--no-deps", "--no-build-isolation", *arguments]
    print("pip install", *arguments, flush=True)
    # pip inherits the lock: it may outlive this process, and nobody else may touch `.venv` until it ends.
    if subprocess.run(command, cwd=root, check=False, close_fds=False).returncode != 0:
        raise SetupError("pip could not install, for the reason above; mend it and run `make` again")


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """Hold the repository folder's lock, so that two `make` at once do not build one `.venv`."""
    descriptor = os.open(root, os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def main() -> int:
    """Bring `.venv` in line with what is pinned. Return 0, or 1 with the reason printed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--development", action="store_true", help="install what development needs, too")
    options = parser.parse_args()
    root: Path = options.root.resolve()
    with alone(root):
        # A link leads to another checkout's. Making one anew through it would empty the other's first.
        if (root / ".venv").is_symlink():
            return 0
        try:
            if not is_current(root):
                check_interpreter([module.name for module in pkgutil.iter_modules()])
                make(root)
            if options.development and not DEVELOPMENT.is_complete(root):
                develop(root)
        except (SetupError, OSError, subprocess.CalledProcessError) as error:
            print(f"set-up failed: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
