"""Who may say what, and who may hear what: the rules that keys are held to.

A key belongs to one name in one role. The rules are closed: what is not allowed here is refused.

==========  ====================================================  ===========================================
role        says                                                  hears, besides ``status.broker.``
==========  ====================================================  ===========================================
capture     `Frame` and `Beat` of its own name                    ``status.<own>.``
recognizer  `Ready`, `Result`, `Template`, `Bye`, `Beat`           ``gallery.``, ``work.<own>.<instance>.``,
            of its own name                                       ``status.<own>.``
logger      `Fetch`, `Entries`, `Reply`, `Beat` of its own name   ``query.``, ``request.<own>.``,
                                                                  ``log.<own>.<instance>.``,
                                                                  ``status.<own>.``; webhooks too
display     `Beat` of its own name                                frames, results, decisions, advice and
                                                                  status of the cameras it shows
observer    `Query` as itself, `Beat` of its own name;            ``status.``, ``access.``, and
            the one named ``operator`` also `Unlock`              ``entries.<own instance>.``
web         `Request` as itself, `Beat` of its own name           frames, results, decisions, advice and
                                                                  status of all; ``reply.<own instance>.``
==========  ====================================================  ===========================================
"""

import re
from collections.abc import Collection

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
    Unlock,
)
from turnstile.protocol.requests import Reply, Request
from turnstile.protocol.roles import OPERATOR, Identity, Role, is_instance_of, is_own_name
from turnstile.protocol.topics import topic

BROKER_TOPIC = "status.broker."
_OF_ONE_CAMERA = ("frame", "result", "access", "guide", "status")


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
        case Reply():
            return topic("reply", message.asker)
        case Ready() | Bye() | Result() | Template() | Fetch() | Query() | Unlock() | Request():
            return f"{type(message).__name__.lower()}."
        case _:
            return ""


def speaker(about: bytes) -> str:
    """Return in words who sends under a topic that may be anything: a camera, a recognizer, a logger."""
    start = about[:MAX_NAMED_BYTES].decode(errors="replace")
    return f"{_SPEAKERS.get(start.partition('.')[0], 'a message')} under the topic {start!r}"


MAX_NAMED_BYTES = 80
_SPEAKERS = {
    "frame": "a camera's message",
    "status": "a node's message",
    **dict.fromkeys(("ready", "result", "template", "bye"), "a recognizer's message"),
    **dict.fromkeys(("fetch", "entries", "reply"), "a logger's message"),
    "request": "a message of the web node",
    **dict.fromkeys(("query", "unlock"), "a command's message"),
}


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
            asked = prefix in ("query.", topic("request", who.name))
            return asked or (kind == "log" and _is_own_process(who, rest))
        case "display":
            return kind in _OF_ONE_CAMERA and _is_shown(rest, cameras)
        case "observer":
            return kind in {"status", "access"} or (kind == "entries" and is_instance_of(who.name, rest[:-1]))
        case "web":
            shown = kind in _OF_ONE_CAMERA and _is_shown(rest, ())
            return shown or (kind == "reply" and is_instance_of(who.name, rest[:-1]))


def _speaks_for(who: Identity, message: AnyMessage) -> bool:
    match message:
        case Frame():
            return message.camera == who.name
        case Beat():
            is_own = is_own_name(who, message.node) and is_instance_of(message.node, message.instance)
            return is_own and message.role in _BEATS_AS.get(who.role, (who.role,))
        case Ready() | Bye() | Result() | Template() | Fetch():
            return is_own_name(who, message.name) and is_instance_of(message.name, message.instance)
        case Entries() | Reply():
            return who.name == (message.logger if isinstance(message, Entries) else message.sender)
        case Query() | Unlock() | Request():
            may_act = not isinstance(message, Unlock) or who.name == OPERATOR
            return may_act and is_instance_of(who.name, message.asker)
        case _:  # pragma: no cover - nobody but the broker sends others; they were refused before
            return False


def _is_own_process(who: Identity, rest: str) -> bool:
    """Tell whether what follows ``work.`` or ``log.`` is ``<own name>.<instance>.``."""
    name, _, instance = rest.removesuffix(".").partition(".")
    return rest.endswith(".") and is_own_name(who, name) and is_instance_of(name, instance)


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
    "logger": (Fetch, Entries, Reply, Beat),
    "display": (Beat,),
    "observer": (Query, Unlock, Beat),
    "web": (Request, Beat),
}
