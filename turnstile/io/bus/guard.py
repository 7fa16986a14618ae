"""The broker's guard: who is let in, whose each message is, and who is cut off.

CURVE by libzmq, ZAP by pyzmq's `Authenticator`, in the broker's own loop instead of a thread of its own: a
thread can die alone and leave the ports unguarded, and while it answers a crowd of strangers it takes the
processor from the loop. Here both live and die together, and strangers get a bounded part of each turn. The
sockets enforce the ZAP domain, so without an authenticator nobody gets in.

A connection's User-Id is its public key. It is looked up at each message and each subscription, so that a
key whose file is gone is refused from the next look at the folder on, whatever connections it still has;
those are ended too. libzmq cannot end one connection of a bound socket. But it tells the descriptor that a
message came from (``ZMQ_SRCFD``). Shutting that down looks to libzmq like the peer's own leaving. Should
the descriptor be another connection's by then, that one reconnects in 50 ms.
"""

import contextlib
import logging
import os
import socket
import stat
import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import zmq
import zmq.auth

from turnstile.dispatch.limits import Share, share_of
from turnstile.dispatch.refusals import Refusals
from turnstile.errors import ConfigError, RefusedError, TurnstileError
from turnstile.io.bus.keys import KeyFolder
from turnstile.protocol.permissions import may_subscribe
from turnstile.protocol.roles import Identity, Role
from turnstile.site.settings import CameraSettings, Site

DOMAIN = "turnstile"
LOOK_EVERY_S = 0.25
SETTLED_S = 2.0
"""A folder changed more recently than this is read again: file times are coarse."""

ANSWERS_A_TURN = 16
MAX_CONNECTIONS: dict[Role, int] = {
    "capture": 8,
    "recognizer": 128,
    "logger": 8,
    "display": 8,
    "observer": 64,
    "web": 8,
}
"""Of one key on one port: a recognizer's may serve a whole machine, an observer's several commands at once;
the others have one, and for a moment those that it replaced."""

MAX_SUBSCRIPTIONS = 512
"""Of one connection, refused ones included: libzmq keeps those as well."""

CUT_OFF_S = 10.0
"""How long a key stays out that was refused too often."""

STRANGERS = "unknown or revoked keys"
DEFAULT_MAX_FPS = CameraSettings(source=0).max_fps

log = logging.getLogger("turnstile")


@dataclass(kw_only=True)
class _Connection:
    inode: int
    topics: dict[str, bool] = field(default_factory=dict)
    """What it subscribed to, as libzmq keeps it → whether that was granted."""


@dataclass(kw_only=True)
class _Peer:
    """What is known of the holder of one public key."""

    who: Identity
    share: Share
    cut_off_until_s: float = 0.0
    connections: defaultdict[str, dict[int, _Connection]] = field(default_factory=lambda: defaultdict(dict))
    """By port and descriptor."""


