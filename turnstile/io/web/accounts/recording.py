"""Acts of accounts go on record in the log's chain: the broker is asked until it has each.

Commands and pages leave them in the accounts' file, so none is lost while the broker or this node is away.
"""

import asyncio
import datetime as dt
import logging
import time

from turnstile.io.web.accounts.store import AccountAct, AccountStore
from turnstile.io.web.link import Asker, BusLink, NoAnswerError, RefusedWishError
from turnstile.requests.wishes import RecordAct

LOOK_S = 1.0
RETRY_S = 5.0
FORGET_S = 3600.0
LATE_NS = 60 * 10**9
"""The record says when an act was done that comes later than this."""

log = logging.getLogger("turnstile")


async def record_acts(store: AccountStore, link: BusLink) -> None:
    """Put acts on record, in order, for ever."""
    said = False
    while True:
        act = store.next_act()
        if act is None:
            await asyncio.sleep(LOOK_S)
            continue
        try:
            await link.ask(RecordAct(words=_words(act, time.time_ns())), Asker(act.name, act.role))
        except NoAnswerError as error:
            if not said:
                log.warning("what accounts do waits to be put on record: %s", error)
            said = True
            await asyncio.sleep(RETRY_S)
            continue
        except RefusedWishError as error:
            log.warning("not on record: %s %s: %s", act.name, act.words, error)
        said = False
        store.forget_act(act.number)


async def forget_expired(store: AccountStore, *, idle_ns: int) -> None:
    """Delete sessions and invitations that hold no longer, for ever."""
    while True:
        store.forget_expired(now_ns=time.time_ns(), idle_ns=idle_ns)
        await asyncio.sleep(FORGET_S)


def _words(act: AccountAct, now_ns: int) -> str:
    if now_ns - act.at_ns < LATE_NS:
        return act.words
    at = dt.datetime.fromtimestamp(act.at_ns / 1e9, dt.UTC)
    return f"{act.words} (at {at:%Y-%m-%d %H:%M:%S} UTC)"
