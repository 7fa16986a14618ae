"""Whether a connecting socket reaches the broker, and if not, what to check.

A socket that cannot connect, or whose key is refused, tries again without a word. libzmq tells what happens
to its connections on a monitor socket; the latest event tells an absent broker from a refused key.
"""

import struct
from collections.abc import Callable

import zmq

from turnstile.io.bus.keys import HOW, NodeKey

_AWAY = zmq.Event.CLOSED | zmq.Event.CONNECT_RETRIED
_REFUSED = zmq.Event.HANDSHAKE_FAILED_AUTH
_OTHER_MECHANISM = zmq.Event.HANDSHAKE_FAILED_PROTOCOL
_NO_ANSWER = zmq.Event.HANDSHAKE_FAILED_NO_DETAIL
_IN = zmq.Event.HANDSHAKE_SUCCEEDED
_EVENT = struct.Struct("=hi")
"""What happened and a value, as libzmq sends it. `zmq.utils.monitor` reads it too, but loads asyncio,
which takes a seventh of a capture node's start."""
_WATCHED = _AWAY | _REFUSED | _OTHER_MECHANISM | _NO_ANSWER | _IN | zmq.Event.DISCONNECTED


class Contact:
    """One connecting socket's way to the broker. Belongs to the socket's thread."""

    def __init__(self, address: str, key: NodeKey | None) -> None:
        """Begin without a socket; `watch` gives it one."""
        self._address, self._key = address, key
        self._last: zmq.Event | None = None
        self._monitor: zmq.Socket[bytes] | None = None
        self._unwatch: Callable[[], None] = lambda: None

    @property
    def trouble(self) -> str:
        """Return why the socket is not let in, and what to check; empty when it is."""
        self._catch_up()
        match self._last:
            case zmq.Event.HANDSHAKE_SUCCEEDED:
                return ""
            case zmq.Event.HANDSHAKE_FAILED_AUTH:
                whose = "" if self._key is None else f" of {self._key.who}"
                return (
                    f"the broker at {self._address} refuses the key{whose}: it is unknown there or revoked; "
                    "`turnstile keys list` on the broker's machine shows whose keys it knows"
                )
            case zmq.Event.HANDSHAKE_FAILED_PROTOCOL if self._key is None:
                return f"the broker at {self._address} wants a key and this side has none: {HOW}"
            case zmq.Event.HANDSHAKE_FAILED_PROTOCOL:
                return f"what answers at {self._address} takes no keys: is the port the site's broker's?"
            case zmq.Event.HANDSHAKE_FAILED_NO_DETAIL:
                return (
                    f"something at {self._address} takes connections and does not answer as this site's "
                    "broker: check the port, a firewall between, and that the broker's public key here is "
                    "the one it has now"
                )
            case _:
                return (
                    f"no broker answers at {self._address}: check that it is running, that the address is "
                    "right, and that a firewall lets the port through"
                )

    def watch(self, socket: "zmq.Socket[bytes]") -> None:
        """Watch this socket from now on; what the one before it met still counts until something new does."""
        self.forget()
        self._monitor = socket.get_monitor_socket(_WATCHED)
        self._unwatch = socket.disable_monitor
        if self._last == _IN:
            self._last = None

    def forget(self) -> None:
        """Watch no more; call it before the socket is closed."""
        if self._monitor is not None:
            self._unwatch()
            self._monitor.close(linger=0)
            self._monitor = None

    def _catch_up(self) -> None:
        """Read what happened. What says more than "away" stays until something else is known."""
        while self._monitor is not None and self._monitor.poll(0):
            event = zmq.Event(_EVENT.unpack(self._monitor.recv_multipart()[0])[0])
            if (
                event in (_REFUSED, _OTHER_MECHANISM, _NO_ANSWER, _IN)
                or self._last == _IN
                or event == zmq.Event.CLOSED
            ):
                self._last = event
