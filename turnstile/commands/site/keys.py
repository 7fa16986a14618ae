"""Make, revoke and hand over the keys of a site's nodes.

A site with keys admits nobody else to its bus. A bundle has what another machine needs in one file: its part
of the site file, its keys and the broker's public key.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from turnstile.commands.options import add_config
from turnstile.errors import ConfigError
from turnstile.io.bus import bundle
from turnstile.io.bus.keys import KeyFolder
from turnstile.io.runner.node import EXIT_STOPPED
from turnstile.io.site.file import load
from turnstile.protocol.fields import Name
from turnstile.protocol.roles import OPERATOR, ROLES, WEB, Identity, is_own_name
from turnstile.site.settings import KeysSettings, Site

DEFAULT_FOLDER = Path("keys")


def add(parser: argparse.ArgumentParser) -> None:
    """Add an action each, with its options."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    def an_action(
        name: str, action: Callable[[argparse.Namespace], None], summary: str
    ) -> argparse.ArgumentParser:
        one = actions.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        one.set_defaults(action=action)
        return one

    init = an_action("init", _init, "make the broker's key, and one for each node that the site file names")
    add = an_action("add", _add, "make a key for a node")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--role", choices=ROLES, required=True)
    revoke = an_action("revoke", _revoke, "cut a node off within a second")
    revoke.add_argument("name", metavar="NAME")
    listing = an_action("list", _list, "show whose keys there are")
    for one in (init, add, revoke, listing):
        one.add_argument(
            "--config", type=Path, metavar="FILE", help="the site file, which says where keys are"
        )
        one.add_argument("--folder", type=Path, metavar="FOLDER", help="where keys are, without a site file")

    pack = an_action("bundle", _pack, "pack what another machine needs into one file")
    pack.add_argument("names", nargs="*", metavar="NAME", help="the nodes that run there")
    pack.add_argument("--host", metavar="HOST", help="all that this host of the site file runs")
    add_config(pack)
    pack.add_argument("--to", type=Path, metavar="FILE", help="the file to write (default: NAME.bundle)")
    unpack = an_action("unpack", _unpack, "make a site file and its keys of a bundle")
    unpack.add_argument("file", type=Path, metavar="FILE")
    unpack.add_argument("--into", type=Path, default=Path("site"), metavar="FOLDER", help="default: site")


def run(options: argparse.Namespace) -> int:
    """Run an action; return 0."""
    action: Callable[[argparse.Namespace], None] = options.action
    action(options)
    return EXIT_STOPPED


def _init(options: argparse.Namespace) -> None:
    keys, site = _keys(options)
    if keys.create():
        _say(f"made the broker's key in {keys.path}")
    known = keys.identities()
    for who in (Identity("observer", OPERATOR), *(_named_in(site) if site is not None else ())):
        if not any(is_own_name(other, who.name) for other in known):
            keys.add(who)
            _say(f"made a key for {who}")
    if site is not None and site.keys is None:
        _say(f"note: {options.config} does not use keys yet: add the line `keys: {{}}`")


def _add(options: argparse.Namespace) -> None:
    keys, _ = _keys(options)
    who = Identity(options.role, _name(options.name))
    keys.add(who)
    _say(f"made a key for {who} in {keys.path}")


def _revoke(options: argparse.Namespace) -> None:
    who = _keys(options)[0].revoke(_name(options.name))
    _say(f"revoked the key of {who}; a running broker cuts it off within a second")


def _list(options: argparse.Namespace) -> None:
    keys, _ = _keys(options)
    public = {who: key for key, who in keys.registry().items()}
    _say(f"{'NAME':<24} {'ROLE':<11} PUBLIC KEY")
    for who, key in sorted(public.items()):
        _say(f"{who.name:<24} {who.role:<11} {key}")
    for name, revoked_ns in keys.revoked():
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(revoked_ns / 1e9))
        _say(f"{name:<24} {'revoked':<11} {when} UTC")


def _pack(options: argparse.Namespace) -> None:
    names = [*options.names]
    if options.host is not None:
        names += [name for name in bundle.names_on(options.config, options.host) if name not in names]
    if not names:
        raise ConfigError("say which nodes the bundle is for: their names, or --host HOST")
    to = options.to or Path(f"{options.host or names[0]}.bundle")
    bundle.pack(options.config, names, to)
    _say(f"wrote {to}: copy it to the machine of {', '.join(names)}, unpack it there, and delete it")


def _unpack(options: argparse.Namespace) -> None:
    made = bundle.unpack(options.file, options.into)
    names = ", ".join(f"{one.role} {one.name}" for one in made.holders)
    _say(f"made {options.into / bundle.SITE_FILE} for {names}; delete {options.file} now")


def _keys(options: argparse.Namespace) -> tuple[KeyFolder, Site | None]:
    """Return the keys folder, and the site if its file was named."""
    if options.config is None:
        return KeyFolder(options.folder or DEFAULT_FOLDER), None
    site = load(options.config)
    beside = (
        options.config.resolve().parent / KeysSettings().folder
        if site.keys is None
        else Path(site.keys.folder)
    )
    return KeyFolder(options.folder or Path(os.path.normpath(beside))), site


def _named_in(site: Site) -> list[Identity]:
    """Return the nodes that a site file names."""
    return [
        *(Identity("capture", name) for name in site.cameras),
        *(Identity("recognizer", name) for name in site.recognizers),
        *(Identity("logger", name) for name in (*site.loggers, *site.webhooks)),
        *(Identity("display", name) for name in site.displays),
        *((Identity(WEB, WEB),) if site.web is not None else ()),
    ]


def _name(text: str) -> str:
    try:
        return msgspec.convert(text, Name)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{text!r}: names are letters, digits, '-' and '_', at most 63") from error


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
