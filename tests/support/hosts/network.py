"""Several machines on one: network namespaces on a bridge, whose cables can be cut or lose packets.

Needs root, iproute2 and nftables, and works in Linux only. All traffic stays in the namespaces made here,
whose addresses are the documentation's (192.0.2.0/24, RFC 5737); they are removed at the end, and what still
runs in them is killed. Delay is not made here, since netem is not in every kernel; see `benchmarks.proxy`.
"""

import ctypes
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, Self

Direction = Literal["in", "out"]
BOTH: tuple[Direction, ...] = ("in", "out")

_CLONE_NEWNET = 0x40000000
_made = itertools.count()


def why_not() -> str:
    """Return why no network can be made here; empty when one can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "network namespaces need root"
    for command, package in (("ip", "iproute2"), ("nft", "nftables")):
        if shutil.which(command) is None:
            return f"{package} is not installed"
    trial = f"turnstile-{os.getpid()}-trial"
    try:
        _run("ip", "netns", "add", trial)
        try:
            _nft(trial, "table bridge trial {\nchain c {\ntype filter hook forward priority 0\n}\n}")
        finally:
            _run("ip", "netns", "del", trial)
    except subprocess.CalledProcessError as error:
        return f"no network namespace can be made here: {error.stderr.strip()}"
    return ""


class Network:
    """Hosts by name, each with an address of its own, all on one bridge."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._prefix = f"turnstile-{os.getpid()}-{next(_made)}"
        self._addresses = {host: f"192.0.2.{10 + number}" for number, host in enumerate(hosts)}

    def __enter__(self) -> Self:
        """Make it, after removing what a killed process may have left of an earlier one."""
        _sweep()
        try:
            bridge = self.namespace("bridge")
            _run("ip", "netns", "add", bridge)
            _run("ip", "-n", bridge, "link", "add", "bridge", "type", "bridge")
            _run("ip", "-n", bridge, "link", "set", "bridge", "up")
            for host in self._addresses:
                self._plug_in(host)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def namespace(self, host: str) -> str:
        """Return what a host is called among namespaces."""
        return f"{self._prefix}-{host}"

    def address(self, host: str) -> str:
        """Return a host's address."""
        return self._addresses[host]

    def on(self, host: str, *command: str) -> list[str]:
        """Return the command that runs another one on a host."""
        return ["ip", "netns", "exec", self.namespace(host), *command]

    def cut(self, host: str, directions: Sequence[Direction] = BOTH) -> None:
        """Let no packet into a host, out of it, or either, from now on; nobody is told."""
        self._fault(host, directions, "drop")

    def lose(self, host: str, percent: int) -> None:
        """Lose so many of the packets into and out of a host, at random."""
        self._fault(host, BOTH, f"numgen random mod 100 < {percent} drop")

    def mend(self, host: str) -> None:
        """Let everything through again."""
        table = self._table(host)
        _nft(self.namespace("bridge"), f"{table}\ndelete {table}")

    @contextmanager
    def inside(self, host: str) -> Iterator[None]:
        """Be on a host: sockets made meanwhile are there, and all of a ZeroMQ context made meanwhile."""
        libc = ctypes.CDLL(None, use_errno=True)

        def enter(path: Path) -> None:
            with path.open() as namespace:
                if libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")

        with Path("/proc/thread-self/ns/net").open() as home:
            enter(Path("/run/netns") / self.namespace(host))
            try:
                yield
            finally:
                if libc.setns(home.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")

    def _plug_in(self, host: str) -> None:
        bridge, namespace, address = self.namespace("bridge"), self.namespace(host), self.address(host)
        _run("ip", "netns", "add", namespace)
        plug, socket = "eth0", self._port(host)
        _run(
            "ip",
            "-n",
            namespace,
            "link",
            "add",
            plug,
            "type",
            "veth",
            "peer",
            "name",
            socket,
            "netns",
            bridge,
        )
        _run("ip", "-n", bridge, "link", "set", socket, "master", "bridge", "up")
        _run("ip", "-n", namespace, "addr", "add", f"{address}/24", "dev", plug)
        for device in (plug, "lo"):
            _run("ip", "-n", namespace, "link", "set", device, "up")

    def _fault(self, host: str, directions: Sequence[Direction], verdict: str) -> None:
        """Drop packets in the bridge, where neither end can tell: a host would notice its own firewall."""
        end, table = {"in": "oifname", "out": "iifname"}, self._table(host)
        rules = "".join(f"{end[direction]} {self._port(host)} {verdict}\n" for direction in directions)
        chain = f"chain forward {{\ntype filter hook forward priority 0\n{rules}}}\n"
        _nft(self.namespace("bridge"), f"{table}\ndelete {table}\n{table} {{\n{chain}}}")

    def _table(self, host: str) -> str:
        return f"table bridge {self._port(host)}"

    def _port(self, host: str) -> str:
        return f"port{list(self._addresses).index(host)}"

    def _remove(self) -> None:
        for host in (*self._addresses, "bridge"):
            _remove(self.namespace(host))


def _sweep() -> None:
    """Remove namespaces whose maker is gone."""
    for line in _run("ip", "netns", "list").splitlines():
        found = re.match(r"turnstile-(\d+)-", line)
        if found and not Path("/proc", found[1]).exists():
            _remove(line.split()[0])


def _remove(namespace: str) -> None:
    """Kill what runs in a namespace, and remove it."""
    with suppress(subprocess.CalledProcessError):
        for pid in _run("ip", "netns", "pids", namespace).split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        _run("ip", "netns", "del", namespace)


def _nft(namespace: str, rules: str) -> None:
    _run("ip", "netns", "exec", namespace, "nft", "-f", "-", text=rules)


def _run(*command: str, text: str = "") -> str:
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, timeout=30).stdout
