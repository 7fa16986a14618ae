"""The time zone of this machine by name.

Library not taken: tzlocal, which reads a dozen files of old distributions and falls back without a word.
"""

import os
import zoneinfo
from pathlib import Path

LOCALTIME = Path("/etc/localtime")


def machine_zone(localtime: Path = LOCALTIME) -> str:
    """Return the zone's key, such as ``Europe/Vienna``; empty if neither `TZ` nor a link names one."""
    key = os.environ.get("TZ", "").removeprefix(":")
    if not key:
        key = os.path.realpath(localtime).rpartition("zoneinfo/")[2] if localtime.exists() else "UTC"
    try:
        return zoneinfo.ZoneInfo(key).key or ""
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return ""
