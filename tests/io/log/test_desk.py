"""What people who are signed in learn of a log."""

import hashlib
import time
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from tests.support.asking import a_request
from tests.support.builders import START_NS, a_jpeg, an_access, an_act, write_site
from tests.support.logs import EVENTS, HOUR_NS, LOGGER, tamper, write_log
from tests.support.waiting import wait_until
from turnstile.io.log.desk import LogDesk
from turnstile.io.log.retention import erase_person
from turnstile.io.site.file import load
from turnstile.io.store.opened import open_log
from turnstile.io.store.store import LogName
from turnstile.protocol.messages import Access
from turnstile.protocol.requests import AccountRole, Act, Reply, Request
from turnstile.requests.answers import (
    AnyAnswer,
    ChainFound,
    HelpfulFound,
    LastSeenFound,
    RefusedWish,
    VisitsFound,
    decode_answer,
)
from turnstile.requests.wishes import AnyWish, FindHelpful, FindLastSeen, FindVisits, ReadChain, UnlockDoor


@pytest.fixture
def config(folder: Path) -> Path:
    """Give a site with a logger."""
    return write_site(folder, LOGGER)


def answered(desk: LogDesk, *requests: Request) -> list[AnyAnswer]:
    """Return the answers to requests, in their order."""
    replies: list[Reply] = []
    for request in requests:
        desk.take(request)
    wait_until(lambda: len(replies) == len(requests), "replies", between=lambda: replies.extend(desk.due()))
    return [decode_answer(reply.answer) for reply in replies]


def a_desk(config: Path, *, max_bytes: int = 2**20) -> LogDesk:
    """Return the desk of a site's logger."""
    site = load(config)
    name = LogName(site.site, "logger")
    return LogDesk(site.loggers["logger"], name, max_bytes=max_bytes, wake=lambda: None)


def log_has(config: Path, *events: Access | Act) -> None:
    """Write a log of these events."""
    write_log(config, *events).close()


def found(
    config: Path,
    wish: AnyWish,
    *,
    role: AccountRole = "admin",
    doors: tuple[str, ...] = (),
    max_bytes: int = 2**20,
) -> AnyAnswer:
    """Return the answer to one wish."""
    with closing(a_desk(config, max_bytes=max_bytes)) as desk:
        return answered(desk, a_request(wish, to="logger", role=role, doors=doors))[0]


def seqs(answer: AnyAnswer) -> list[str]:
    """Return which events were found."""
    assert isinstance(answer, VisitsFound), answer
    return [visit.event.partition(":")[2] for visit in answer.visits]


def test_visits_come_newest_first_page_by_page(config: Path) -> None:
    """`before` goes on where the last page ended; `more` tells whether to."""
    log_has(config, *EVENTS)
    first = found(config, FindVisits(at_most=2))
    assert isinstance(first, VisitsFound)
    assert (seqs(first), first.more) == (["4", "3"], True)
    second = found(config, FindVisits(at_most=2, before=first.visits[-1].number))
    assert isinstance(second, VisitsFound)
    assert (seqs(second), second.more) == (["2", "1"], False)
    assert second.visits[-1].picture == b"jpeg"
    assert second.visits[-1].person == "Ann"


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (FindVisits(person="ann"), ["4", "1"]),
        (FindVisits(person="Unknown"), ["3"]),
        (FindVisits(camera="back_door"), ["2"]),
        (FindVisits(verdict="denied"), ["3"]),
        (FindVisits(since_ns=START_NS + HOUR_NS, until_ns=START_NS + 2 * HOUR_NS), ["2"]),
        (FindVisits(event="9f3a:17"), []),
    ],
)
def test_a_wish_restricts_what_is_found(config: Path, wish: FindVisits, expected: list[str]) -> None:
    """By each of its fields."""
    log_has(config, *EVENTS)
    assert seqs(found(config, wish)) == expected


