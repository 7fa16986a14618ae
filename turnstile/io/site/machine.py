"""Which of a site's hosts this machine is, and what it has."""

import os
import platform
import socket
from collections.abc import Mapping

from turnstile.errors import ConfigError
from turnstile.site.settings import HostSettings


def cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def this_host(hosts: Mapping[str, HostSettings]) -> str | None:
    """Return the host that this machine is, by its name, else by an address of its own; or none.

    Raises:
        ConfigError: several hosts have an address of this machine.
    """
    name = platform.node().lower()
    for host in hosts:
        if host.lower() in (name, name.partition(".")[0]):
            return host
    ours = [host for host, one in hosts.items() if is_own_address(one.address)]
    if len(ours) > 1:
        raise ConfigError(f"hosts: this machine has the addresses of {' and '.join(ours)}; say --host NAME")
    return ours[0] if ours else None


def is_own_address(address: str) -> bool:
    """Tell whether an address, or one that a name leads to, is this machine's: only those can be bound."""
    try:
        found = socket.getaddrinfo(address, 0, type=socket.SOCK_DGRAM)
    except OSError:
        return False
    return any(_can_bind(family, where) for family, _, _, _, where in found)


def _can_bind(family: int, where: object) -> bool:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            trial.bind(where)  # type: ignore[arg-type]  # as getaddrinfo gave it
    except OSError:
        return False
    return True
