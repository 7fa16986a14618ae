"""Which processes a site consists of, which machine runs which, and in which order they start and stop."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, get_args

from turnstile.errors import ConfigError
from turnstile.protocol.roles import WEB, Identity, Role, is_own_name
from turnstile.site.fields import MAX_COUNT
from turnstile.site.settings import Site

ProcessKind = Literal["broker", "logger", "webhook", "recognizer", "capture", "display", "web"]
START_ORDER: tuple[ProcessKind, ...] = get_args(ProcessKind)
"""They stop the other way round: when the recognizers drain, nothing new comes and all that is decided is
still heard and logged."""

SECTIONS: dict[str, str] = {
    "broker": "broker",
    "logger": "loggers",
    "webhook": "webhooks",
    "recognizer": "recognizers",
    "capture": "cameras",
    "display": "displays",
    "web": "web",
}
"""Process kind or role → the site file's section in which it stands."""

PROGRAMS: dict[ProcessKind, str] = {
    "broker": "broker.py",
    "logger": "logger_node.py",
    "recognizer": "recognizer_node.py",
    "capture": "capture_node.py",
    "display": "display_node.py",
}
"""The file of each, at the top of the repository; a webhook is `turnstile webhook`, and
the web node `turnstile web`."""


class Process(NamedTuple):
    """One process of a site."""

    kind: ProcessKind
    name: str
    key: str
    """The name in the site file and on its key; a recognizer's own name may have a number besides."""
    host: str = ""

    @property
    def identity(self) -> Identity | None:
        """Return whose key it needs; none for the broker, which has one of another kind."""
        return None if self.kind == "broker" else Identity(_ROLES[self.kind], self.key)


_ROLES: dict[ProcessKind, Role] = {
    "logger": "logger",
    "webhook": "logger",
    "recognizer": "recognizer",
    "capture": "capture",
    "display": "display",
    "web": "web",
}


def processes(site: Site, *, cores: int) -> list[Process]:
    """Return all processes of a site, in the order of starting.

    Args:
        site: what is to run where.
        cores: how many recognizers ``auto`` is; it holds for all hosts, so look at one host's only.
    """
    return list(_processes(site, cores))


def processes_on(site: Site, host: str, *, cores: int) -> list[Process]:
    """Return the processes of one host, in the order of starting; those of all if the site names no hosts.

    Raises:
        ConfigError: the site has no such host, or its nodes name hosts and it does not.
    """
    every = processes(site, cores=cores)
    if site.hosts:
        if host not in site.hosts:
            raise ConfigError(f"hosts: none is named {host}; there are: {', '.join(site.hosts)}")
        return [one for one in every if one.host == host]
    for one in every:
        if one.host:
            raise ConfigError(
                f"{place_of(one)}.host: {one.host}; but the site names no hosts: add `hosts: "
                f"{{{one.host}: {{address: …}}, …}}`"
            )
    return every


def webhooks_beside(site: Site, here: Sequence[Process]) -> list[Process]:
    """Return the webhooks that run where these processes do: all of the site's, on the broker's host."""
    hosts = [one.host for one in here if one.kind == "broker"]
    return [Process("webhook", name, name, host) for host in hosts for name in site.webhooks]


def chosen(processes: Sequence[Process], only: Sequence[str]) -> list[Process]:
    """Return the processes of these sections, entries or names; all if there are none.

    Raises:
        ConfigError: a word is none of them.
    """
    known = {"broker", *SECTIONS.values()}
    for word in only:
        if word not in known and not any(word in (one.name, one.key) for one in processes):
            names = ", ".join(dict.fromkeys(one.key for one in processes)) or "none"
            raise ConfigError(f"--only {word}: valid are {', '.join(SECTIONS.values())} and nodes: {names}")
    return [one for one in processes if not only or {SECTIONS[one.kind], one.key, one.name} & set(only)]


def with_workers(processes: Sequence[Process], count: int, *, key: str) -> list[Process]:
    """Return the processes with so many recognizers of one entry among them.

    Args:
        processes: which of them are recognizers says of which entry.
        count: how many.
        key: of which entry, if none of them is a recognizer.

    Raises:
        ConfigError: they are of several entries, or the number is not valid.
    """
    keys = list(dict.fromkeys(one.key for one in processes if one.kind == "recognizer")) or [key]
    if len(keys) > 1:
        raise ConfigError(f"--count: there are {' and '.join(keys)}; say which one with --only NAME")
    if not 1 <= count <= MAX_COUNT:
        raise ConfigError(f"--count {count}: from 1 to {MAX_COUNT} are valid")
    workers = [Process("recognizer", name, keys[0]) for name in worker_names(keys[0], count)]
    return [*(one for one in processes if one.kind != "recognizer"), *workers]


def place_of(process: Process, name: str = "") -> str:
    """Return where the site file tells of a process: ``cameras.front_door``; with `name`, of that one."""
    section = SECTIONS[process.kind]
    return section if process.kind in ("broker", "web") else f"{section}.{name or process.key}"


def worker_names(name: str, count: int) -> list[str]:
    """Return what `count` recognizer processes of one entry of the site file are called."""
    return [name] if count == 1 else [f"{name}-{number}" for number in range(1, count + 1)]


def more_names(name: str, *, taken: list[str], count: int) -> list[str]:
    """Return names for so many more recognizer processes, those already in use left out."""
    names: list[str] = []
    number = 1
    while len(names) < count:
        if f"{name}-{number}" not in taken and not (number == 1 and name in taken):
            names.append(f"{name}-{number}")
        number += 1
    return names


def is_process_of(name: str, entry: str) -> bool:
    """Tell whether a recognizer's name is that of an entry of the site file, or one of its numbered ones."""
    return is_own_name(Identity("recognizer", entry), name)


def _processes(site: Site, cores: int) -> Iterator[Process]:
    yield Process("broker", "broker", "broker", site.broker.host)
    for name, logger in site.loggers.items():
        yield Process("logger", name, name, logger.host)
    for key, pool in site.recognizers.items():
        for name in worker_names(key, cores if pool.count == "auto" else pool.count):
            yield Process("recognizer", name, key, pool.host)
    for name, camera in site.cameras.items():
        yield Process("capture", name, name, camera.host)
    for name, display in site.displays.items():
        yield Process("display", name, name, display.host)
    if site.web is not None:
        yield Process("web", WEB, WEB, site.web.host)
