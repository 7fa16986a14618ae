"""Which nodes of a site are to run on this machine."""

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from turnstile.errors import ConfigError
from turnstile.io.bus.keys import KeyFolder
from turnstile.io.runner.member import default_recognizer
from turnstile.io.site.machine import cores, this_host
from turnstile.site.plan import Process, chosen, processes_on, webhooks_beside, with_workers
from turnstile.site.settings import Site

EVERYTHING = "all"
"""Stands for the host's name where a site names none."""


class Plan(NamedTuple):
    """What is to run here."""

    site: Site
    host: str
    processes: list[Process]
    worker_key: str
    """The entry of the site file, or the key, that further recognizers belong to."""
    left_out: list[str]
    """Nodes of the site that cannot run here, because their keys are elsewhere."""


def plan_for(
    site: Site,
    *,
    host: str | None = None,
    only: Sequence[str] = (),
    count: int | None = None,
    webhooks: bool = False,
) -> Plan:
    """Return what of a site is to run on this machine.

    Args:
        site: what runs where.
        host: which of its hosts this machine is; `None`: found by name or address.
        only: sections, such as ``recognizers``, or names of nodes; empty: everything.
        count: so many recognizers, whatever the site file says.
        webhooks: the site's webhooks, too, if this is the broker's machine.

    Raises:
        ConfigError: this machine is none of the site's hosts, or nothing of what was asked for runs here.
    """
    if host is not None and not site.hosts:
        raise ConfigError(f"--host {host}: the site names no hosts")
    mine = host or (this_host(site.hosts) if site.hosts else EVERYTHING)
    only_workers = set(only) == {"recognizers"}
    if mine is None and (not only_workers or count is None):
        raise ConfigError(
            f"hosts: this machine, {platform.node()}, is none of them by name or address; there are: "
            f"{', '.join(site.hosts)}. Say --host NAME, or --only recognizers --count N to add recognizers"
        )
    found = processes_on(site, mine, cores=cores()) if mine is not None else []
    if webhooks:
        found += webhooks_beside(site, found)
    here = found if site.hosts else [one for one in found if _has_key(site, one)]
    worker_key = next((one.key for one in here if one.kind == "recognizer"), None) or _worker_key(site)
    processes = chosen(here, only)
    if count is not None:
        processes = with_workers(processes, count, key=worker_key)
    if not processes:
        raise ConfigError(f"nothing that was asked for runs here, on {mine or platform.node()}")
    left_out = [one.name for one in found if one not in here]
    return Plan(site, mine or "workers", processes, worker_key, left_out)


def check_keys(site: Site, processes: Sequence[Process]) -> None:
    """Raise a `ConfigError` unless all keys that these processes need are here."""
    if site.keys is None:
        return
    keys = KeyFolder(Path(site.keys.folder))
    for one in processes:
        if one.identity is None:
            keys.broker_pair()
        else:
            keys.node_key(one.identity)


def _worker_key(site: Site) -> str:
    """Return what recognizers that the site file does not name are called: after their key or the machine."""
    if site.keys is not None:
        names = KeyFolder(Path(site.keys.folder)).own_names("recognizer")
        if len(names) == 1:
            return names[0]
    return default_recognizer(platform.node())


def _has_key(site: Site, process: Process) -> bool:
    """Tell whether a process can run here: on a bundle's machine, only those whose keys came with it."""
    try:
        check_keys(site, [process])
    except ConfigError:
        return False
    return True
