"""A PostgreSQL server of the tests' own: a cluster in a temporary folder, with a Unix socket."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

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


class Server:
    """A server and its data.

    Attributes:
        addresses: of its databases; ``{}`` stands for the name of one.
    """

    def __init__(self, *, fsync: bool) -> None:
        """Make a cluster; `start` starts the server."""
        self._folder = Path(tempfile.mkdtemp(prefix="turnstile-pg-", dir=SHORT))
        self._data, self._copy = self._folder / "data", self._folder / "copy"
        found, self._servant = programs(), _servant() if os.getuid() == 0 else None
        assert found is not None
        self._programs = found
        if self._servant is not None:
            shutil.chown(self._folder, self._servant)
        self._settings = f"-k {self._folder} -c listen_addresses= -c fsync={'on' if fsync else 'off'}"
        self.addresses = f"postgresql://turnstile@/{{}}?host={self._folder}"
        self._call("initdb", "-U", "turnstile", "-A", "trust", "-E", "UTF8", "--locale=C")

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        self._call("pg_ctl", "-l", str(self._folder / "log"), "-w", "-o", self._settings, "start")

    def kill(self) -> None:
        """Kill each of its processes, and remove what it would take for a server that runs."""
        while self._processes():
            self.send(signal.SIGKILL)
        for left in (self._data / "postmaster.pid", *self._folder.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to each of its processes."""
        for process in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

    def settle(self) -> None:
        """Wait until no logger's statement is under way."""
        active = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'turnstile' AND state = 'active'"
        )
        with psycopg.connect(self.addresses.format("postgres"), autocommit=True) as connection:
            while connection.execute(active).fetchone() != (0,):
                pass

    def swap(self, *, put_back: bool) -> None:
        """Copy the data of a server that does not run, and perhaps put the last copy in their place."""
        aside = self._folder / "aside"
        subprocess.run(["/bin/cp", "-a", self._data, aside], check=True)
        if put_back:
            shutil.rmtree(self._data)
            self._copy.rename(self._data)
        shutil.rmtree(self._copy, ignore_errors=True)
        aside.rename(self._copy)

    def remove(self) -> None:
        """Kill it and remove its data."""
        self.kill()
        shutil.rmtree(self._folder)

    def _processes(self) -> list[int]:
        """Return its processes: each works in the folder of the data."""
        found = []
        for link in Path("/proc").glob("[0-9]*/cwd"):
            with contextlib.suppress(OSError):
                if link.readlink() == self._data:
                    found.append(int(link.parent.name))
        return sorted(found)

    def _call(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), "-D", str(self._data), *arguments],
            user=self._servant,
            cwd="/",
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=60,
        )
        assert done.returncode == 0, f"{program} failed: {done.stderr.decode()}"


@contextmanager
def a_server(*, fsync: bool) -> Iterator[str]:
    """Run a server and give the address of its databases: ``{}`` stands for the name of one."""
    server = Server(fsync=fsync)
    try:
        server.start()
        yield server.addresses
    finally:
        server.remove()


def _servant() -> str | None:
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    return None
