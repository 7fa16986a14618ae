"""Which addresses others can reach, so that keys are needed, and which two parts of a site want alike."""

from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from itertools import combinations
from urllib.parse import urlsplit

from turnstile.site.secrecy import masked
from turnstile.site.settings import BrokerSettings, CameraSettings, Site

_EVERYWHERE = ("0.0.0.0", "::", "*")  # noqa: S104 - compared, not bound


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


def clashing_ports(site: Site) -> Iterator[str]:
    """Yield which two of the broker's addresses are one: the second could not be bound."""
    wanted = {"broker.ingress": site.broker.ingress, "broker.egress": site.broker.egress}
    if site.metrics is not None:
        wanted["metrics.listen"] = f"tcp://{site.metrics.listen}"
    for (key, one), (other_key, other) in combinations(wanted.items(), 2):
        if _is_same_port(one, other):
            yield (
                f"{other_key}: {other.removeprefix('tcp://')} is the port of {key}, {one}; each needs its own"
            )


def shared_devices(cameras: Mapping[str, CameraSettings], *, device: Callable[[str], str]) -> Iterator[str]:
    """Yield which cameras read one device, which only one of them can open; `device` follows links."""
    places = {
        name: (camera.host, device(path))
        for name, camera in cameras.items()
        if (path := _device(camera.source)) is not None
    }
    for one, other in _equal(places):
        yield (
            f"cameras.{other}.source: {places[other][1]} is the device of cameras.{one}; only one can open it"
        )


def shared_addresses(cameras: Mapping[str, CameraSettings]) -> Iterator[str]:
    """Yield which cameras read one address: a person at one door would be granted at both."""
    places = {
        name: _without_login(camera.source)
        for name, camera in cameras.items()
        if isinstance(camera.source, str) and "://" in camera.source
    }
    for one, other in _equal(places):
        yield (
            f"cameras.{other}.source: {masked(str(cameras[other].source))} is the address of cameras.{one}: "
            "whoever stands at one door is decided upon at both"
        )


def _device(source: int | str | tuple[str, ...]) -> str | None:
    if isinstance(source, int):
        return f"/dev/video{source}"
    return source if isinstance(source, str) and source.startswith("/dev/") else None


def _equal(places: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield each name whose place an earlier name has, behind that one."""
    first: dict[object, str] = {}
    for name, place in places.items():
        if (other := first.setdefault(place, name)) != name:
            yield other, name


def _is_same_port(one: str, other: str) -> bool:
    if not (one.startswith("tcp://") and other.startswith("tcp://")):
        return False
    (host, port), (other_host, other_port) = (_parts(each) for each in (one, other))
    overlap = host == other_host or host in _EVERYWHERE or other_host in _EVERYWHERE
    return port == other_port and port not in ("0", "*") and overlap


def _parts(address: str) -> tuple[str, str]:
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    host = host.strip("[]").lower()
    return ("127.0.0.1" if host in ("localhost", "::1") else host), port


def _without_login(address: str) -> str:
    """Return an address without user and password, its kind and host in small letters."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    place = parts.netloc.rpartition("@")[2].lower()
    return parts._replace(scheme=parts.scheme.lower(), netloc=place, fragment="").geturl()
