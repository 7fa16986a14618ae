"""What a node can be, and what its processes are called."""

import pytest

from turnstile.protocol.fields import MAX_NAME_CHARS
from turnstile.protocol.messages import Beat
from turnstile.protocol.roles import NODE_ROLES, ROLES, Identity, instance_of, is_instance_of, is_own_name


@pytest.mark.parametrize("name", ["front_door", "x", "n" * MAX_NAME_CHARS])
def test_an_instance_is_known_by_its_nodes_name(name: str) -> None:
    """However long the name is, the instance is a valid name and recognised as the node's."""
    instance = instance_of(name, "00c0ffee")
    assert is_instance_of(name, instance)
    assert len(instance) <= MAX_NAME_CHARS


@pytest.mark.parametrize("instance", ["door", "door-", "back-00c0ffee", "door-00c0 ffee", ""])
def test_what_is_no_instance_of_a_node_is_refused(instance: str) -> None:
    """A name alone, a bare dash, another's, and what is no valid name."""
    assert not is_instance_of("door", instance)


def test_a_broker_has_a_role_and_no_key_of_one() -> None:
    """Every role that a key is for can beat, and the broker besides."""
    assert set(NODE_ROLES) - set(ROLES) == {"broker"}
    assert Beat.__annotations__["role"].__args__ == NODE_ROLES


def test_a_recognizers_key_speaks_for_its_numbered_processes_only() -> None:
    """No other role's does."""
    assert is_own_name(Identity("recognizer", "pool"), "pool-12")
    assert not is_own_name(Identity("recognizer", "pool"), "pool-one")
    assert not is_own_name(Identity("capture", "door"), "door-1")
