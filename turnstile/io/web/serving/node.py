"""`turnstile web`: the site in a browser, a node of its own on any machine.

Receives: results, decisions, advice and beats of all cameras and nodes; frames of cameras that a page shows;
replies to its requests.

Sends: requests of people who are signed in, and its beat.

Policy: it decodes no frame and decides nothing. What people change goes to the broker, which holds it to the
account's role and puts it on record. The newest frame of each camera wins; a browser that is slow delays
nobody.

    turnstile web --config FILE
"""

import argparse
import logging
import os
from functools import partial
from pathlib import Path

from turnstile.errors import ConfigError
from turnstile.io.bus.nodes import Bus
from turnstile.io.runner import node
from turnstile.io.runner.heart import Heart
from turnstile.io.runner.member import Member, key_for
from turnstile.io.web.accounts.devices import Devices
from turnstile.io.web.accounts.recording import forget_expired, record_acts
from turnstile.io.web.accounts.sign_in import Accounts
from turnstile.io.web.accounts.store import AccountStore, open_accounts
from turnstile.io.web.link import BrokerContact, BusLink
from turnstile.io.web.serving.addresses import doorway_of, write_address
from turnstile.io.web.serving.app import make_app
from turnstile.io.web.serving.listener import Connections
from turnstile.io.web.serving.server import WebServer, open_listener, serve
from turnstile.protocol.messages import Frame
from turnstile.protocol.roles import WEB
from turnstile.protocol.state import State
from turnstile.protocol.topics import topic
from turnstile.site.settings import Site
from turnstile.site.web import WebSettings

log = logging.getLogger("turnstile")

KINDS = ("result", "access", "guide", "status")


def run(options: argparse.Namespace) -> int:
    """Serve until asked to stop; return an exit code as `node.run` does."""

    def identify(site: Site) -> Member:
        if site.web is None:
            raise ConfigError("the site file has no section `web`; `web: {}` is enough on one machine")
        return Member(WEB, WEB, key_for(site, WEB, WEB))

    return node.run_as(identify, wire, options=options)


class WebNode:
    """The node's loop: it hands on what the bus brings, and sends what the pages ask."""

    def __init__(
        self,
        *,
        bus: Bus,
        heart: Heart,
        link: BusLink,
        server: WebServer,
        store: AccountStore,
        wake_fd: int,
    ) -> None:
        self.heart, self._store = heart, store
        self._bus, self._link, self._server, self._wake_fd = bus, link, server, wake_fd
        self._cameras: frozenset[str] = frozenset()

    def step(self, timeout_s: float) -> None:
        """Take what came, hear whom the pages show, send what is asked, and beat."""
        self._server.check()
        heard = self._bus.receive(timeout_s)
        self._drain_wake()
        self._follow_pages()
        self.heart.count("frames_in", sum(isinstance(message, Frame) for _, message in heard))
        self._link.broker = BrokerContact(self._bus.broker_lost, self._bus.silent_s)
        self._link.take(heard)
        for request in self._link.due():
            self._bus.send("request.", request)
        self._beat()

    def close(self) -> None:
        """End the server, then leave the bus."""
        self._server.close()
        self._store.close()
        self._bus.close()
        os.close(self._wake_fd)

    def _follow_pages(self) -> None:
        """Hear the frames of the cameras that pages show, and of no others."""
        wanted = self._link.frames.cameras
        for camera in wanted - self._cameras:
            self._bus.subscribe(topic("frame", camera))
        for camera in self._cameras - wanted:
            self._bus.unsubscribe(topic("frame", camera))
        self._cameras = wanted

    def _drain_wake(self) -> None:
        try:
            os.read(self._wake_fd, 8)
        except BlockingIOError:
            return

    def _beat(self) -> None:
        for name, value in self._server.gauges().items():
            self.heart.gauge(name, value)
        self.heart.report(State.LIVE)
        self.heart.beat(self._bus)


def wire(start: node.Start) -> WebNode:
    """Open the port, then join the bus."""
    settings = start.site.web or WebSettings()
    wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    link = BusLink(instance=start.instance, wake=lambda: os.eventfd_write(wake_fd, 1))
    store = open_accounts(Path(settings.folder))
    store.hold()
    server = _server(start, settings, store, link)
    write_address(settings, server.address)
    log.info("pages at %s", server.address)
    if not store.accounts():
        config = start.options.config
        log.info("nobody may sign in yet: turnstile web invite NAME --role admin --config %s", config)
    return WebNode(
        bus=Bus(
            start.site.broker,
            key=start.key,
            topics=[*(f"{kind}." for kind in KINDS), topic("reply", start.instance)],
            wake_fds=(start.stop.fileno, wake_fd),
        ),
        heart=Heart(node=WEB, instance=start.instance, role="web", rates=("frames_in",)),
        link=link,
        server=server,
        store=store,
        wake_fd=wake_fd,
    )


def _server(start: node.Start, settings: WebSettings, store: AccountStore, link: BusLink) -> WebServer:
    """Begin to serve the pages."""
    devices = Devices(store=store, idle_s=settings.session_hours * 3600)
    doorway = doorway_of(settings)
    connections = Connections(proxy=settings.proxy.address if settings.proxy is not None else "")
    app = make_app(
        start.site,
        link,
        devices,
        config=start.options.config,
        accounts=Accounts(store=store, devices=devices),
        doorway=doorway,
        connections=connections,
    )
    beside = [
        partial(record_acts, store, link),
        partial(forget_expired, store, idle_ns=devices.idle_ns),
        partial(app.state.zone.keep, link),
    ]
    return serve(settings, app, link, open_listener(settings, connections), beside)
