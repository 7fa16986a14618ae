"""Who may say what, and who may hear what: the rules that keys are held to.

A key belongs to one name in one role. The rules are closed: what is not allowed here is refused.

==========  ====================================================  ===========================================
role        says                                                  hears, besides ``status.broker.``
==========  ====================================================  ===========================================
capture     `Frame` and `Beat` of its own name                    ``status.<own>.``
recognizer  `Ready`, `Result`, `Template`, `Bye`, `Beat`           ``gallery.``, ``work.<own>.<instance>.``,
            of its own name                                       ``status.<own>.``
logger      `Fetch`, `Entries`, `Beat` of its own name            ``query.``, ``log.<own>.<instance>.``,
                                                                  ``status.<own>.``; webhooks too
display     `Beat` of its own name                                frames, results, decisions, advice and
                                                                  status of the cameras it shows
observer    `Query` as itself, `Beat` of its own name             ``status.``, ``access.``, and
                                                                  ``entries.<own instance>.``
==========  ====================================================  ===========================================

A recognizer's key ``pool`` also speaks for ``pool-1``, ``pool-2`` and so on, so that one key serves all
recognizers of a machine.
"""

import re
from collections.abc import Collection
from typing import Literal, NamedTuple, get_args

from turnstile.protocol.fields import NAME_PATTERN
from turnstile.protocol.messages import (
    AnyMessage,
    Beat,
    Bye,
    Entries,
    Fetch,
    Frame,
    Query,
    Ready,
    Result,
    Template,
)
from turnstile.protocol.topics import topic

Role = Literal["capture", "recognizer", "logger", "display", "observer"]
ROLES: tuple[Role, ...] = get_args(Role)

BROKER_TOPIC = "status.broker."
_OF_ONE_CAMERA = ("frame", "result", "access", "guide", "status")
_INSTANCE_NAME_CHARS = 50
"""How much of its node's name an instance bears, see `turnstile.io.runner.node`."""


class Identity(NamedTuple):
    """Whose key it is. As text, ``role:name``, it travels as the ZeroMQ User-Id."""

    role: Role
    name: str

    def __str__(self) -> str:
        return f"{self.role}:{self.name}"


def identity_of(text: str) -> Identity | None:
    """Return the identity that a User-Id stands for; none when it stands for none."""
    role, _, name = text.partition(":")
    for known in ROLES:
        if role == known and re.match(NAME_PATTERN, name):
            return Identity(known, name)
    return None


def why_not_send(who: Identity, about: str, message: AnyMessage) -> str:
    """Return why somebody may not say this message under this topic; empty when it may."""
    kind = type(message).__name__
    if not isinstance(message, _SAYS[who.role]):
        return f"a {who.role} says no {kind}"
    if not _speaks_for(who, message):
        return f"{kind} in another's name"
    if about != sent_under(message):
        return f"{kind} under another topic"
    return ""


def sent_under(message: AnyMessage) -> str:
    """Return the only topic under which nodes say a message; empty when only the broker says it."""
    match message:
        case Frame():
            return topic("frame", message.camera)
        case Beat():
            return topic("status", message.node)
        case Entries():
            return topic("entries", message.asker)
        case Ready() | Bye() | Result() | Template() | Fetch() | Query():
            return f"{type(message).__name__.lower()}."
        case _:
            return ""


def may_subscribe(who: Identity, prefix: str, *, cameras: Collection[str] = ()) -> bool:
    """Tell whether somebody may subscribe to all topics that start with `prefix`.

    Args:
        who: whose key it is.
        prefix: what was subscribed to.
        cameras: those that a display shows; empty means all.
    """
    if prefix in (BROKER_TOPIC, topic("status", who.name)):
        return True
    kind, dot, rest = prefix.partition(".")
    return bool(dot) and _hears(who, prefix, kind, rest, cameras)


def _hears(who: Identity, prefix: str, kind: str, rest: str, cameras: Collection[str]) -> bool:
    match who.role:
        case "capture":
            return False
        case "recognizer":
            return prefix == "gallery." or (kind == "work" and _is_own_process(who, rest))
        case "logger":
            return prefix == "query." or (kind == "log" and _is_own_process(who, rest))
        case "display":
            return kind in _OF_ONE_CAMERA and _is_shown(rest, cameras)
        case "observer":
            return kind in {"status", "access"} or (kind == "entries" and _is_own_instance(who, rest[:-1]))


def is_own_name(who: Identity, name: str) -> bool:
    """Tell whether a key speaks for a node's name: its own and, of a recognizer's, the numbered ones."""
    if name == who.name:
        return True
    base, _, number = name.rpartition("-")
    return who.role == "recognizer" and base == who.name and number.isascii() and number.isdigit()


def _speaks_for(who: Identity, message: AnyMessage) -> bool:
    match message:
        case Frame():
            return message.camera == who.name
        case Beat():
            return message.role in _BEATS_AS.get(who.role, (who.role,)) and is_own_name(who, message.node)
        case Ready() | Bye() | Result() | Template() | Fetch():
            return is_own_name(who, message.name) and _is_instance(message.name, message.instance)
        case Entries():
            return message.logger == who.name
        case Query():
            return _is_own_instance(who, message.asker)
        case _:
            return False


def _is_own_process(who: Identity, rest: str) -> bool:
    """Tell whether what follows ``work.`` or ``log.`` is ``<own name>.<instance>.``."""
    name, _, instance = rest.removesuffix(".").partition(".")
    return rest.endswith(".") and is_own_name(who, name) and _is_instance(name, instance)


def _is_own_instance(who: Identity, instance: str) -> bool:
    return _is_instance(who.name, instance)


def _is_instance(name: str, instance: str) -> bool:
    """Tell whether an instance bears a node's name, followed by a dash and something more."""
    start = f"{name[:_INSTANCE_NAME_CHARS]}-"
    return instance.startswith(start) and bool(re.match(NAME_PATTERN, instance)) and instance != start


def _is_shown(rest: str, cameras: Collection[str]) -> bool:
    """Tell whether what follows ``frame.`` is ``<camera>.`` of a camera shown, or all of them."""
    camera = rest.removesuffix(".")
    if not rest:
        return not cameras
    return rest.endswith(".") and bool(re.match(NAME_PATTERN, camera)) and (not cameras or camera in cameras)


_BEATS_AS: dict[Role, tuple[Role, ...]] = {"logger": ("logger", "observer")}
"""A webhook fetches what is journalled, as a logger does, and calls itself an observer."""

_SAYS: dict[Role, tuple[type, ...]] = {
    "capture": (Frame, Beat),
    "recognizer": (Ready, Result, Template, Bye, Beat),
    "logger": (Fetch, Entries, Beat),
    "display": (Beat,),
    "observer": (Query, Beat),
}
