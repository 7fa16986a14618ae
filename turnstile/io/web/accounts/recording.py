"""Acts of accounts go on record in the log's chain: the broker is asked until it has each.

Commands and pages leave them in the accounts' file, so none is lost while the broker or this node is away.
"""

import asyncio
import datetime as dt
import hashlib
import logging
import time

from turnstile.io.web.accounts.file import AccountsError
from turnstile.io.web.accounts.store import AccountAct, AccountStore
from turnstile.io.web.link import Asker, BusLink, NoAnswerError, RefusedWishError
from turnstile.requests.wishes import RecordAct

LOOK_S = 1.0
RETRY_S = 5.0
FORGET_S = 3600.0
MAX_WORDS = 500
LATE_NS = 60 * 10**9
"""The record says when an act was done that comes later than this."""

log = logging.getLogger("turnstile")


async def record_acts(store: AccountStore, link: BusLink, *, retry_s: float = RETRY_S) -> None:
    """Put acts on record, in order, for ever."""
    said = ""
    while True:
        act, problem = None, ""
        try:
            act = store.next_act()
            if act is not None:
                await link.ask(_wish(act), Asker(act.name, act.role))
                store.forget_act(act.number)
        except (NoAnswerError, RefusedWishError, AccountsError) as error:
            # refused while the journal cannot be written; a full disk here ends no page either
            problem = str(error)
            if problem != said:
                log.warning("what accounts do waits to be put on record: %s", error)
        said = problem
        if problem or act is None:
            await asyncio.sleep(retry_s if problem else LOOK_S)


async def forget_expired(store: AccountStore, *, idle_ns: int) -> None:
    """Delete sessions and invitations that hold no longer, for ever."""
    while True:
        try:
            store.forget_expired(now_ns=time.time_ns(), idle_ns=idle_ns)
        except AccountsError as error:
            log.warning("who is signed in no longer is not forgotten: %s", error)
        await asyncio.sleep(FORGET_S)


def _wish(act: AccountAct) -> RecordAct:
    """Return what puts an act on record, once however often it is asked for."""
    told = f"{act.number} {act.at_ns} {act.name} {act.words}".encode()
    once = hashlib.blake2b(told, digest_size=16).hexdigest()
    return RecordAct(words=_words(act, time.time_ns())[:MAX_WORDS], once=once)


def _words(act: AccountAct, now_ns: int) -> str:
    if now_ns - act.at_ns < LATE_NS:
        return act.words
    at = dt.datetime.fromtimestamp(act.at_ns / 1e9, dt.UTC)
    return f"{act.words} (at {at:%Y-%m-%d %H:%M:%S} UTC)"
