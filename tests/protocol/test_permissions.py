"""Who may say and hear what: every role against every message and every topic."""

from typing import get_args

import pytest
from msgspec.structs import replace

from tests.support.builders import (
    a_beat,
    a_frame,
    a_log,
    a_picture,
    a_ready,
    a_result,
    a_template,
    a_work,
    an_access,
    some_people,
)
from turnstile.protocol.messages import (
    ALL_MESSAGES,
    AnyMessage,
    Bye,
    Entries,
    Fetch,
    Guide,
    Query,
    Rivals,
    Taken,
    Unlock,
)
from turnstile.protocol.permissions import may_subscribe, sent_under, why_not_send
from turnstile.protocol.requests import Reply, Request
from turnstile.protocol.roles import ROLES, Identity, Role

NAMES: dict[Role, str] = {
    "capture": "front_door",
    "recognizer": "pool",
    "logger": "log",
    "display": "porter",
    "observer": "operator",
    "web": "web",
}


def who(role: Role) -> Identity:
    """Return the holder of a key of a role."""
    return Identity(role, NAMES[role])


def own_messages(name: str, role: Role) -> list[AnyMessage]:
    """Return one message of each type, as somebody of that name and role would say it."""
    instance = f"{name}-a1b2c3d4"
    return [
        a_frame(camera=name),
        a_ready(name=name, instance=instance),
        Bye(name=name, instance=instance),
        a_work(),
        a_picture(),
        a_result(name=name, instance=instance),
        a_template(name=name, instance=instance),
        Taken(token="00ff"),
        some_people("Barack Obama"),
        an_access(),
        Guide(camera=name, captured_ns=1, frame_seq=1, advice=()),
        Fetch(name=name, instance=instance, source="", after_seq=0),
        a_log(),
        Query(asker=instance),
        Entries(asker="operator-a1b2c3d4", logger=name, log="", cursor=0, lines=()),
        replace(a_beat(node=name, instance=instance), role=role),
        Unlock(asker=instance, camera="front_door"),
        Request(asker=instance, token="00ff", to="broker", by="Ann", role="clerk", wish=b""),
        Reply(asker="web-a1b2c3d4", token="00ff", sender=name, answer=b""),
        Rivals(node=name, served=instance, refused=f"{name}-00000000"),
    ]


SAYS: dict[Role, set[str]] = {
    "capture": {"Frame", "Beat"},
    "recognizer": {"Ready", "Bye", "Result", "Template", "Beat"},
    "logger": {"Fetch", "Entries", "Reply", "Beat"},
    "display": {"Beat"},
    "observer": {"Query", "Unlock", "Beat"},
    "web": {"Request", "Beat"},
}


def test_the_table_has_every_message_and_every_role() -> None:
    """A message added later is refused to everybody until it is decided about here."""
    assert {type(message) for message in own_messages("front_door", "capture")} == set(ALL_MESSAGES)
    assert set(SAYS) == set(ROLES) == set(get_args(Role))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", [kind.__name__ for kind in ALL_MESSAGES])
def test_a_role_says_what_is_its_own_and_nothing_else(role: Role, kind: str) -> None:
    """In its own name, under the one topic of that message."""
    message = next(one for one in own_messages(NAMES[role], role) if type(one).__name__ == kind)
    why_not = why_not_send(who(role), sent_under(message), message)
    assert (why_not == "") == (kind in SAYS[role]), why_not


def test_only_the_operator_unlocks_a_door() -> None:
    """An observer of another name may look, and act on nothing."""
    for name, why_not in (("operator", ""), ("guest", "Unlock in another's name")):
        message = Unlock(asker=f"{name}-a1b2c3d4", camera="front_door")
        assert why_not_send(Identity("observer", name), "unlock.", message) == why_not


@pytest.mark.parametrize("role", ROLES)
def test_nobody_speaks_in_anothers_name(role: Role) -> None:
    """Not even for somebody of the same role."""
    for message in own_messages("somebody_else", role):
        assert why_not_send(who(role), sent_under(message), message)


@pytest.mark.parametrize("role", ROLES)
def test_nobody_speaks_under_another_topic(role: Role) -> None:
    """A topic decides who hears a message: a beat under a camera's frames would reach its displays."""
    for message in own_messages(NAMES[role], role):
        for about in ("", "frame.", "frame.back_door.", "status.broker.", "gallery.", "work.pool.pool-1."):
            assert why_not_send(who(role), about, message)


