"""Loopback addresses that stay free until they are bound.

A port found by binding port 0 and closing it again is somebody else's a moment later. Each address here has a
host of its own out of 127.0.0.0/8. So no other test ever has it, nor has a connection on its way out.
"""

import random
import socket

_FIRST_PORT, _LAST_PORT = 20_000, 32_000
"""Below the ports that the kernel gives to outgoing connections, 32768 and up."""

_dice = random.SystemRandom()


def free_addresses(count: int) -> list[str]:
    """Return so many addresses like ``tcp://127.83.5.61:24001``, which Linux binds without being asked to."""
    return [_free_address() for _ in range(count)]


def _free_address() -> str:
    while True:
        host = f"127.{_dice.randint(1, 254)}.{_dice.randint(1, 254)}.{_dice.randint(1, 254)}"
        port = _dice.randint(_FIRST_PORT, _LAST_PORT)
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:  # somebody has this port on every address
                continue
        return f"tcp://{host}:{port}"
