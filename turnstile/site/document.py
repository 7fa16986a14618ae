"""A decoded YAML document becomes a site, or an error that says where and what would be valid."""

from typing import Any

import msgspec

from turnstile.errors import ConfigError
from turnstile.site.problems import structured
from turnstile.site.settings import UNIT_BOUNDS, BrokerSettings, Site


def build(document: object) -> Site:
    """Return the site that a decoded YAML document describes.

    Raises:
        ConfigError: an unknown key, a wrong type or a value out of range; it knows the place.
    """
    site = structured(_with_names_of_today(document), Site)
    return _with_addresses(_with_bounds(site, document), document)


def _with_bounds(site: Site, document: object) -> Site:
    """Return the site with the bounds that the document does not state set to those of its encodings."""
    section = document.get("decision") if isinstance(document, dict) else None
    said = set(section) if isinstance(section, dict) else set[str]()
    raw = site.recognition.frame_policy == "raw"
    if raw and site.decision.stranger_rate is not None:
        raise ConfigError(
            "no table says which distance admits so many strangers for raw encodings: state max_distance",
            place=("decision", "stranger_rate"),
        )
    unsaid = {name: value for name, value in UNIT_BOUNDS.items() if not raw and name not in said}
    if "max_distance" in said:
        unsaid.pop("stranger_rate", None)
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


def _with_names_of_today(document: Any) -> object:
    """Return the document with ``decision.throttle`` under the name that it has now."""
    said = document.get("decision") if isinstance(document, dict) else None
    if not isinstance(said, dict) or "throttle" not in said or "lockout" in said:
        return document
    renamed = {"lockout" if key == "throttle" else key: value for key, value in said.items()}
    return document | {"decision": renamed}
