"""Start the nodes that belong on this machine and keep them running, until Ctrl-C."""

import argparse
import asyncio
import logging
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from turnstile.commands.options import add_config, add_host, number
from turnstile.errors import ConfigError
from turnstile.io.bus.keys import KeyFolder
from turnstile.io.runner.member import default_recognizer
from turnstile.io.runner.node import EXIT_CRASHED, EXIT_STOPPED
from turnstile.io.site.file import load
from turnstile.io.site.machine import cores, this_host
from turnstile.io.supervise.control import EVERYTHING, claim, tell
from turnstile.io.supervise.output import Output
from turnstile.io.supervise.supervisor import Supervisor
from turnstile.site.fields import MAX_COUNT
from turnstile.site.plan import SECTIONS, Process, processes_on, webhooks_beside, worker_names
from turnstile.site.settings import Site

log = logging.getLogger("turnstile.up")


class Plan(NamedTuple):
    """What is to run here."""

    host: str
    processes: list[Process]
    worker_key: str
    """Of which entry of the site file, or at least of which key, further recognizers are."""
    left_out: list[str]
    """Nodes of the site that cannot run here, because their keys are elsewhere."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_config(parser, positional=True)
    add_host(parser)
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="WHAT",
        help="broker, loggers, webhooks, recognizers, cameras, displays or a node; may be repeated",
    )
    parser.add_argument(
        "--count",
        type=number(0, MAX_COUNT),
        metavar="N",
        help="so many recognizers, whatever the site file says",
    )
    parser.add_argument(
        "--attempts",
        type=number(1, 1000),
        default=10,
        metavar="N",
        help="give a node up when it failed so often in a row (10)",
    )
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))


def run(options: argparse.Namespace) -> int:
    """Start nodes and keep them until a signal; return 0, or 1 if one was given up."""
    site = load(options.config)
    plan = plan_for(site, host=options.host, only=options.only, count=options.count, webhooks=True)
    check_keys(site, plan.processes)
    with claim(options.config, plan.host) as socket:
        return _keep(plan, socket, options)


def scale(options: argparse.Namespace) -> int:
    """Change the number of recognizers of a running site."""

    def carry_out() -> str:
        answer = tell(options.config, options.host, "scale", count=options.count)
        changes = [f"{verb} {', '.join(answer[verb])}" for verb in ("started", "stopped") if answer[verb]]
        return "; ".join(changes) or f"{options.count} run already"

    return _say(carry_out)


def stop(options: argparse.Namespace) -> int:
    """Stop a node of a running site."""

    def carry_out() -> str:
        tell(options.config, options.host, "stop", name=options.node)
        return f"stopped {options.node}"

    return _say(carry_out)


def start(options: argparse.Namespace) -> int:
    """Start a node of a running site that was stopped, has ended or was given up."""

    def carry_out() -> str:
        tell(options.config, options.host, "start", name=options.node)
        return f"started {options.node}"

    return _say(carry_out)


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
        host: which of its hosts this machine is; none: found by name or address.
        only: sections, such as ``recognizers``, or names of nodes; none: everything.
        count: so many recognizers, whatever the site file says.
        webhooks: the site's webhooks, too, if this is the broker's machine.

    Raises:
        ConfigError: this machine is none of the site's hosts, or nothing of what was asked for runs here.
    """
    if host is not None and not site.hosts:
        raise ConfigError(f"--host {host}: the site names no hosts")
    mine = host or (this_host(site.hosts) if site.hosts else EVERYTHING)
    workers_only = only and set(only) <= {"recognizers"}
    if mine is None and not (workers_only and count is not None):
        raise ConfigError(
            f"hosts: this machine, {platform.node()}, is none of them by name or address; there are: "
            f"{', '.join(site.hosts)}. Say --host NAME, or --only recognizers --count N to add recognizers"
        )
    found = processes_on(site, mine, cores=cores()) if mine is not None else []
    if webhooks:
        found += webhooks_beside(site, found)
    here = found if site.hosts else [one for one in found if _has_key(site, one)]
    left_out = [one.name for one in found if one not in here]
    chosen = _chosen(here, only)
    if count is not None:
        chosen = _with_workers(site, chosen, count)
    if not chosen:
        raise ConfigError(f"nothing that was asked for runs here, on {mine or platform.node()}")
    workers = [one.key for one in here if one.kind == "recognizer"]
    return Plan(mine or "workers", chosen, (workers or [_worker_key(site)])[0], left_out)


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


def _chosen(processes: Sequence[Process], only: Sequence[str]) -> list[Process]:
    """Return the processes of these sections, entries or names."""
    known = {"broker", *SECTIONS.values()}
    for word in only:
        if word not in known and not any(word in (one.name, one.key) for one in processes):
            names = ", ".join(dict.fromkeys(one.key for one in processes)) or "none"
            raise ConfigError(f"--only {word}: valid are {', '.join(SECTIONS.values())} and nodes: {names}")
    return [one for one in processes if not only or {SECTIONS[one.kind], one.key, one.name} & set(only)]


def _with_workers(site: Site, processes: Sequence[Process], count: int) -> list[Process]:
    """Return the processes with so many recognizers of one kind among them."""
    keys = list(dict.fromkeys(one.key for one in processes if one.kind == "recognizer"))
    if len(keys) > 1:
        raise ConfigError(f"--count: there are {' and '.join(keys)}; say which one with --only NAME")
    key = keys[0] if keys else _worker_key(site)
    others = [one for one in processes if one.kind != "recognizer"]
    if not 1 <= count <= MAX_COUNT:
        raise ConfigError(f"--count {count}: from 1 to {MAX_COUNT} are valid")
    return [*others, *(Process("recognizer", name, key) for name in worker_names(key, count))]


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


def _keep(plan: Plan, socket: Path, options: argparse.Namespace) -> int:
    output = Output(sys.stdout.fileno(), ["up", *(one.name for one in plan.processes)])
    logging.basicConfig(
        level=options.log_level.upper(),
        format="%(asctime)s %(levelname)-7s %(message)s",
        handlers=[_ToOutput(output)],
        force=True,
    )
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    if plan.left_out:
        log.info("left out, because their keys are not here: %s", ", ".join(plan.left_out))
    log.info("starting %s", ", ".join(one.name for one in plan.processes))
    supervisor = Supervisor(
        config=options.config.resolve(),
        socket=socket,
        output=output,
        worker_key=plan.worker_key,
        max_failures=options.attempts,
        log_level=options.log_level,
    )
    try:
        well = asyncio.run(supervisor.run(plan.processes))
    finally:
        output.close()
    return EXIT_STOPPED if well else EXIT_CRASHED


class _ToOutput(logging.Handler):
    """Log lines among the nodes' own."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        self._output.write("up", self.format(record).encode())


def _say(carry_out: Callable[[], str]) -> int:
    sys.stdout.write(f"{carry_out()}\n")
    return EXIT_STOPPED
