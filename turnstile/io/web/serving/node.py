"""`turnstile web`: the site in a browser, a node of its own on any machine.

Receives: frames, results, decisions, advice and beats of all cameras and nodes; replies to its requests.

Sends: requests of people who are signed in, and its beat.

Policy: it decodes no frame and decides nothing. What people change goes to the broker, which holds it to the
account's role and puts it on record. The newest frame of each camera wins; a browser that is slow delays
nobody.

    turnstile web --config FILE
"""

import argparse
import logging
import os

from turnstile.errors import ConfigError
from turnstile.io.bus.nodes import Bus
from turnstile.io.runner import node
from turnstile.io.runner.heart import Heart
from turnstile.io.runner.member import Member, key_for
from turnstile.io.web.admission import NobodySignedIn
from turnstile.io.web.link import BrokerContact, BusLink
from turnstile.io.web.serving.app import make_app
from turnstile.io.web.serving.server import WebServer, open_server
from turnstile.protocol.roles import WEB
from turnstile.protocol.state import State
from turnstile.protocol.topics import topic
from turnstile.site.settings import Site
from turnstile.site.web import WebSettings

log = logging.getLogger("turnstile")

KINDS = ("frame", "result", "access", "guide", "status")


def run(options: argparse.Namespace) -> int:
    """Serve until asked to stop; return an exit code as `node.run` does."""

    def identify(site: Site) -> Member:
        if site.web is None:
            raise ConfigError("the site file has no section `web`; `web: {}` is enough on one machine")
        return Member(WEB, WEB, key_for(site, WEB, WEB))

    return node.run_as(identify, wire, options=options)


class WebNode:
    """The node's loop: it hands on what the bus brings, and sends what the pages ask."""

    def __init__(self, *, bus: Bus, heart: Heart, link: BusLink, server: WebServer, wake_fd: int) -> None:
        self.heart = heart
        self._bus, self._link, self._server, self._wake_fd = bus, link, server, wake_fd

    def step(self, timeout_s: float) -> None:
        """Take what came, send what is asked, and beat."""
        self._server.check()
        heard = self._bus.receive(timeout_s)
        self._drain_wake()
        self._link.broker = BrokerContact(self._bus.broker_lost, self._bus.silent_s)
        self._link.take(heard)
        for request in self._link.due():
            self._bus.send("request.", request)
        self._beat()

    def close(self) -> None:
        """End the server, then leave the bus."""
        self._server.close()
        self._bus.close()
        os.close(self._wake_fd)

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
    server = open_server(
        settings, make_app(start.site, link, NobodySignedIn(), config=start.options.config), link
    )
    log.info("pages at %s", server.address)
    return WebNode(
        bus=Bus(
            start.site.broker,
            key=start.key,
            topics=[*(f"{kind}." for kind in KINDS), topic("reply", start.instance)],
            wake_fds=(start.stop.fileno, wake_fd),
        ),
        heart=Heart(node=WEB, instance=start.instance, role="web", rates=()),
        link=link,
        server=server,
        wake_fd=wake_fd,
    )
