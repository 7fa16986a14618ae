"""Tailing: pages of the log, and each line once for the one who follows."""

from collections.abc import Iterable, Sequence

import pytest

from turnstile.log.lines import Event, event_of
from turnstile.log.paging import MAX_LINES, Follower, Line, answer
from turnstile.protocol.messages import Entries, Query


def a_line(seq: int, *, source: str = "aaaa") -> str:
    """Return the line of an event."""
    return f"2026-11-22T12:00:00.000+00:00  door  DENIED  unknown  0.7000  8/8  unknown  event={source}:{seq}"


def some_lines(*seqs: int, source: str = "aaaa") -> list[str]:
    """Return the lines of events."""
    return [a_line(seq, source=source) for seq in seqs]


class Logger:
    """A logger whose entries are a list; a page holds eleven lines."""

    def __init__(self, lines: Iterable[str], *, name: str = "logger", max_page_bytes: int = 1000) -> None:
        self._name, self._max_page_bytes = name, max_page_bytes
        self._lines: list[Line] = []
        self.add(lines)

    @property
    def newest(self) -> tuple[int, Event]:
        """Return the number and event of the last line."""
        return len(self._lines), self._lines[-1].event if self._lines else Event("", 0)

    def add(self, texts: Iterable[str]) -> None:
        """Log further events."""
        for text in texts:
            event = event_of(text)
            assert event is not None
            self._lines.append(Line(len(self._lines) + 1, event, text))

    def place(self, event: Event) -> int | None:
        """Return the number of the event, of the one before it, or the place before its journal's first."""
        same = [line for line in self._lines if line.event.source == event.source]
        before = [line.number for line in same if line.event.seq <= event.seq]
        return max(before) if before else same[0].number - 1 if same else None

    def lines(self, *, after: int, at_most: int) -> Sequence[Line]:
        """Return lines after a number."""
        return self._lines[after : after + at_most]

    def answer(self, query: Query) -> Entries:
        """Return a page."""
        return answer(query, self, logger=self._name, max_page_bytes=self._max_page_bytes)


def a_logger(lines: Iterable[str], *, name: str = "logger", max_page_bytes: int = 1000) -> Logger:
    """Return a logger that has these lines."""
    return Logger(lines, name=name, max_page_bytes=max_page_bytes)


def read(follower: Follower, logger: Logger) -> list[str]:
    """Ask until there is no more."""
    got: list[str] = []
    follower.more = True
    while follower.more:
        answer = logger.answer(follower.query())
        assert follower.accepts(answer)
        got += follower.take(answer)
    return got


@pytest.mark.parametrize("last", [0, 1, 11, 12, 99, 100, 101, MAX_LINES])
def test_the_last_lines_come_in_order_whatever_the_size_of_pages(last: int) -> None:
    """Many lines come in several answers."""
    lines = some_lines(*range(1, 101))
    assert read(Follower("me", last=last), a_logger(lines)) == (lines[-last:] if last else [])


def test_a_page_is_bounded_and_holds_a_line_at_least() -> None:
    """An answer fits through the broker's size limit."""
    logger = a_logger(some_lines(*range(1, 101)))
    answer = logger.answer(Query(asker="me", last=100))
    assert sum(map(len, answer.lines)) <= 1000
    assert answer.more
    assert (answer.log, answer.cursor) == ("aaaa", len(answer.lines))
    small = a_logger(some_lines(1, 2), max_page_bytes=1)
    assert len(small.answer(Query(asker="me", last=2)).lines) == 1


def test_an_empty_log_is_answered_and_followed_from_its_first_line() -> None:
    """A tail that began before the first visit misses none."""
    logger, follower = a_logger([]), Follower("me", last=0)
    assert read(follower, logger) == []
    logger.add(some_lines(1, 2))
    assert read(follower, logger) == some_lines(1, 2)


def test_asking_twice_gives_each_line_once() -> None:
    """An answer that comes twice, or late, is not printed again."""
    logger, follower = a_logger(some_lines(1, 2)), Follower("me", last=10)
    first = logger.answer(follower.query())
    assert follower.take(first) == some_lines(1, 2)
    logger.add(some_lines(3))
    assert follower.take(logger.answer(follower.query())) == some_lines(3)
    assert follower.take(first) == []
    assert read(follower, logger) == []


def test_a_restarted_logger_goes_on_where_the_tail_was() -> None:
    """The place is an event, which the new process finds in its file."""
    follower = Follower("me", last=1)
    assert read(follower, a_logger(some_lines(1, 2, 3))) == some_lines(3)
    assert read(follower, a_logger(some_lines(1, 2, 3, 4))) == some_lines(4)


def test_a_logger_that_lags_behind_gives_nothing_until_it_has_more() -> None:
    """With several loggers one may have less than the one that answered before."""
    follower = Follower("me", last=10)
    read(follower, a_logger(some_lines(1, 2, 3)))
    assert read(follower, a_logger(some_lines(1, 2))) == []
    assert read(follower, a_logger(some_lines(1, 2, 3, 4))) == some_lines(4)


def test_a_place_older_than_what_is_kept_goes_on_with_the_oldest_line() -> None:
    """The logger gives what it has."""
    follower = Follower("me", last=10)
    read(follower, a_logger(some_lines(1)))
    assert read(follower, a_logger(some_lines(5, 6))) == some_lines(5, 6)


def test_a_new_journal_is_followed() -> None:
    """After the broker lost its journal, numbers begin again."""
    follower = Follower("me", last=10)
    logger = a_logger(some_lines(1, 2))
    read(follower, logger)
    logger.add(some_lines(1, 2, source="bbbb"))
    assert read(follower, logger) == some_lines(1, 2, source="bbbb")


def test_an_unknown_place_never_repeats_and_never_stalls() -> None:
    """A log that was emptied, or another one: what was printed is passed over, page by page."""
    follower = Follower("me", last=50)
    read(follower, a_logger([*some_lines(*range(1, 41)), a_line(1, source="bbbb")]))
    other = a_logger(some_lines(*range(1, 44)))
    assert read(follower, other) == some_lines(41, 42, 43)


def test_only_the_first_logger_that_answered_is_heard() -> None:
    """Two loggers hold the same events; one is enough, until it falls silent."""
    follower = Follower("me", last=10)
    first, second = a_logger(some_lines(1), name="first"), a_logger(some_lines(1, 2), name="second")
    follower.take(first.answer(follower.query()))
    assert not follower.accepts(second.answer(follower.query()))
    follower.logger = ""
    assert read(follower, second) == some_lines(2)


def test_an_answer_for_somebody_else_is_not_accepted() -> None:
    """Topics match by prefix; the message says whom it is for."""
    assert not Follower("me", last=1).accepts(a_logger([]).answer(Query(asker="you")))


def test_lines_without_an_event_are_all_given() -> None:
    """Remarks of the log itself have no number that could tell them apart."""
    follower = Follower(asker="me-1", last=3)
    remark = (
        "# 2026-11-22T12:00:00.000+00:00  note 4: old pictures of entries up to 3 were removed for their age"
    )
    page = Entries(asker="me-1", logger="logger", log="aaaa", cursor=4, lines=(*some_lines(1, 2), remark))
    assert list(follower.take(page)) == [*some_lines(1, 2), remark]
