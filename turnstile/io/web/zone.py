"""The zone of a site's times: that of its rules, as the broker says, or this machine's until it does."""

import asyncio
import datetime as dt
import zoneinfo

from turnstile.io.site.zone import machine_zone
from turnstile.io.web.link import Asker, BusLink, NoAnswerError, RefusedWishError
from turnstile.requests.answers import ZoneFound
from turnstile.requests.wishes import ReadZone

LOOK_S = 30.0
RETRY_S = 1.0
_PAGES = Asker("the pages", "viewer")


class SiteZone:
    """The zone that pages show times in.

    Attributes:
        tz: of all times; `None`: as this machine's clock has it.
        key: by which browsers know it; empty: unknown.
        words: whose times they are, for people.
    """

    def __init__(self) -> None:
        self.tz: dt.tzinfo | None = None
        self.key, self.words = "", ""
        self.use_machine()

    def use(self, key: str) -> None:
        """Show times in a zone from now on; in this machine's if it is none, or unknown here."""
        try:
            self.tz = zoneinfo.ZoneInfo(key)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            self.use_machine()
            return
        self.key, self.words = key, f"Times are in {key}."

    def use_machine(self) -> None:
        """Show times as this machine's clock has them."""
        self.tz, self.key = None, machine_zone()
        name = self.key or dt.datetime.now(dt.UTC).astimezone().tzname()
        self.words = f"Times are in {name}, the zone of the web node's machine."

    async def keep(self, link: BusLink) -> None:
        """Ask the broker for the zone, again and again, for ever."""
        while True:
            try:
                found = await link.ask(ReadZone(), _PAGES)
            except (NoAnswerError, RefusedWishError):
                await asyncio.sleep(RETRY_S)
                continue
            if isinstance(found, ZoneFound) and found.timezone != self.key:
                self.use(found.timezone)
            await asyncio.sleep(LOOK_S)
