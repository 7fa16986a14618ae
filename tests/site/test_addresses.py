"""Which addresses a broker binds, and which of them other machines reach."""

import pytest

from turnstile.site.addresses import (
    bind_address,
    clashing_ports,
    is_local,
    is_open,
    shared_addresses,
    shared_devices,
)
from turnstile.site.settings import BrokerSettings, CameraSettings, MetricsSettings, Site


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


@pytest.mark.parametrize(
    ("egress", "listen", "keys"),
    [
        ("tcp://127.0.0.1:5756", "127.0.0.1:5755", ["metrics.listen"]),
        ("tcp://127.0.0.1:5756", "0.0.0.0:5756", ["metrics.listen"]),
        ("tcp://localhost:5755", "127.0.0.1:9464", ["broker.egress"]),
        ("tcp://127.0.0.1:5756", "127.0.0.1:0", []),
        ("tcp://127.0.0.1:5756", "192.0.2.1:5755", []),
        ("ipc:///run/out", "127.0.0.1:9464", []),
    ],
)
def test_a_port_that_is_wanted_twice_is_named(egress: str, listen: str, keys: list[str]) -> None:
    """Under whatever name of the machine; any free port is nobody's."""
    broker = BrokerSettings(ingress="tcp://127.0.0.1:5755", egress=egress)
    site = Site(site="test", cameras={}, broker=broker, metrics=MetricsSettings(listen=listen))
    assert [said.partition(":")[0] for said in clashing_ports(site)] == keys


def test_two_cameras_on_one_device_are_named() -> None:
    """By number, by path, or by a link; not if they are on two machines, and not two files."""
    links = {"/dev/v4l/by-id/cam": "/dev/video2"}
    cameras = {
        "front": CameraSettings(source=2),
        "back": CameraSettings(source="/dev/v4l/by-id/cam"),
        "far": CameraSettings(source=2, host="cellar"),
        "clip": CameraSettings(source="/clips/a.mp4"),
        "again": CameraSettings(source="/clips/a.mp4"),
    }
    assert list(shared_devices(cameras, device=lambda path: links.get(path, path))) == [
        "cameras.back.source: /dev/video2 is the device of cameras.front; only one can open it"
    ]


def test_two_cameras_on_one_address_are_named_without_the_password() -> None:
    """Whoever stands before that camera would open both doors."""
    cameras = {
        "front": CameraSettings(source="rtsp://ann:s3cret@CAM.example:554/main"),
        "back": CameraSettings(source="RTSP://bob:s4cret@cam.example:554/main"),
        "side": CameraSettings(source="rtsp://cam.example:554/sub"),
    }
    (said,) = shared_addresses(cameras)
    assert said.startswith("cameras.back.source: RTSP://cam.example:554/… is the address of cameras.front: ")
