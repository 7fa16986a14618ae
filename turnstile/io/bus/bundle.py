"""Bundles: one file with all that another machine needs to take part in a site.

A bundle is JSON: the keys of the nodes that run there, the broker's public key, and the part of the site file
that concerns them. Cameras of other machines have lost their sources in it, since these may hold passwords.
Whoever has the file has the keys in it: it is its owner's alone, and belongs deleted once unpacked.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml
from msgspec import Meta

from turnstile.errors import ConfigError
from turnstile.io.bus.keys import KeyFolder, KeyPair, write_private
from turnstile.io.site import yaml_file
from turnstile.io.site.file import load
from turnstile.protocol.fields import Name
from turnstile.protocol.roles import WEB, Identity, Role
from turnstile.site.fields import ELSEWHERE
from turnstile.site.plan import SECTIONS, processes_on

MAX_BYTES = 1024 * 1024
SITE_FILE, KEYS = "site.yaml", "keys"

_LEFT_OUT = ("gallery", "decision", "rules", "metrics", "unknowns")
"""What only the broker reads."""

_NETWORK = ("liveness_network", "liveness_sha256")
"""What recognizers read of `decision`."""

Key = Annotated[str, Meta(min_length=40, max_length=40)]


class Holder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One node and its key pair."""

    name: Name
    role: Role
    public: Key
    secret: Key


class Bundle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The contents of the file."""

    turnstile: Literal["bundle/1"] = "bundle/1"
    broker_public: Key
    holders: Annotated[tuple[Holder, ...], Meta(min_length=1, max_length=1024)]
    site: str
    """A site file."""


def names_on(config: Path, host: str) -> list[str]:
    """Return the names of the keys that a host of the site needs.

    Raises:
        ConfigError: there is no such host, nothing runs there, or the broker does, which has all keys.
    """
    site = load(config)
    if not site.hosts:
        raise ConfigError(f"{config}: hosts: the site names none; say which nodes the bundle is for")
    found = processes_on(site, host, cores=1)
    if any(one.kind == "broker" for one in found):
        raise ConfigError(
            f"hosts.{host}: it runs the broker, which needs the site file and the folder of keys as they are"
        )
    if not found:
        raise ConfigError(f"hosts.{host}: nothing runs there; say which nodes the bundle is for")
    return list(dict.fromkeys(one.key for one in found))


def pack(config: Path, names: Sequence[str], to: Path) -> None:
    """Write the bundle of some nodes of a site.

    Raises:
        ConfigError: the site has no keys, one of the names has none, or the file cannot be written.
    """
    keys = _keys_of(config)
    holders = []
    for who in map(keys.find, names):
        own = keys.node_key(who).own
        holders.append(
            Holder(name=who.name, role=who.role, public=own.public.decode(), secret=own.secret.decode())
        )
    bundle = Bundle(
        broker_public=keys.broker_public().decode(),
        holders=tuple(holders),
        site=yaml.safe_dump(
            _part_for(yaml_file.read(config, kind="a site file").value, holders),
            sort_keys=False,
            allow_unicode=True,
        ),
    )
    write_private(to, msgspec.json.format(msgspec.json.encode(bundle), indent=1) + b"\n")


def unpack(file: Path, folder: Path) -> Bundle:
    """Make a site file and a keys folder of a bundle, replacing those that are there, and return it.

    Raises:
        ConfigError: it is no bundle, or a file cannot be written.
    """
    bundle = read(file)
    keys = KeyFolder(folder / KEYS)
    keys.keep_broker_public(bundle.broker_public.encode())
    for one in bundle.holders:
        pair = KeyPair(public=one.public.encode(), secret=one.secret.encode())
        keys.keep_pair(Identity(one.role, one.name), pair)
    write_private(folder / SITE_FILE, bundle.site.encode())
    load(folder / SITE_FILE)
    return bundle


def read(file: Path) -> Bundle:
    """Return the bundle in a file.

    Raises:
        ConfigError: it cannot be read, is over 1 MB, or is no bundle.
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{file}: larger than {MAX_BYTES} bytes; a bundle is a few kilobytes")
    try:
        return msgspec.json.decode(data, type=Bundle)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise ConfigError(f"{file}: not a bundle: {error}") from error


def _keys_of(config: Path) -> KeyFolder:
    site = load(config)
    if site.keys is None:
        raise ConfigError(f"{config}: keys: the site has none; add the line `keys: {{}}` to it")
    return KeyFolder(Path(site.keys.folder))


def _part_for(document: object, holders: Sequence[Holder]) -> dict[str, object]:
    """Return the part of a site file that these nodes need."""
    if not isinstance(document, dict):
        raise ConfigError("a site file is a mapping")
    part = {name: section for name, section in document.items() if name not in _LEFT_OUT}
    hooks = document.get("webhooks") or {}
    part["webhooks"] = {one.name: hooks[one.name] for one in holders if one.name in hooks}
    own = {(SECTIONS.get(one.role), one.name) for one in holders if one.name not in hooks}
    for section in ("recognizers", "loggers", "displays"):
        entries = part.get(section) or {}
        names = [name for in_section, name in own if in_section == section]
        if document.get("hosts"):  # who has no place there is started by name
            names = [name for name in names if name in entries]
        part[section] = {name: entries.get(name) or {} for name in sorted(names)}
    part["cameras"] = {
        name: entry if ("cameras", name) in own else {**(entry or {}), "source": ELSEWHERE}
        for name, entry in (part.get("cameras") or {}).items()
    }
    if any(one.role == WEB for one in holders):  # it asks each logger, and shows all doors as displays do
        part["loggers"] = {
            name: {**{key: entry[key] for key in ("host",) if key in entry}, "file": f"{name}.txt"}
            for name, entry in (document.get("loggers") or {}).items()
        }
    else:
        part.pop("web", None)
    network = {key: value for key, value in (document.get("decision") or {}).items() if key in _NETWORK}
    part |= {"keys": {"folder": KEYS}, **({"decision": network} if network else {})}
    return part
