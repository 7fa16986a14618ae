"""Check a site file and its rules, and say what the site has: nodes, addresses, people, unusable pictures.

What cannot work is an error, and the exit code is 78: a camera's address of an unknown kind, or a clip or
picture that is not there, unless its node runs on another host; a file of something else where a log or a
recording goes; a device that two cameras read, or a port that is wanted twice. What is a mistake as likely as
not is a warning, and the code is 1: rules about people who are not enrolled, a file that this user cannot
write, and an address that two cameras read.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from turnstile.access.rules import unenrolled
from turnstile.commands.options import add_config
from turnstile.commands.people.pictures import read_enrolled
from turnstile.commands.site.destinations import foreign_files, unwritable_files
from turnstile.counts import counted, named
from turnstile.errors import ConfigError
from turnstile.files.private import read_secret
from turnstile.files.reading import is_absent, why
from turnstile.io.access import rules_file
from turnstile.io.bus.keys import KeyFolder
from turnstile.io.cameras.source import order_for
from turnstile.io.integrations.sent import read_progress
from turnstile.io.people.folder import files_in
from turnstile.io.runner.node import EXIT_CONFIG, EXIT_CRASHED, EXIT_STOPPED
from turnstile.io.site.file import load
from turnstile.io.site.machine import this_host
from turnstile.io.site.terminal import printable
from turnstile.io.web.serving.addresses import address_at, doorway_of
from turnstile.people.agreement import (
    EnrolledPicture,
    alike,
    bounds_of,
    by_person,
    by_reason,
    groups_in_words,
)
from turnstile.people.gallery import build_gallery, files_by_person, templates, why_not_used
from turnstile.people.outlook import in_words, outlook
from turnstile.people.register import PictureState, few_in_words, names_of, register
from turnstile.people.risk import risk_of
from turnstile.protocol.names import near_names
from turnstile.site.addresses import clashing_ports, shared_addresses, shared_devices
from turnstile.site.plan import processes_on
from turnstile.site.secrecy import hint, masked
from turnstile.site.settings import CameraSettings, Site


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_config(parser, positional=True)


def run(options: argparse.Namespace) -> int:
    """Print a summary of the site and what is wrong with it; return 0, or 78 or 1."""
    site = load(options.config)
    bundled = site.keys is not None and KeyFolder(Path(site.keys.folder)).came_in_a_bundle
    at_broker = () if bundled else (*ruled_by(site, options.config), *enrolled(site))
    broken = [
        *broken_sources(site, bundled=bundled),
        *broken_webhooks(site, bundled=bundled),
        *broken_pages(site),
        *clashing_ports(site),
        *shared_devices(site.cameras, device=os.path.realpath),
    ]
    doubtful = list(shared_addresses(site.cameras))
    if not bundled:
        here = this_host(site.hosts)
        broken += foreign_files(site, here)
        doubtful += [*unwritable_files(site, here), *ruled_and_not_enrolled(site, options.config)]
    verdict = "not valid" if broken else "valid"
    sys.stdout.write(f"{options.config}: {verdict}{', the part of a bundle' if bundled else ''}\n")
    for subject, found in (*summary(site, bundled=bundled), *at_broker):
        sys.stdout.write(f"{subject:<11} {printable(found)}\n")
    for kind, problems in (("error", broken), ("warning", doubtful)):
        for problem in problems:
            sys.stderr.write(f"{kind}: {printable(problem)}\n")
    return EXIT_CONFIG if broken else EXIT_CRASHED if doubtful else EXIT_STOPPED


def broken_sources(site: Site, *, bundled: bool) -> Iterator[str]:
    """Yield why cameras cannot be opened. Paths on other hosts are not looked at."""
    here = None if bundled else this_host(site.hosts)
    for name, camera in site.cameras.items():
        is_address = isinstance(camera.source, str) and "://" in camera.source
        if not is_address and (bundled or camera.host not in ("", here)):
            continue
        try:
            order_for(camera, name=name, max_px=site.broker.max_frame_px)
        except ConfigError as error:
            yield str(error)


def broken_webhooks(site: Site, *, bundled: bool) -> Iterator[str]:
    """Yield why webhooks cannot start, on the machine where they run: the broker's."""
    if bundled or site.broker.host not in ("", this_host(site.hosts)):
        return
    for name, webhook in site.webhooks.items():
        try:
            read_secret(Path(webhook.secret_file))
            read_progress(Path(webhook.state_file))
        except ConfigError as error:
            yield f"webhooks.{name}: {error}"


def broken_pages(site: Site) -> Iterator[str]:
    """Yield why the web node cannot start, on the machine where it runs."""
    if site.web is None or site.web.host not in ("", this_host(site.hosts)):
        return
    try:
        doorway_of(site.web)
    except ConfigError as error:
        yield str(error)


def ruled_and_not_enrolled(site: Site, site_path: Path) -> Iterator[str]:
    """Yield whom the rules name though nobody enrolled is called so, where the pictures are here."""
    rules = rules_file.standing(rules_file.places_of(site, site_path), doors=site.cameras).rules
    folder = Path(site.gallery.faces)
    try:
        files = [] if is_absent(folder) else files_in(folder)[0]
    except OSError:
        return
    people = files_by_person(files)
    for name in unenrolled(rules, people) if rules is not None and people else ():
        near = ", ".join(map(repr, near_names(name, people)))
        yield f"the rules name {name!r}, and nobody enrolled is called so{near and f'; is it {near}?'}"