class Guard:
    """Arms the broker's sockets, and answers for each message whose it is.

    Attributes:
        authenticator: pyzmq's, from `start` on.
        refusals: what was refused, by name.
        registry: whose each public key is; another mapping when that changes.
    """

    def __init__(
        self,
        keys: KeyFolder,
        *,
        shown: Mapping[str, Collection[str]],
        max_fps: Mapping[str, float] | None = None,
    ) -> None:
        """Read the keys.

        Args:
            keys: the broker's folder.
            shown: the cameras of each display; none means all.
            max_fps: the frames a second of each camera; the default of a site file for those not named.

        Raises:
            ConfigError: there is no broker's key, or others could read it and cannot be kept from it.
        """
        self.refusals = Refusals()
        self._keys, self._shown, self._max_fps = keys, shown, max_fps or {}
        self._pair = keys.broker_pair()
        self.registry: Mapping[str, Identity] = {}
        self._peers: dict[str, _Peer] = {}
        self._cut_at_s: dict[int, float] = {}
        self._stamp = keys.stamp()
        self._looked_at_s = time.monotonic()
        self._replace_registry(keys.registry())

    def start(self, context: "zmq.Context[zmq.Socket[bytes]]") -> "zmq.Socket[bytes]":
        """Start to answer for sockets of this context, and return what to poll for `answer`."""
        self.authenticator = zmq.auth.Authenticator(context, log=logging.getLogger("turnstile.zap"))
        self.authenticator.configure_curve_callback(DOMAIN, self)
        self.authenticator.start()
        return self.authenticator.zap_socket

    def stop(self) -> None:
        """Answer no more; whoever is in stays in, and nobody else gets in."""
        self.authenticator.stop()

    def watch(self) -> None:
        """Raise a `TurnstileError` when there is no authenticator: then nobody could join any more."""
        zap: zmq.Socket[bytes] | None = self.authenticator.zap_socket
        if zap is None or zap.closed:
            raise TurnstileError("the authenticator is gone, so nobody could join: the broker stops")

    def arm(self, sock: "zmq.Socket[bytes]") -> None:
        """Let only our keys into a socket that is going to be bound.

        Raises:
            ConfigError: this libzmq cannot refuse everybody while there is no authenticator.
        """
        sock.setsockopt(zmq.CURVE_SERVER, 1)
        sock.setsockopt(zmq.CURVE_PUBLICKEY, self._pair.public)
        sock.setsockopt(zmq.CURVE_SECRETKEY, self._pair.secret)
        sock.setsockopt_string(zmq.ZAP_DOMAIN, DOMAIN)
        sock.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        if sock.getsockopt(zmq.ZAP_ENFORCE_DOMAIN) != 1:
            raise ConfigError("keys: this libzmq does not enforce the ZAP domain; 4.3 or newer is needed")

    def answer(self) -> None:
        """Decide about some of those who ask to be let in, and look whether keys came or went."""
        for _ in range(ANSWERS_A_TURN):
            try:
                request = self.authenticator.zap_socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                break
            decision = self.authenticator.handle_zap_message(request)
            with contextlib.suppress(StopIteration):
                decision.send(None)
        now_s = time.monotonic()
        if now_s - self._looked_at_s >= LOOK_EVERY_S:
            self._looked_at_s = now_s
            self._look()

    def callback(self, _domain: str, key: bytes) -> bool:
        """Tell pyzmq's authenticator whether to let a key in."""
        peer = self._peers.get(key.decode())
        if peer is None:
            self._note(STRANGERS, "connecting")
            return False
        now_s = time.monotonic()
        if not peer.share.connections.take(1, now_s):
            self._note(peer.who.name, "connecting too often")
            return False
        return peer.cut_off_until_s <= now_s

    def sender(self, frame: zmq.Frame, octets: int) -> Identity:
        """Return whose a message is that came to the ingress.

        Raises:
            RefusedError: the key was revoked, or its share is used up.
        """
        peer = self._peer(frame)
        if peer.cut_off_until_s > time.monotonic():
            raise self._refuse(peer, frame, "cut off")
        self._connection(peer, frame, "ingress")
        if not peer.share.spend(octets, time.monotonic()):
            raise self._refuse(peer, frame, "more than its share")
        return peer.who

    def admits(self, frame: zmq.Frame, prefix: str) -> bool:
        """Tell whether the sender of a subscription may hear all topics that start with `prefix`."""
        try:
            self._check_subscription(frame, prefix)
        except RefusedError:
            return False
        return True

    def topics_of(self, frame: zmq.Frame) -> dict[str, bool]:
        """Return what the connection of a message is subscribed to, for the caller to keep.

        Each topic with whether it was granted; nothing of a connection that is not known.
        """
        peer, descriptor = self._known(frame), descriptor_of(frame)
        known = None if peer is None else peer.connections["egress"].get(descriptor)
        return known.topics if known is not None and known.inode == inode_of(descriptor) else {}

    def cut(self, frame: zmq.Frame) -> None:
        """End the connection that a message came from.

        Once a second for a descriptor: more of its messages may wait, and by the time they are read the
        descriptor may be another connection's.
        """
        descriptor, now_s = descriptor_of(frame), time.monotonic()
        if now_s - self._cut_at_s.get(descriptor, -1.0) >= 1.0:
            self._cut_at_s[descriptor] = now_s
            _shut_down(descriptor)

    def refuse(self, frame: zmq.Frame, why: str) -> RefusedError:
        """Count that a key's message was refused; cut the key off for 10 s when that is too often."""
        try:
            return self._refuse(self._peer(frame), frame, why)
        except RefusedError as error:
            return error

    def name_of(self, frame: zmq.Frame) -> str:
        """Return whose key a message came with."""
        peer = self._known(frame)
        return STRANGERS if peer is None else peer.who.name

    def _known(self, frame: zmq.Frame) -> _Peer | None:
        try:
            return self._peers.get(str(frame.get("User-Id")))
        except zmq.ZMQError:
            return None

    def _peer(self, frame: zmq.Frame) -> _Peer:
        peer = self._known(frame)
        if peer is None:
            self.cut(frame)
            self._note(STRANGERS, "a message on a connection that is being cut")
            raise RefusedError("a message of a revoked key")
        return peer

    def _connection(self, peer: _Peer, frame: zmq.Frame, port: str) -> _Connection:
        """Return the connection of a message, new if it is the first one.

        Raises:
            RefusedError: the key has too many on this port; the new one is cut.
        """
        descriptor, open_now = descriptor_of(frame), peer.connections[port]
        inode = inode_of(descriptor)
        known = open_now.get(descriptor)
        if known is not None and known.inode == inode:
            return known
        for gone in [fd for fd, one in open_now.items() if inode_of(fd) != one.inode]:
            del open_now[gone]
        if len(open_now) >= MAX_CONNECTIONS[peer.who.role]:
            self.cut(frame)
            raise self._refuse(peer, frame, f"more than {len(open_now)} connections")
        open_now[descriptor] = _Connection(inode=inode)
        return open_now[descriptor]

    def _check_subscription(self, frame: zmq.Frame, prefix: str) -> None:
        """Raise a `RefusedError` unless a subscription is within its sender's role and share."""
        peer = self._peer(frame)
        connection = self._connection(peer, frame, "egress")
        if descriptor_of(frame) < 0:
            raise self._refuse(peer, frame, "a connection that could not be cut off")
        too_many = len(connection.topics) >= MAX_SUBSCRIPTIONS and prefix not in connection.topics
        if too_many or not peer.share.subscriptions.take(1, time.monotonic()):
            self.cut(frame)
            raise self._refuse(peer, frame, "too many subscriptions")
        if not may_subscribe(peer.who, prefix, cameras=self._shown.get(peer.who.name, ())):
            raise self._refuse(peer, frame, f"a {peer.who.role} may not hear {prefix!r:.80}")

    def _refuse(self, peer: _Peer, frame: zmq.Frame, why: str) -> RefusedError:
        now_s = time.monotonic()
        if not peer.share.refusals.take(1, now_s):
            peer.cut_off_until_s = now_s + CUT_OFF_S
            log.warning("%s is cut off for %.0f s: refused too often, last: %s", peer.who, CUT_OFF_S, why)
            peer.share.refusals.left = peer.share.refusals.most
            self._cut_all(peer)
        if peer.cut_off_until_s > now_s:
            self.cut(frame)
        self._note(peer.who.name, why)
        return RefusedError(f"{peer.who}: {why}")

    def _note(self, name: str, why: str) -> None:
        line = self.refusals.note(name, why, time.monotonic())
        if line is not None:
            log.warning("%s", line)

    def _look(self) -> None:
        """Read the folder when it changed, or did so a moment ago."""
        stamp = self._keys.stamp()
        youngest_s = time.time() - max(changed_ns for _, changed_ns in stamp) / 1e9
        if stamp != self._stamp or abs(youngest_s) < SETTLED_S:
            self._stamp = stamp
            self._replace_registry(self._registry())

    def _registry(self) -> Mapping[str, Identity]:
        """Return whose the keys are; without a descriptor left to read them with, whose are still there."""
        try:
            registry = self._keys.registry()
        except OSError as error:
            log.warning("the keys cannot be read, so no new ones come: %s", error.strerror or error)
            self._stamp = ()
            return {key: peer.who for key, peer in self._peers.items() if self._keys.has(peer.who)}
        return registry

    def _replace_registry(self, registry: Mapping[str, Identity]) -> None:
        now_s = time.monotonic()
        if registry != self.registry:
            self.registry = dict(registry)
        for key in [key for key, peer in self._peers.items() if registry.get(key) != peer.who]:
            peer = self._peers.pop(key)
            log.warning("the key of %s was revoked", peer.who)
            self._cut_all(peer)
        for key, who in registry.items():
            if key not in self._peers:
                max_fps = self._max_fps.get(who.name, DEFAULT_MAX_FPS)
                self._peers[key] = _Peer(who=who, share=share_of(who.role, now_s, max_fps=max_fps))

    def _cut_all(self, peer: _Peer) -> None:
        for open_now in peer.connections.values():
            for descriptor, one in open_now.items():
                if inode_of(descriptor) == one.inode:
                    _shut_down(descriptor)
            open_now.clear()


def guard_of(site: Site) -> Guard | None:
    """Return the guard of a site's broker; none if the site has no keys.

    Raises:
        ConfigError: the site has keys, and the broker's is not here.
    """
    if site.keys is None:
        return None
    shown = {name: display.cameras for name, display in site.displays.items()}
    max_fps = {name: camera.max_fps for name, camera in site.cameras.items()}
    return Guard(KeyFolder(Path(site.keys.folder)), shown=shown, max_fps=max_fps)


def descriptor_of(frame: zmq.Frame) -> int:
    """Return the descriptor of the connection that a message came from; -1 when it did not say."""
    try:
        return int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:
        return -1


def inode_of(descriptor: int) -> int:
    """Return what tells one connection from another that had the descriptor later; -1 when it is closed."""
    try:
        return os.fstat(descriptor).st_ino
    except OSError:
        return -1


def _shut_down(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            same = socket.socket(fileno=descriptor)
            try:
                same.shutdown(socket.SHUT_RDWR)
            finally:
                same.detach()  # libzmq's own, and there may be no descriptor left for a copy
