"""What may be said of an address that can hold a password: its kind and host, and nothing else.

Cameras have passwords before the host, in the path (``/user=admin&password=…``), in the query, or as the path
(tokens). People type ``#``, ``/`` and ``?`` into them without encoding, forget ``rtsp://``, or list several
addresses. So an address is not parsed to find the secret; what is surely no secret is taken from it.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote

HIDDEN = "…"

_MIN_TOKEN = 16
"""Characters of a part of a path that may be a token: 64 bits in hexadecimal."""

_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*://)(.*)", re.DOTALL)
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")
_HOST_AND_PATH = re.compile(
    r"(?i)\s*[a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?/|(.*/)?\s*(rtsps?|rtmps?|https?|udp|tcp|rtp|srt|postgres(ql)?)[:;]/"
)
"""A host's name at the beginning, or a kind of address with one slash, as paths are written with."""
_NUMERIC_HOST = re.compile(r"(^|/)\d{1,3}(\.\d{1,3}){3}(:\d+)?(/|$)|(^|/)[A-Za-z0-9._-]+:\d{1,5}/")
_KEYS = (
    r"(?:(?:ssl)?pass(?:word|wd|phrase|code)?|pwd|psw|pw|user(?:name)?|usr|login|(?:[a-z_-]*)(?:token|key|secret)|"
    r"auth|authorization|credentials?|sig(?:nature)?|session(?:id)?|pin|code)"
)
_KEY_AND_VALUE = re.compile(rf"(?i)((?:^|[?&/;,\s'\"]){_KEYS}=)[^\s&;,'\"]*")
_BEFORE_HOST = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s'\"]*@")
_AUTHORIZATION = re.compile(
    r"(?i)(\bauthorization['\"]?\s*[:=]\s*['\"]?(?:[a-z]+\s+)?|\bbearer\s+)[^\s'\",;]+"
)
_BEHIND_HOST = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*://[^\s'\"/]+|(?<![\w./-])[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?::\d{1,5})?)(/[^\s'\"]*)"
)
_SEGMENT = re.compile(rf"(?<=/)[A-Za-z0-9_~+=%-]{{{_MIN_TOKEN},}}(?=[/?#\s'\",;:)\]]|$)")
"""A whole part of a path. One with a dot is a file's name."""
_ENCODE = "in a password write # as %23, / as %2F, ? as %3F and @ as %40"

_MIN_PIECE, _MIN_PATH_PIECE = 3, 8
"""Characters of a part of an address that is replaced where it stands alone in a text."""


def masked(place: str) -> str:
    """Return an address as it may be shown; a file's path as it is, unless it looks like an address."""
    found = _SCHEME.fullmatch(place)
    if found is None:
        return HIDDEN if is_address(place) else without_secrets(place)
    scheme, rest = found.groups()
    if scheme in {"ipc://", "postgresql://"}:
        return without_secrets(re.sub(r"//.*@", f"//{HIDDEN}@", place, flags=re.DOTALL))
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    if "@" in rest[len(authority) :]:
        return f"{scheme}{HIDDEN}"
    host = authority.rpartition("@")[2]
    tail = rest[len(authority) :]
    if not _HOST.fullmatch(host):
        return f"{scheme}{HIDDEN}"
    return f"{scheme}{host}" + (f"/{HIDDEN}" if tail.strip("/") else "")


def is_address(place: str) -> bool:
    """Tell whether something without a scheme looks like an address all the same."""
    return bool(
        "@" in place
        or "://" in place
        or _HOST_AND_PATH.match(place)
        or _NUMERIC_HOST.search(place)
        or _KEY_AND_VALUE.search(place)
    )


def hint(place: str) -> str:
    """Return what to write otherwise in an address whose parts cannot be told apart; empty if they can."""
    found = _SCHEME.fullmatch(place)
    if found is None:
        return "an address begins with its kind, such as rtsp://" if is_address(place) else ""
    authority = re.split(r"[/?#\\]", found[2], maxsplit=1)[0]
    broken = "@" in found[2][len(authority) :] or authority.count("@") > 1
    return _ENCODE if broken or not _HOST.fullmatch(authority.rpartition("@")[2]) else ""


def without_secrets(text: str) -> str:
    """Return any text without its passwords, keys and tokens.

    These stand before a host, behind a key such as ``password=``, or behind ``Authorization:`` or ``Bearer``.
    A part of a path looks like a token if it has 16 characters or more: capitals, small letters and digits,
    or hexadecimal digits. Behind a host, letters and digits are enough.
    """
    text = _BEFORE_HOST.sub(rf"\1{HIDDEN}@", text)
    text = _AUTHORIZATION.sub(rf"\1{HIDDEN}", _KEY_AND_VALUE.sub(rf"\1{HIDDEN}", text))
    text = _BEHIND_HOST.sub(lambda found: found[1] + _SEGMENT.sub(_hide_mixed, found[2]), text)
    return _SEGMENT.sub(_hide_token, text)


def _hide_mixed(found: re.Match[str]) -> str:
    """Hide a part of a path behind a host that has letters and digits."""
    return HIDDEN if re.search(r"\d", found[0]) and re.search(r"[A-Za-z]", found[0]) else found[0]


def _hide_token(found: re.Match[str]) -> str:
    """Hide a part of any path that no person would call a file or folder."""
    text = found[0]
    if not re.search(r"\d", text) or not re.search(r"[A-Za-z]", text):
        return text
    is_mixed = bool(re.search(r"[a-z]", text) and re.search(r"[A-Z]", text))
    return HIDDEN if is_mixed or re.fullmatch(r"[0-9a-fA-F]+", text) else text


def hide(text: str, place: str) -> str:
    """Return a text that may repeat an address, whole or in parts, with nothing of it but kind and host."""
    if _SCHEME.fullmatch(place) is None and not is_address(place):
        return without_secrets(text)
    text = text.replace(place, masked(place))
    for piece in sorted(set(_pieces(place)), key=len, reverse=True):
        text = text.replace(piece, HIDDEN)
    return without_secrets(text)


def _pieces(place: str) -> Iterator[str]:
    """Give the parts of an address that may be secret, as written and decoded."""
    found = _SCHEME.fullmatch(place)
    rest = place if found is None else found[2]
    before, _, behind = rest.rpartition("@")
    shown = masked(place).removesuffix(f"/{HIDDEN}").rpartition("://")[2]
    values = [before, *re.split(r"[:/?#&;,\s]", before), *re.split(r"[=&?#;,\s]", behind)]
    tail = behind.partition("/")[2] or behind.partition("?")[2]
    pieces = [(one, _MIN_PIECE) for one in values] + [
        (one, _MIN_PATH_PIECE) for one in (tail, *re.split(r"[/?#&=]", behind))
    ]
    for piece, least in pieces:
        for one in (piece, unquote(piece)):
            if len(one) >= least and one not in shown and shown not in one:
                yield one
