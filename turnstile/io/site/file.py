"""Reading the site file."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from turnstile.errors import ConfigError
from turnstile.io.site import yaml_file
from turnstile.site.addresses import is_local, is_open
from turnstile.site.document import build
from turnstile.site.fields import ELSEWHERE
from turnstile.site.settings import KeysSettings, LoggerSettings, MetricsSettings, Site
from turnstile.site.web import WebSettings


def load(path: Path) -> Site:
    """Return the site that a file describes, its relative paths made absolute from the file's folder.

    Raises:
        ConfigError: the file cannot be read, is over 256 kB, is not plain YAML, or does not describe a site.
    """
    document = yaml_file.read(path, kind="a site file")
    with document.located():
        site = build(document.value)
        _refuse_open_metrics(site.metrics)
        site = _absolute(site, path.resolve().parent)
        _refuse_shared_files(site, path.resolve())
        return site


def _beside(faces: str) -> str:
    return str(Path(faces).parent / "rules.yaml")


def _refuse_open_metrics(metrics: MetricsSettings | None) -> None:
    if metrics is not None and not metrics.open and not is_local(f"tcp://{metrics.listen}"):
        raise ConfigError(
            f"others can reach {metrics.listen}, and no password is asked there; "
            "if a firewall lets in only who may, say so: metrics.open: true",
            place=("metrics", "listen"),
        )


def _refuse_shared_files(site: Site, site_path: Path) -> None:
    """Refuse a file that two settings name: one would be written over, or taken for the other."""
    taken: dict[tuple[str, str], str] = {}
    for host in {one.host for one in site.loggers.values()} | {site.broker.host}:
        taken[host, str(site_path)] = "the site file itself"
    for place, host, path in _own_files(site):
        if not Path(path).name:
            raise ConfigError(f"must be a file, not {path}", place=place)
        if (other := taken.setdefault((host, path), f"{'.'.join(place)}")) != ".".join(place):
            raise ConfigError(f"{path} is taken by {other}; each needs a file of its own", place=place)


def _own_files(site: Site) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Give the key, the host and the path of each file that one node has for itself."""
    broker, decision = site.broker.host, site.decision
    yield ("broker", "journal"), broker, site.broker.journal
    yield ("decision", "rules"), broker, decision.rules
    if decision.record:
        yield ("decision", "record"), broker, decision.record
    for name, one in site.loggers.items():
        yield ("loggers", name, "file"), one.host, one.file
        if "://" not in one.store_address:
            yield ("loggers", name, "store"), one.host, one.store_address
        if one.witness:
            yield ("loggers", name, "witness"), one.host, one.witness
    for name, hook in site.webhooks.items():
        yield ("webhooks", name, "state_file"), broker, hook.state_file
    yield ("unknowns", "file"), broker, site.unknowns.file


def _absolute(site: Site, folder: Path) -> Site:
    replace = msgspec.structs.replace

    def under(path: str) -> str:
        """Keep symbolic links, which may lead elsewhere later: a camera's in ``/dev/v4l/by-id``."""
        try:
            return os.path.normpath(folder / Path(path).expanduser())
        except RuntimeError as error:
            raise ConfigError(f"the path {path} leads nowhere: {error}") from error

    def endpoint(address: str) -> str:
        path = address.removeprefix("ipc://")
        return address if path == address or path.startswith("@") else f"ipc://{under(path)}"

    def source(one: int | str | tuple[str, ...]) -> int | str | tuple[str, ...]:
        if isinstance(one, tuple):
            return tuple(under(path) for path in one)
        return one if isinstance(one, int) or "://" in one or one == ELSEWHERE else under(one)

    def logger(one: LoggerSettings) -> LoggerSettings:
        return replace(
            one,
            file=under(one.file),
            store=under(one.store) if one.store and "://" not in one.store else one.store,
            witness=under(one.witness) if one.witness else "",
        )

    def web(one: WebSettings) -> WebSettings:
        tls, proxy = one.tls, one.proxy
        return replace(
            one,
            folder=under(one.folder),
            tls=tls and replace(tls, certificate=under(tls.certificate), key=under(tls.key)),
            proxy=proxy and replace(proxy, secret_file=under(proxy.secret_file)),
        )

    keys = site.keys or (KeysSettings() if is_open(site.broker) else None)
    broker, gallery = site.broker, site.gallery
    return replace(
        site,
        broker=replace(
            broker,
            ingress=endpoint(broker.ingress),
            egress=endpoint(broker.egress),
            journal=under(broker.journal),
        ),
        keys=keys and replace(keys, folder=under(keys.folder)),
        gallery=replace(
            gallery,
            faces=under(gallery.faces),
            cache=under(gallery.cache),
            anchors=under(gallery.anchors) if gallery.anchors else "",
        ),
        decision=replace(
            site.decision,
            rules=under(site.decision.rules) if site.decision.rules else _beside(under(gallery.faces)),
            record=under(site.decision.record) if site.decision.record else "",
            liveness_network=under(site.decision.liveness_network) if site.decision.liveness_network else "",
        ),
        loggers={name: logger(one) for name, one in site.loggers.items()},
        webhooks={
            name: replace(hook, secret_file=under(hook.secret_file), state_file=under(hook.state_file))
            for name, hook in site.webhooks.items()
        },
        web=site.web and web(site.web),
        unknowns=replace(site.unknowns, file=under(site.unknowns.file)),
        cameras={
            name: replace(camera, source=source(camera.source)) for name, camera in site.cameras.items()
        },
    )
