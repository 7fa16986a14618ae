"""A peer that speaks ZMTP by hand, so that it can do what libzmq never does."""

import socket

_GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
MORE, LONG, COMMAND = 1, 2, 4


class RawPeer:
    """A connection without keys to a bound socket."""

    def __init__(self, port: int, kind: bytes) -> None:
        """Connect and shake hands as a socket of a kind."""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.sendall(_GREETING)
        ready = b"\x05READY\x0bSocket-Type" + len(kind).to_bytes(4, "big") + kind
        self._receive(len(_GREETING))
        self.socket.sendall(bytes([COMMAND, len(ready)]) + ready)
        self._receive(self._receive(2)[1])

    def close(self) -> None:
        """End the connection."""
        self.socket.close()

    def _receive(self, count: int) -> bytes:
        """Return exactly so many bytes. libzmq ends connections of peers that do not wait for its words."""
        found = b""
        while len(found) < count:
            piece = self.socket.recv(count - len(found))
            assert piece, "the connection was closed during the handshake"
            found += piece
        return found

    def send_part(self, body: bytes, *, more: bool) -> bool:
        """Send a part; tell whether the connection still stood."""
        try:
            self.socket.sendall(bytes([LONG | (MORE if more else 0)]) + len(body).to_bytes(8, "big") + body)
        except OSError:
            return False
        return True
