"""A PostgreSQL server of the tests' own: a cluster in a temporary folder, with a Unix socket."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PLACES = "/usr/lib/postgresql/*/bin"
"""Where Debian keeps the server's programs, which it does not put into PATH."""


def programs() -> Path | None:
    """Return the folder of ``initdb`` and ``pg_ctl``; none when no server is installed."""
    found = sorted(Path("/").glob(f"{PLACES[1:]}/initdb"))
    in_path = shutil.which("initdb")
    return found[-1].parent if found else None if in_path is None else Path(in_path).resolve().parent


def why_not() -> str:
    """Return why no server can be started here; empty when one can."""
    if programs() is None:
        return f"no PostgreSQL server is installed (looked for initdb in PATH and {PLACES})"
    if os.getuid() == 0 and _servant() is None:
        return "PostgreSQL does not run as root, and there is no user postgres or nobody"
    return ""


SHORT = "/tmp"  # noqa: S108 - mkdtemp makes a private folder in it
"""A socket's path holds 107 characters, and the server's user must reach it, which TMPDIR may not allow."""


@contextmanager
def a_server(*, fsync: bool) -> Iterator[str]:
    """Run a server and give the address of its databases: ``{}`` stands for the name of one."""
    folder = Path(tempfile.mkdtemp(prefix="turnstile-pg-", dir=SHORT))
    found, servant = programs(), _servant() if os.getuid() == 0 else None
    assert found is not None
    if servant is not None:
        shutil.chown(folder, servant)
    data = folder / "data"
    settings = f"-k {folder} -c listen_addresses= -c fsync={'on' if fsync else 'off'}"
    try:
        _call(
            found / "initdb",
            "-D",
            data,
            "-U",
            "turnstile",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            user=servant,
        )
        _call(found / "pg_ctl", "-D", data, "-l", folder / "log", "-w", "-o", settings, "start", user=servant)
        try:
            yield f"postgresql://turnstile@/{{}}?host={folder}"
        finally:
            _call(found / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop", user=servant)
    finally:
        shutil.rmtree(folder)


def _servant() -> str | None:
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    return None


def _call(*command: str | Path, user: str | None) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        user=user,
        cwd="/",
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    assert done.returncode == 0, f"{command[0]} failed: {done.stderr.decode()}"
