"""Who a process is at its site: its name, and its key."""

import platform
import re
from pathlib import Path
from typing import NamedTuple

import msgspec

from turnstile.errors import ConfigError
from turnstile.io.bus.keys import KeyFolder, NodeKey
from turnstile.protocol.fields import Name
from turnstile.protocol.roles import Identity, NodeRole
from turnstile.site.plan import SECTIONS
from turnstile.site.settings import Site


class Member(NamedTuple):
    """Who a process is at its site."""

    kind: str
    """For people: its role, or the name of its command."""
    name: str
    key: NodeKey | None
    """What to join the bus with; `None` for the broker, and for all if the site has no keys."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def key_for(site: Site, role: NodeRole, name: str) -> NodeKey | None:
    """Return the key of a node; none for the broker, and for all if the site has no keys.

    Raises:
        ConfigError: the site has keys, and none for this node is here.
    """
    if site.keys is None or role == "broker":
        return None
    return KeyFolder(Path(site.keys.folder)).node_key(Identity(role, name))


def choose_name(site: Site, role: NodeRole, name: str | None) -> str:
    """Return the node's name: as given, or the only one the site has.

    Any name will do for a recognizer, since they may be added at any time; without one it is the host's.

    Raises:
        ConfigError: the site has no such node, or several and none was named.
    """
    if role == "broker":
        return "broker"
    if role == "recognizer":
        return _recognizer_name(site, name or default_recognizer(platform.node()))
    names = tuple(getattr(site, SECTIONS[role]))
    if name is None and len(names) == 1:
        return str(names[0])
    if not names:
        section = SECTIONS[role]
        raise ConfigError(f"the site has no {role}: name one in the site file, under {section}")
    known = ", ".join(names)
    if name is None:
        raise ConfigError(f"--name is needed: the site's {SECTIONS[role]} are: {known}")
    if name not in names:
        raise ConfigError(f"--name {name}: the site has no such {role}; its {SECTIONS[role]} are: {known}")
    return name


def default_recognizer(host: str) -> str:
    """Return what a recognizer is called when nobody names it: after its machine."""
    machine = re.sub(r"[^A-Za-z0-9_-]", "-", host.partition(".")[0])
    return f"recognizer-{machine[:52] or 'host'}"


def _recognizer_name(site: Site, name: str) -> str:
    taken = {"broker", *site.cameras, *site.loggers, *site.displays}
    try:
        msgspec.convert(name, Name)
    except msgspec.ValidationError as error:
        raise ConfigError(f"--name {name!r}: names are letters, digits, '-' and '_', at most 63") from error
    if name in taken:
        raise ConfigError(f"--name {name}: the site has another node of that name")
    return name
