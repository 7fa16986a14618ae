"""Topics: the first part of a message, by which subscribers are found. Each ends in a dot."""

from typing import NamedTuple

from turnstile.protocol.envelope import Message


class Outgoing(NamedTuple):
    """A message, and the topic under which it is to be published."""

    topic: str
    message: Message


def work_topic(name: str, instance: str) -> str:
    """Return the topic on which one recognizer process, and nobody else, gets its work."""
    return f"work.{name}.{instance}."


def log_topic(name: str, instance: str) -> str:
    """Return the topic on which one logger process gets the events it fetched."""
    return f"log.{name}.{instance}."


def topic(kind: str, name: str) -> str:
    """Return the topic for one camera's or node's messages of a kind: ``frame.front_door.``."""
    return f"{kind}.{name}."
