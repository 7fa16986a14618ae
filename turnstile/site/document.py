"""A decoded YAML document becomes a site, or an error that says where and what would be valid."""

import re
from typing import get_args, get_type_hints

import msgspec

from turnstile.errors import ConfigError
from turnstile.protocol.fields import NAME_PATTERN
from turnstile.site.fields import (
    ADDRESS_PATTERN,
    ENDPOINT_PATTERN,
    HOST_PATTERN,
    LISTEN_PATTERN,
    PATH_PATTERN,
    PLACE_PATTERN,
)
from turnstile.site.settings import (
    UNIT_BOUNDS,
    BrokerSettings,
    CameraSettings,
    DisplaySettings,
    HostSettings,
    LoggerSettings,
    RecognizerSettings,
    Section,
    Site,
    WebhookSettings,
)


def build(document: object) -> Site:
    """Return the site that a decoded YAML document describes.

    Raises:
        ConfigError: an unknown key, a wrong type or a value out of range; the text names its path.
    """
    try:
        site = msgspec.convert(document, Site)
    except msgspec.ValidationError as error:
        raise ConfigError(_explain(document, error)) from error
    return _with_addresses(_with_bounds(site, document), document)


def _with_bounds(site: Site, document: object) -> Site:
    """Return the site with the bounds that the document does not state set to those of its encodings."""
    said = document.get("decision") if isinstance(document, dict) else None
    own = {} if site.recognition.frame_policy == "raw" else UNIT_BOUNDS
    unsaid = {name: value for name, value in own.items() if not isinstance(said, dict) or name not in said}
    return msgspec.structs.replace(site, decision=msgspec.structs.replace(site.decision, **unsaid))


def _with_addresses(site: Site, document: object) -> Site:
    """Return the site with the broker's addresses, if the document states neither, those of its host."""
    said = document.get("broker") if isinstance(document, dict) else None
    if not site.hosts or not isinstance(said, dict) or {"ingress", "egress"} & set(said):
        return site
    address = site.hosts[site.broker.host].address
    where = f"[{address}]" if ":" in address else address
    ingress, egress = (
        default.replace("127.0.0.1", where) for default in (BrokerSettings().ingress, BrokerSettings().egress)
    )
    return msgspec.structs.replace(
        site, broker=msgspec.structs.replace(site.broker, ingress=ingress, egress=egress)
    )


def _explain(document: object, error: msgspec.ValidationError) -> str:
    """Return the error with its whole path, the value, and what would be valid."""
    path: str = ""
    kind: type[Section] = Site
    for section, entry_kind in _NAMED.items():
        entries = document.get(section) if isinstance(document, dict) else None
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            try:
                msgspec.convert(entry, entry_kind)
            except msgspec.ValidationError as first:
                if f"$.{section}[...]" in str(error):
                    error, path, kind = first, f"{section}.{name}", entry_kind
                    break
    found = re.search(r" - at `(?:key` in `)?\$\.?([^`]*)`$", str(error))
    if found is None and error.__cause__ is not None:
        return str(error)
    message = str(error) if found is None else str(error)[: found.start()]
    for pattern, words in _PATTERNS.items():
        message = message.replace(f"`str` matching regex {pattern!r}", words)
    inner = "" if found is None else found[1].replace("[...]", ".*")
    where = ".".join(part for part in (path, inner) if part)
    got = "" if re.search("got|field|enum", message) else _value(document, where)
    return f"{where or 'top level'}: {message}{got}{_valid(kind, inner, message)}"


def _value(document: object, where: str) -> str:
    """Return the value at a path, or the first bad name if that is what the path leads to."""
    found = document
    for part in re.findall(r"[^.\[\]]+", where):
        if isinstance(found, dict):
            found = found.get(part)
        elif isinstance(found, list) and part.isdecimal():
            found = found[int(part)]
    if isinstance(found, dict):
        pattern = HOST_PATTERN if where == "hosts" else NAME_PATTERN
        bad = (name for name in found if not re.match(pattern, str(name)))
        return next((f", got {name!r}" for name in bad), "")
    return f", got {found!r:.80}"


def _valid(kind: type[Section], inner: str, message: str) -> str:
    """Return the valid keys of a section, or the valid values of a field with only a few."""
    *sections, last = inner.split(".") if "unknown field" not in message else [*inner.split("."), ""]
    for part in filter(None, sections):
        hint = get_type_hints(kind).get(part)
        if not (isinstance(hint, type) and issubclass(hint, Section)):
            return ""
        kind = hint
    if "unknown field" in message:
        return f"; valid keys are: {', '.join(kind.__struct_fields__)}"
    if "enum value" in message:
        return f"; valid are: {', '.join(map(str, get_args(get_type_hints(kind).get(last))))}"
    return ""


_PATTERNS = {
    NAME_PATTERN: "a name of letters, digits, '-' and '_', at most 63",
    ENDPOINT_PATTERN: "an address like tcp://192.168.1.10:5755 or ipc:///run/turnstile/ingress",
    PATH_PATTERN: "a path",
    PLACE_PATTERN: "a path or nothing",
    HOST_PATTERN: "a host's name of letters, digits, '.', '-' and '_'",
    ADDRESS_PATTERN: "an address like 192.168.1.10, fd00::10 or gate.local",
    LISTEN_PATTERN: "an address like 127.0.0.1:9464",
}

_NAMED: dict[str, type[Section]] = {
    "hosts": HostSettings,
    "cameras": CameraSettings,
    "recognizers": RecognizerSettings,
    "loggers": LoggerSettings,
    "displays": DisplaySettings,
    "webhooks": WebhookSettings,
}
