"""A peer with a key that speaks ZMTP and CURVE by hand, so that it can do what libzmq never does.

The ciphers are those of the libsodium in pyzmq's wheel (rfc.zeromq.org/spec/26). PyNaCl was rejected: it
would be a dependency for one attack.
"""

import ctypes
import os
import socket
from pathlib import Path

import zmq
from zmq.utils import z85

_GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"CURVE".ljust(20, b"\0") + bytes(32)
_COMMAND, _LONG = 4, 2
_KEY_BYTES, _MAC_BYTES = 32, 16

LIBRARIES = sorted((Path(zmq.__file__).parent.parent / "pyzmq.libs").glob("libsodium*"))
"""Empty where pyzmq brings none."""


class CurvePeer:
    """A connection with a key to one of the broker's ports."""

    def __init__(
        self, connected: socket.socket, public: bytes, secret: bytes, server: bytes, *, kind: bytes = b"PUSH"
    ) -> None:
        """Shake hands as a socket of a kind; the keys are in Z85."""
        self._sodium = ctypes.CDLL(str(LIBRARIES[0]))
        self._counter = 0
        own, own_secret, server_key = map(z85.decode, (public, secret, server))
        self.socket = connected
        self.socket.sendall(_GREETING)
        self._receive(len(_GREETING))
        self._secret, brief = ctypes.create_string_buffer(_KEY_BYTES), ctypes.create_string_buffer(_KEY_BYTES)
        self._sodium.crypto_box_keypair(brief, self._secret)
        nonce = self._nonce()
        hello = self._box(bytes(64), b"CurveZMQHELLO---" + nonce, server_key, self._secret.raw)
        self._send(b"\x05HELLO\x01\x00" + bytes(72) + brief.raw + nonce + hello, _COMMAND)
        welcome = self._command()
        opened = self._unbox(welcome[24:], b"WELCOME-" + welcome[8:24], server_key, self._secret.raw)
        self._server, cookie = opened[:_KEY_BYTES], opened[_KEY_BYTES:]
        vouched = os.urandom(16)
        vouch = self._box(brief.raw + server_key, b"VOUCH---" + vouched, self._server, own_secret)
        metadata = b"\x0bSocket-Type" + len(kind).to_bytes(4, "big") + kind
        nonce = self._nonce()
        said = own + vouched + vouch + metadata
        initiate = self._box(said, b"CurveZMQINITIATE" + nonce, self._server, self._secret.raw)
        self._send(b"\x08INITIATE" + cookie + nonce + initiate, _COMMAND)
        self._command()

    def close(self) -> None:
        """End the connection."""
        self.socket.close()

    def send_part(self, body: bytes, *, more: bool) -> bool:
        """Send a part; tell whether the connection still stood."""
        nonce = self._nonce()
        box = self._box(bytes([more]) + body, b"CurveZMQMESSAGEC" + nonce, self._server, self._secret.raw)
        try:
            self._send(b"\x07MESSAGE" + nonce + box, 0)
        except OSError:
            return False
        return True

    def _nonce(self) -> bytes:
        self._counter += 1
        return self._counter.to_bytes(8, "big")

    def _box(self, plain: bytes, nonce: bytes, key: bytes, secret: bytes) -> bytes:
        box = ctypes.create_string_buffer(len(plain) + _MAC_BYTES)
        self._sodium.crypto_box_easy(box, plain, ctypes.c_ulonglong(len(plain)), nonce, key, secret)
        return box.raw

    def _unbox(self, box: bytes, nonce: bytes, key: bytes, secret: bytes) -> bytes:
        plain = ctypes.create_string_buffer(len(box) - _MAC_BYTES)
        wrong = self._sodium.crypto_box_open_easy(
            plain, box, ctypes.c_ulonglong(len(box)), nonce, key, secret
        )
        assert not wrong, "the broker's words are not sealed with its key"
        return plain.raw

    def _send(self, body: bytes, flags: int) -> None:
        self.socket.sendall(bytes([flags | _LONG]) + len(body).to_bytes(8, "big") + body)

    def _command(self) -> bytes:
        (flags,) = self._receive(1)
        return self._receive(int.from_bytes(self._receive(8 if flags & _LONG else 1), "big"))

    def _receive(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            piece = self.socket.recv(count - len(found))
            if not piece:
                raise ConnectionError("the connection was closed during the handshake")
            found += piece
        return found
