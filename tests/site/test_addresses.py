"""Which addresses a broker binds, and which of them other machines reach."""

import pytest

from turnstile.site.addresses import bind_address, is_local, is_open
from turnstile.site.settings import BrokerSettings


@pytest.mark.parametrize(
    ("address", "bind_host", "bound"),
    [
        ("tcp://127.0.0.1:5755", "", "tcp://127.0.0.1:5755"),
        ("tcp://127.3.2.1:5755", "", "tcp://127.3.2.1:5755"),
        ("tcp://localhost:5755", "", "tcp://127.0.0.1:5755"),
        ("tcp://[::1]:5755", "", "tcp://[::1]:5755"),
        ("tcp://broker.local:5755", "127.0.0.1", "tcp://127.0.0.1:5755"),
        ("tcp://broker.local:5755", "::1", "tcp://[::1]:5755"),
        ("ipc:///run/in", "*", "ipc:///run/in"),
    ],
)
def test_loopback_is_bound_without_keys(address: str, bind_host: str, bound: str) -> None:
    """Nobody else reaches it."""
    assert bind_address(BrokerSettings(ingress=address, bind_host=bind_host), address) == bound
    assert is_local(bound)


@pytest.mark.parametrize(
    ("address", "bind_host"),
    [
        ("tcp://192.168.1.10:5755", ""),
        ("tcp://broker.local:5755", ""),
        ("tcp://127.0.0.1:5755", "0.0.0.0"),  # noqa: S104 - that is what is refused
        ("tcp://127.0.0.1:5755", "*"),
        ("tcp://127.0.0.1:5755", "::"),
        ("tcp://127.0.0.1:5755", "eth0"),
        ("tcp://127.evil.example:5755", ""),
        ("tcp://[fd00::1]:5755", ""),
    ],
)
def test_any_other_address_is_open_to_others(address: str, bind_host: str) -> None:
    """A name is, whatever it resolves to; keys are needed there."""
    assert is_open(BrokerSettings(ingress=address, egress="tcp://127.0.0.1:5756", bind_host=bind_host))


def test_loopback_and_files_are_not_open() -> None:
    """Nobody else reaches them."""
    assert not is_open(BrokerSettings(ingress="ipc:///run/in", egress="tcp://[::1]:5756"))
