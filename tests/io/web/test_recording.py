"""What accounts do is on record once, whatever fails on the way."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from turnstile.io.web.accounts.file import FILE
from turnstile.io.web.accounts.recording import record_acts
from turnstile.io.web.accounts.store import AccountStore, open_accounts
from turnstile.io.web.link import BusLink, NoAnswerError, RefusedWishError
from turnstile.requests.answers import AnyAnswer, Done, RefusedWish
from turnstile.requests.wishes import AnyWish, RecordAct


class FailingBroker(BusLink):
    """A broker that fails in one way after the other, and then does what it is asked."""

    def __init__(self, *failures: Exception, times: int) -> None:
        super().__init__(instance="web-1", wake=lambda: None)
        self.failures = list(failures)
        self.asked: list[RecordAct] = []
        self.asked_often = asyncio.Event()
        self._times = times

    async def ask(self, wish: AnyWish, *_: object, **__: object) -> AnyAnswer:
        """Keep what is asked, and note when that was so often."""
        assert isinstance(wish, RecordAct)
        self.asked.append(wish)
        if len(self.asked) == self._times:
            self.asked_often.set()
        if self.failures:
            raise self.failures.pop(0)
        return Done(words="it is on record")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AccountStore]:
    """Give accounts, of which one did something."""
    with closing(open_accounts(tmp_path / "web")) as found:
        found.add_act("Ada", "admin", "signed in", at_ns=1)
        yield found


async def _record(store: AccountStore, link: FailingBroker) -> None:
    """Put acts on record until the broker was asked so often."""
    recording = asyncio.ensure_future(record_acts(store, link, retry_s=0.01))
    await asyncio.wait(
        (recording, asyncio.ensure_future(link.asked_often.wait())), return_when="FIRST_COMPLETED"
    )
    assert not recording.done()
    recording.cancel()


def test_an_act_is_kept_until_the_broker_has_it_and_is_known_again(store: AccountStore) -> None:
    """An answer may be lost, or its disk be full for a while; all that is asked has one mark."""
    full = RefusedWishError(RefusedWish(problem="nothing is changed while it cannot be put on record"))
    link = FailingBroker(NoAnswerError("no answer"), full, times=3)
    asyncio.run(_record(store, link))
    assert store.next_act() is None
    assert len(link.asked) == 3
    assert len({one.once for one in link.asked}) == 1
    assert link.asked[0].once


def test_a_disk_that_is_full_ends_no_page(store: AccountStore, tmp_path: Path) -> None:
    """What cannot be struck off is asked for again, by the same mark."""
    link, later = FailingBroker(times=2), FailingBroker(times=1)
    with closing(sqlite3.connect(tmp_path / "web" / FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        asyncio.run(_record(store, link))
    asyncio.run(_record(store, later))
    assert store.next_act() is None
    assert len({one.once for one in (*link.asked, *later.asked)}) == 1
