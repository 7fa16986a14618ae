"""What a machine knows of itself."""

import platform

import pytest

from turnstile.errors import ConfigError
from turnstile.io.site.machine import is_own_address, this_host
from turnstile.site.settings import HostSettings

ELSEWHERE = "192.0.2.99"
"""An address of documentation, nobody's."""


def test_a_machine_knows_its_names_and_addresses() -> None:
    """A name counts before an address; two addresses of one machine are one too many."""
    mine, other = HostSettings(address="127.0.0.1"), HostSettings(address=ELSEWHERE)
    assert this_host({"a": other, "b": mine}) == "b"
    assert this_host({"a": other}) is None
    assert this_host({"a": mine, platform.node().upper(): other}) == platform.node().upper()
    with pytest.raises(ConfigError, match="has the addresses of a and b; say --host"):
        this_host({"a": mine, "b": mine})
    assert is_own_address("localhost")
    assert not is_own_address("no such name")
