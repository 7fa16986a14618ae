"""Types of the site file's fields, with the values that are valid."""

from typing import Annotated

from msgspec import Meta

_PORT = r"([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])"
Url = Annotated[
    str,
    Meta(
        pattern=rf"\Ahttps?://([^\s/?#@:\[\]\\\x00-\x1f\x7f]+|\[[0-9A-Fa-f:.]+\])(:{_PORT})?([/?#][!-~]*)?\Z",
        max_length=2000,
        description="an address like https://hooks.example/door, without a user's name, spaces or accents",
    ),
]
ENDPOINT_PATTERN = rf"\A(tcp://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):{_PORT}|ipc://[^\s\x00]+)\Z"
Endpoint = Annotated[
    str,
    Meta(
        pattern=ENDPOINT_PATTERN,
        description="an address like tcp://192.168.1.10:5755 or ipc:///run/turnstile/ingress",
    ),
]
"""A ZeroMQ address: ``tcp://host:port``, ``tcp://[IPv6 address]:port`` or ``ipc:///path``."""

_NO_ADDRESS = r"(?!\s*[A-Za-z][A-Za-z0-9+.-]+:/)"
Path = Annotated[str, Meta(pattern=rf"\A{_NO_ADDRESS}[^\x00\ud800-\udfff]{{1,4096}}\Z", description="a path")]
"""A path; an address would be taken for one, and its password be shown wherever the path is."""

PathOrAddress = Annotated[
    str, Meta(pattern=r"\A[^\x00\ud800-\udfff]{1,4096}\Z", description="a path or an address")
]

ELSEWHERE = "on another machine"
"""In a bundle's site file, the source of a camera that is read on another machine."""

HOST_PATTERN = r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,252}\Z"
HostName = Annotated[
    str, Meta(pattern=HOST_PATTERN, description="a host's name of letters, digits, '.', '-' and '_'")
]
"""What a machine is called: letters, digits, ``.``, ``_`` and ``-``."""

ADDRESS_PATTERN = r"\A([A-Za-z0-9][A-Za-z0-9._-]{0,252}|[0-9A-Fa-f:.]{2,45})\Z"
Address = Annotated[
    str, Meta(pattern=ADDRESS_PATTERN, description="an address like 192.168.1.10, fd00::10 or gate.local")
]
"""A machine's IPv4 or IPv6 address, or the name that leads to it."""

MAX_COUNT = 256

Place = Annotated[
    str,
    Meta(pattern=rf"\A{_NO_ADDRESS}[^\x00\ud800-\udfff]{{0,4096}}\Z", description="a path, or '' for none"),
]
"""A path, or empty for none or the default."""

PlaceOrAddress = Annotated[
    str,
    Meta(pattern=r"\A[^\x00\ud800-\udfff]{0,4096}\Z", description="a path or an address, or '' for none"),
]

LISTEN_PATTERN = rf"\A([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(0|{_PORT})\Z"
Listen = Annotated[str, Meta(pattern=LISTEN_PATTERN, description="an address like 127.0.0.1:9464")]
"""Where to listen: ``address:port`` or ``[IPv6 address]:port``; port 0 is any free one."""

Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z", description="64 hexadecimal digits")]
MINIFASNET_SHA256 = "a5eb02e1843f19b5386b953cc4c9f011c3f985d0ee2bb9819eea9a142099bec0"
"""Of `2.7_80x80_MiniFASNetV2.pth` of Silent-Face."""