def test_one_event_is_found_by_its_name(config: Path) -> None:
    """As a permalink needs it."""
    log_has(config, *EVENTS)
    answer = found(config, FindVisits(person="Bob"))
    assert isinstance(answer, VisitsFound)
    (visit,) = answer.visits
    assert seqs(found(config, FindVisits(event=visit.event))) == ["2"]


def test_an_account_of_one_door_learns_of_that_door_only(config: Path) -> None:
    """Neither of visits elsewhere, nor of who was seen there, nor may it ask by name."""
    log_has(config, *EVENTS, an_act(5, camera="front_door"))
    answer = found(config, FindVisits(), role="viewer", doors=("back_door",))
    assert isinstance(answer, VisitsFound)
    assert (seqs(answer), answer.acts) == (["2"], ())
    refusal = found(config, FindVisits(camera="front_door"), role="viewer", doors=("back_door",))
    assert isinstance(refusal, RefusedWish)
    assert refusal.forbidden
    seen = found(config, FindLastSeen(), role="viewer", doors=("back_door",))
    assert isinstance(seen, LastSeenFound)
    assert set(seen.people) == {"Bob"}


def test_only_clerks_and_admins_learn_who_a_stranger_was_nearest_to(config: Path) -> None:
    """A viewer sees that somebody was unknown, and no more."""
    access = an_access(1, verdict="denied", person=None)
    log_has(config, msgspec.structs.replace(access, nearest="Ann"))
    expected: dict[AccountRole, str | None] = {"viewer": None, "clerk": "Ann", "admin": "Ann"}
    for role, nearest in expected.items():
        answer = found(config, FindVisits(), role=role)
        assert isinstance(answer, VisitsFound)
        assert answer.visits[0].nearest == nearest


def test_acts_stand_between_the_visits_of_a_page(config: Path) -> None:
    """Each page has those after its oldest visit."""
    log_has(config, EVENTS[0], an_act(2, camera="front_door"), an_access(3), an_access(4))
    first = found(config, FindVisits(at_most=2))
    assert isinstance(first, VisitsFound)
    assert first.acts == ()
    second = found(config, FindVisits(at_most=2, before=first.visits[-1].number))
    assert isinstance(second, VisitsFound)
    assert [("unlocked front_door" in act.words) for act in second.acts] == [True]


def test_a_page_ends_before_its_pictures_are_more_than_a_message_holds(config: Path) -> None:
    """The rest comes with the next page."""
    log_has(config, *(an_access(seq, thumbnail=bytes(10_000)) for seq in range(1, 9)))
    answer = found(config, FindVisits(), max_bytes=80_000)
    assert isinstance(answer, VisitsFound)
    assert (seqs(answer), answer.more) == (["8", "7", "6"], True)


def test_last_seen_keeps_up_with_the_log_and_forgets_who_is_erased(config: Path) -> None:
    """Though it is remembered between two requests."""
    log_has(config, *EVENTS[:2])
    with closing(a_desk(config)) as desk:
        ask = a_request(FindLastSeen(), to="logger")

        def people() -> dict[str, tuple[int, str, str]]:
            (answer,) = answered(desk, ask)
            assert isinstance(answer, LastSeenFound)
            return answer.people

        assert {name: seen[1] for name, seen in people().items()} == {"Ann": "front_door", "Bob": "back_door"}
        log_has(config, *EVENTS)
        assert people()["Ann"][0] == EVENTS[3].decided_ns
        with closing(open_log(load(config), "logger").store) as store:
            erase_person(store, "Ann", "erased-12345678")
        assert set(people()) == {"Bob"}


