"""What a node can be, whose key it has, and what its processes are called.

A key belongs to one name in one role. A recognizer's key ``pool`` also speaks for ``pool-1``, ``pool-2`` and
so on, so that one key serves all recognizers of a machine.
"""

import re
from typing import Literal, NamedTuple, get_args

from turnstile.protocol.fields import NAME_PATTERN

Role = Literal["capture", "recognizer", "logger", "display", "observer", "web"]
"""What a key is for."""

ROLES: tuple[Role, ...] = get_args(Role)

NodeRole = Literal["broker", Role]
"""What a beat says its node is."""

NODE_ROLES: tuple[NodeRole, ...] = get_args(NodeRole)

WEB: Literal["web"] = "web"
"""What the site's web node is called."""

OPERATOR = "operator"
"""The observer that may also act."""

_NAME_CHARS_IN_INSTANCE = 50


class Identity(NamedTuple):
    """Whose key it is. As text, ``role:name``, it travels as the ZeroMQ User-Id."""

    role: Role
    name: str

    def __str__(self) -> str:
        return f"{self.role}:{self.name}"


def is_own_name(who: Identity, name: str) -> bool:
    """Tell whether a key speaks for a node's name: its own and, of a recognizer's, the numbered ones."""
    if name == who.name:
        return True
    base, _, number = name.rpartition("-")
    return who.role == "recognizer" and base == who.name and number.isascii() and number.isdigit()


def instance_of(name: str, token: str) -> str:
    """Return what one run of a node is called, given a token that no other run has."""
    return f"{name[:_NAME_CHARS_IN_INSTANCE]}-{token}"


def is_instance_of(name: str, instance: str) -> bool:
    """Tell whether an instance is one of a node of this name."""
    start = instance_of(name, "")
    return instance.startswith(start) and instance != start and bool(re.match(NAME_PATTERN, instance))