def test_a_beat_tells_the_keys_own_role() -> None:
    """A display that beats as a camera or as the broker is refused."""
    for role in ("capture", "broker", "observer"):
        beat = replace(a_beat(node="porter", instance="porter-a1b2c3d4"), role=role)
        assert why_not_send(who("display"), "status.porter.", beat) == "Beat in another's name"


@pytest.mark.parametrize(
    ("name", "instance", "allowed"),
    [
        ("pool", "pool-a1b2c3d4", True),
        ("pool-3", "pool-3-a1b2c3d4", True),
        ("pool-3", "pool-4-a1b2c3d4", False),
        ("pool", "pool", False),
        ("pool", "pool-", False),
        ("pool-x", "pool-x-a1b2c3d4", False),
        ("pool-", "pool--a1b2c3d4", False),
        ("pool-3-4", "pool-3-4-a1b2c3d4", False),
        ("pool-³", "pool-³-a1b2c3d4", False),
        ("poo", "poo-l-a1b2c3d4", False),
    ],
)
def test_a_recognizers_key_serves_its_numbered_names(name: str, instance: str, *, allowed: bool) -> None:
    """One key for all recognizers of a machine; an instance bears its node's name."""
    ready = a_ready(name=name, instance=instance)
    assert (why_not_send(who("recognizer"), "ready.", ready) == "") == allowed
    assert may_subscribe(who("recognizer"), f"work.{name}.{instance}.") == allowed


def test_no_other_role_has_numbered_names() -> None:
    """The camera front_door-1 is another camera."""
    assert why_not_send(who("capture"), "frame.front_door-1.", a_frame(camera="front_door-1"))


HEARD: dict[str, set[str]] = {
    "": set(),
    "s": set(),
    "status.": {"display", "web", "observer"},
    "status.broker.": set(ROLES),
    "status.broker": {"observer"},
    "status.front_door.": {"capture", "display", "web", "observer"},
    "status.front_door": {"observer"},
    "status.pool.": {"recognizer", "display", "web", "observer"},
    "status.log.": {"logger", "display", "web", "observer"},
    "status.porter.": {"display", "web", "observer"},
    "status.operator.": {"display", "web", "observer"},
    "frame.": {"display", "web"},
    "frame": set(),
    "frame.front_door.": {"display", "web"},
    "frame.front_door": set(),
    "frame.a.b.": set(),
    "result.": {"display", "web"},
    "result.front_door.": {"display", "web"},
    "access.": {"display", "web", "observer"},
    "access.front_door.": {"display", "web", "observer"},
    "guide.front_door.": {"display", "web"},
    "gallery.": {"recognizer"},
    "gallery": set(),
    "work.": set(),
    "work.pool.": set(),
    "work.pool.pool-a1b2c3d4.": {"recognizer"},
    "work.pool.pool-a1b2c3d4": set(),
    "work.pool.other-a1b2c3d4.": set(),
    "work.other.other-a1b2c3d4.": set(),
    "work.pool.pool-a.b.": set(),
    "log.": set(),
    "log.log.": set(),
    "log.log.log-a1b2c3d4.": {"logger"},
    "log.other.other-a1b2c3d4.": set(),
    "query.": {"logger"},
    "query": set(),
    "entries.": set(),
    "entries.operator-a1b2c3d4.": {"observer"},
    "entries.other-a1b2c3d4.": set(),
    "entries.operator.": set(),
    "request.": set(),
    "request.log.": {"logger"},
    "request.other.": set(),
    "reply.": set(),
    "reply.web-a1b2c3d4.": {"web"},
    "reply.other-a1b2c3d4.": set(),
    "ready.": set(),
    "something.": set(),
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("prefix", HEARD)
def test_a_role_hears_what_is_its_own_and_nothing_else(role: Role, prefix: str) -> None:
    """A shorter prefix would hear more, so it is another right."""
    assert may_subscribe(who(role), prefix) == (role in HEARD[prefix])


def test_a_display_hears_only_the_cameras_it_shows() -> None:
    """When the site file names them; all of them at once is then too much."""
    shown = ("front_door",)
    assert may_subscribe(who("display"), "frame.front_door.", cameras=shown)
    assert not may_subscribe(who("display"), "frame.back_door.", cameras=shown)
    assert not may_subscribe(who("display"), "frame.", cameras=shown)
    assert may_subscribe(who("display"), "status.broker.", cameras=shown)
