"""Which addresses others can reach: where keys may be left out, and where not."""

from ipaddress import ip_address

from turnstile.site.settings import BrokerSettings


def is_open(broker: BrokerSettings) -> bool:
    """Tell whether any of a broker's addresses can be reached from another machine."""
    return any(not is_local(bind_address(broker, at)) for at in (broker.ingress, broker.egress)) or any(
        not is_local(at) for at in (broker.ingress, broker.egress)
    )


def is_local(address: str) -> bool:
    """Tell whether a ZeroMQ address is loopback or ipc; a host's name is not, whatever it resolves to."""
    if address.startswith("ipc://"):
        return True
    host = address.removeprefix("tcp://").rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def bind_address(broker: BrokerSettings, address: str) -> str:
    """Return the address to bind for one that nodes connect to."""
    if address.startswith("ipc://"):
        return address
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    host = broker.bind_host or host
    numeric = "127.0.0.1" if host == "localhost" else host.strip("[]")
    return f"tcp://[{numeric}]:{port}" if ":" in numeric else f"tcp://{numeric}:{port}"