def summary(site: Site, *, bundled: bool = False) -> Iterator[tuple[str, str]]:
    """Yield what the file says, as pairs of a subject and words."""
    yield "site", site.site
    for name, host in site.hosts.items():
        runs = dict.fromkeys(_numbered(site, one.key) for one in processes_on(site, name, cores=1))
        told = ", ".join(runs) or ("" if bundled else "nothing")  # a bundle leaves out most nodes
        yield "host", f"{name} ({host.address}){': ' if told else ''}{told}"
    yield "broker", f"nodes send to {site.broker.ingress} and hear {site.broker.egress}"
    if site.metrics is not None:
        yield "metrics", f"http://{site.metrics.listen}/metrics, /healthz and /readyz on the broker's machine"
    for name, camera in site.cameras.items():
        yield "camera", f"{name}: {source_in_words(camera)}{_on(camera.host)}"
    for name, recognizer in site.recognizers.items():
        number = recognizer.count
        many = "" if number == 1 else ": one a core" if number == "auto" else f": {number} processes"
        yield "recognizer", f"{name}{many}{_on(recognizer.host)}"
    for name, logger in site.loggers.items():
        yield "logger", f"{name}: {logger.file}, from the store {logger.store_address}{_on(logger.host)}"
    for name, display in site.displays.items():
        yield "display", f"{name}: {', '.join(display.cameras) or 'all cameras'}{_on(display.host)}"
    for name, webhook in site.webhooks.items():
        yield "webhook", f"{name}: {masked(webhook.url)}"
    if site.web is not None:
        port = int(site.web.listen.rpartition(":")[2])
        yield "web", f"pages at {address_at(site.web, port)}{_on(site.web.host)}"


def ruled_by(site: Site, site_path: Path) -> Iterator[tuple[str, str]]:
    """Yield what the rules file says, or where it was looked for.

    Raises:
        ConfigError: it cannot be used.
    """
    found = rules_file.standing(rules_file.places_of(site, site_path), doors=site.cameras)
    if found.rules is None:
        raise ConfigError(found.problem)
    if found.absent:
        yield "rules", found.absent.removeprefix("no rules: ")
    else:
        rules = found.rules
        named = (
            (len(rules.groups), "group"),
            (len(rules.doors), "door"),
            (len(rules.blocked), "blocked", "blocked"),
        )
        yield "rules", f"{site.decision.rules}: {', '.join(counted(*one) for one in named)}"


def enrolled(site: Site) -> Iterator[tuple[str, str]]:
    """Yield how many are enrolled with usable pictures, and which files are not used, and why."""
    folder = Path(site.gallery.faces)
    try:
        if is_absent(folder):
            yield "faces", f"{folder} does not exist here; it is needed on the broker's machine only"
            return
        files, problems = files_in(folder)
    except OSError as error:
        yield "faces", f"{folder} cannot be read, so nobody is enrolled: {why(error, about=folder)}"
        return
    problems |= {file: reason for file in files if (reason := why_not_used(file))}
    encoded, encoding = list(read_enrolled(site)), site.recognition.encoding
    problems |= {one.file: one.problem for one in encoded if one.problem}
    everybody = register(encoded, encoding, site.decision)
    states = {one.file: one for person in everybody for one in person.pictures}
    used = [
        EnrolledPicture(one.file, one.person, one.digest, one.encoding)
        for one in encoded
        if states[one.file].is_used
    ]
    people = counted(len(by_person(used)), "person", "people")
    yield "faces", f"{folder}: {people}, {counted(len(used), 'picture')}"
    gallery = build_gallery(encoding, ((one.person, one.encoding) for one in used))
    compared = templates(gallery, risk_of(site.decision))
    for said in in_words(outlook(compared, np.bincount(gallery.owners), site.decision)):
        yield "limits", said
    remarks = [
        *(f"{file} cannot be used: {problem}" for file, problem in sorted(problems.items())),
        *_about(state for file, state in states.items() if file not in problems),
        *groups_in_words(alike(used, used, bounds_of(encoding))),
        few_in_words(names_of(everybody)),
    ]
    yield from (("", said) for said in remarks if said)


def _about(states: Iterable[PictureState]) -> Iterator[str]:
    """Say of pictures with a face what is wrong with them."""
    apart: dict[str, str] = {}
    for one in states:
        if one.state == "unusable":
            apart[one.file] = one.reason
        elif one.state in ("weak", "left out"):
            yield f"{one.file} is {one.state}: {one.reason}"
    for reason, together in by_reason(apart).items():
        yield f"{named(together)} cannot be used: {reason}"


def source_in_words(camera: CameraSettings) -> str:
    """Return where a camera's pictures come from, without the password that an address may hold."""
    source = camera.source
    if isinstance(source, int):
        return f"webcam {source}"
    if isinstance(source, tuple):
        return counted(len(source), "picture")
    advice = hint(source)
    return f"{masked(source)}{advice and f' ({advice})'}"


def _numbered(site: Site, name: str) -> str:
    """Return a node's name, and how many there are of it."""
    count = site.recognizers[name].count if name in site.recognizers else 1
    return name if count == 1 else f"{name} (one a core)" if count == "auto" else f"{name} ({count})"


def _on(host: str) -> str:
    return f" (on {host})" if host else ""
