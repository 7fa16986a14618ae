"""Show the site in a browser to whoever is signed in, and say who may sign in.

Without an action it is the web node, which `turnstile up` starts where the site file has `web:`. The actions
are run on the web node's machine, by the user whose node it is.

    turnstile web --config FILE
    turnstile web invite NAME --role clerk --config FILE
"""

import argparse
import datetime as dt
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from turnstile.commands.options import SITE_FILE, number
from turnstile.commands.web import certificate
from turnstile.counts import counted
from turnstile.errors import ConfigError
from turnstile.io.runner.node import EXIT_STOPPED
from turnstile.io.site.file import load
from turnstile.io.web.accounts.store import AccountStore, open_accounts
from turnstile.io.web.serving import node
from turnstile.io.web.serving.addresses import read_address
from turnstile.protocol.fields import PersonName
from turnstile.site.settings import Site
from turnstile.site.web import WebSettings
from turnstile.web.places import RANKS

TERMINAL = "turnstile web"
"""Who does what is typed here, on record."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add an action each, with its options."""
    parser.add_argument("--config", type=Path, metavar="FILE", help=SITE_FILE)
    parser.add_argument("--name", help=argparse.SUPPRESS)
    parser.set_defaults(action=node.run)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")

    def an_action(
        name: str, action: Callable[[argparse.Namespace], int], summary: str
    ) -> argparse.ArgumentParser:
        one = actions.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        one.add_argument("--config", type=Path, metavar="FILE", default=argparse.SUPPRESS, help=SITE_FILE)
        one.set_defaults(action=action)
        return one

    an_action("serve", node.run, "run the web node, as without an action")
    _add_invite(an_action("invite", _invite, "print a link, good once, where somebody sets a password"))
    an_action("accounts", _accounts, "list who may sign in")
    remove = an_action("remove", _remove, "remove an account, and sign it out everywhere")
    sign_out = an_action("sign-out", _sign_out, "sign an account out everywhere")
    for one in (remove, sign_out):
        one.add_argument("account", metavar="NAME")
    certificate.add(an_action("cert", _certificate, "make a certificate, by an authority of this site's own"))


def run(options: argparse.Namespace) -> int:
    """Run an action, or serve until asked to stop; return an exit code as nodes do."""
    if options.config is None:
        raise ConfigError("--config is needed: say which site file")
    action: Callable[[argparse.Namespace], int] = options.action
    return action(options)


def _add_invite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("account", metavar="NAME", help="of somebody new, or of somebody who forgot")
    parser.add_argument(
        "--role", choices=RANKS, required=True, help="viewers see, clerks enrol, admins change rules"
    )
    parser.add_argument(
        "--door", action="append", default=[], metavar="CAMERA", help="may be repeated (default: all)"
    )
    parser.add_argument(
        "--hours", type=number(1, 24 * 30), default=48, help="how long the link is good (default: 48)"
    )


def _invite(options: argparse.Namespace) -> int:
    site, settings, store = _opened(options)
    name = _name(options.account)
    for door in options.door:
        if door not in site.cameras:
            known = ", ".join(sorted(site.cameras))
            raise ConfigError(f"no camera is named {door!r}; there are: {known}")
    now_ns = time.time_ns()
    until_ns = now_ns + options.hours * 3600 * 10**9
    token = store.invite(name, options.role, tuple(options.door), until_ns=until_ns)
    store.add_act(TERMINAL, "admin", f"invited {name} as {options.role}", at_ns=now_ns)
    until = dt.datetime.fromtimestamp(until_ns / 1e9, dt.UTC).astimezone()
    _say(f"{read_address(settings)}/invited/{token}")
    _say(f"It lets {name} in as {options.role}, once, until {until:%A %d %B, %H:%M}. Give it to nobody else.")
    return EXIT_STOPPED


def _accounts(options: argparse.Namespace) -> int:
    _, _, store = _opened(options)
    found = store.accounts()
    if not found:
        _say("Nobody may sign in yet: turnstile web invite NAME --role admin --config FILE")
        return EXIT_STOPPED
    _say(f"{'NAME':<24} {'ROLE':<7} {'DOORS':<20} {'DEVICES':>7}  LAST SIGN-IN")
    for one in found:
        last = "never"
        if one.signed_in_ns:
            at = dt.datetime.fromtimestamp(one.signed_in_ns / 1e9, dt.UTC).astimezone()
            last = f"{at:%Y-%m-%d %H:%M}"
        code = ", with codes" if one.has_code else ""
        doors = ",".join(one.doors) or "all"
        _say(f"{one.name:<24} {one.role:<7} {doors:<20} {one.sessions:>7}  {last}{code}")
    return EXIT_STOPPED


def _remove(options: argparse.Namespace) -> int:
    _, _, store = _opened(options)
    name = _name(options.account)
    if not store.remove(name):
        raise ConfigError(f"no account is named {name!r}; there are: {_names(store)}")
    store.add_act(TERMINAL, "admin", f"removed the account {name}", at_ns=time.time_ns())
    _say(f"{name} may sign in no longer, and is signed out everywhere.")
    return EXIT_STOPPED


def _sign_out(options: argparse.Namespace) -> int:
    _, _, store = _opened(options)
    name = _name(options.account)
    if store.credentials(name) is None:
        raise ConfigError(f"no account is named {name!r}; there are: {_names(store)}")
    ended = store.sign_out(name)
    store.add_act(TERMINAL, "admin", f"signed {name} out everywhere", at_ns=time.time_ns())
    _say(f"{name} is signed out on {counted(ended, 'device')}.")
    return EXIT_STOPPED


def _certificate(options: argparse.Namespace) -> int:
    site, settings = _settings(options)
    certificate.run(options, site=site, settings=settings)
    return EXIT_STOPPED


def _settings(options: argparse.Namespace) -> tuple[Site, WebSettings]:
    site = load(options.config)
    if site.web is None:
        raise ConfigError("the site file has no section `web`; `web: {}` is enough on one machine")
    return site, site.web


def _opened(options: argparse.Namespace) -> tuple[Site, WebSettings, AccountStore]:
    site, settings = _settings(options)
    return site, settings, open_accounts(Path(settings.folder))


def _names(store: AccountStore) -> str:
    return ", ".join(one.name for one in store.accounts()) or "none yet"


def _name(text: str) -> str:
    try:
        return msgspec.convert(text.strip(), PersonName)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{text!r} is no name: 1 to 200 characters that print are valid") from error


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