def test_recent_grants_with_a_picture_would_help(config: Path) -> None:
    """Of the people asked about, at the doors of the account, with faces wide enough."""
    now_ns, jpeg = time.time_ns(), a_jpeg(90, 90)
    log_has(
        config,
        an_access(1, person="Ann", decided_ns=START_NS, thumbnail=jpeg),
        an_access(2, person="Ann", decided_ns=now_ns, thumbnail=a_jpeg(8, 8)),
        an_access(3, person="Ann", decided_ns=now_ns, thumbnail=jpeg),
        an_access(4, person="Ann", decided_ns=now_ns),
        an_access(5, person="Bob", decided_ns=now_ns, thumbnail=jpeg, camera="back_door"),
        an_access(6, verdict="denied", person="Bob", decided_ns=now_ns, thumbnail=jpeg),
    )
    wish = FindHelpful(people=("ann", "Bob"), min_face_px=60)
    helpful = found(config, wish, role="clerk")
    assert isinstance(helpful, HelpfulFound)
    events = {person: [one.event[-2:] for one in visits] for person, visits in helpful.people.items()}
    assert events == {"ann": [":3"], "Bob": [":5"]}
    (visit,) = helpful.people["ann"]
    assert (visit.camera, visit.at_ns, visit.digest) == (
        *("front_door", now_ns, hashlib.sha256(jpeg).hexdigest()),
    )
    at_front = found(config, wish, role="clerk", doors=("front_door",))
    assert isinstance(at_front, HelpfulFound)
    assert set(at_front.people) == {"ann"}
    assert isinstance(found(config, wish, role="viewer"), RefusedWish)


def test_a_chain_says_what_its_last_verification_found(config: Path) -> None:
    """It runs beside the questions, and is remembered."""
    log_has(config, *EVENTS)

    def verified(desk: LogDesk) -> ChainFound | None:
        (answer,) = answered(desk, a_request(ReadChain(), to="logger"))
        assert isinstance(answer, ChainFound)
        return answer if answer.verified_ns else None

    with closing(a_desk(config)) as desk:
        chain = wait_until(lambda: verified(desk), "a verification")
        assert chain is not None
        assert (chain.head_number, chain.problems) == (4, ())
    tamper(config, "UPDATE entries SET camera = 'side_door' WHERE number = 2")
    with closing(a_desk(config)) as desk:
        chain = wait_until(lambda: verified(desk), "a verification")
        assert chain is not None
        assert any("2" in problem for problem in chain.problems)


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x81\xa1t\xa4none", bytes(1000)])
def test_what_is_no_wish_is_refused_and_counted(config: Path, body: bytes) -> None:
    """And the next one is answered."""
    log_has(config, *EVENTS)
    with closing(a_desk(config)) as desk:
        refusal, answer = answered(desk, a_request(body, to="logger"), a_request(FindVisits(), to="logger"))
        assert isinstance(refusal, RefusedWish)
        assert isinstance(answer, VisitsFound)
        assert desk.counts == {"wishes": 1, "refused_wishes": 1}


def test_a_wish_for_the_broker_is_refused(config: Path) -> None:
    """A logger does nothing but read."""
    log_has(config, *EVENTS)
    assert isinstance(found(config, UnlockDoor(camera="front_door")), RefusedWish)


def test_a_log_that_is_not_there_yet_is_said_so_and_found_later(config: Path) -> None:
    """The desk opens it when it comes."""
    with closing(a_desk(config)) as desk:
        ask = a_request(FindVisits(), to="logger")
        (refusal,) = answered(desk, ask)
        assert isinstance(refusal, RefusedWish)
        assert "there is no access log" in refusal.problem
        log_has(config, *EVENTS)
        assert seqs(answered(desk, ask)[0]) == ["4", "3", "2", "1"]


def test_more_requests_than_may_wait_are_refused(config: Path) -> None:
    """Each is answered all the same."""
    log_has(config, *EVENTS)
    with closing(a_desk(config)) as desk:
        answers = answered(desk, *[a_request(FindVisits(), to="logger")] * 200)
        assert any(isinstance(answer, VisitsFound) for answer in answers)
        assert any(isinstance(answer, RefusedWish) and "is busy" in answer.problem for answer in answers)
