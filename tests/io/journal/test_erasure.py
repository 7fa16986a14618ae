"""Erasing from the journal: asked of the broker that holds it, and answered with counts or a reason."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from tests.support.builders import a_box, a_deed, an_access
from tests.support.processes import ROOT
from tests.support.waiting import pause, wait_until
from turnstile.access.door import Door, Visit
from turnstile.access.linking import Trail
from turnstile.access.votes import Grounds, Measure
from turnstile.errors import JournalError
from turnstile.files.whole import owner_of
from turnstile.io.journal import erasure
from turnstile.io.journal.erasure import Erasure, ErasureAsked, ErasureRequest, erase_from_journal
from turnstile.io.journal.journal import Journal
from turnstile.io.runner.worker import Worker
from turnstile.protocol.reasons import Reason

SOMEBODY = 65_534
ANN = ErasureRequest(person="Ann Lee", pseudonym="erased-0a1b2c3d")

BROKER = """
import os, sys
from pathlib import Path
from tests.io.journal.test_erasure import a_journal, turn
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
journal = a_journal(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    turn(journal)
"""


def a_journal(path: Path) -> Journal:
    """Return a journal with two events of Ann, one of Bob and one of a stranger; both are at the door."""
    journal = Journal(path=path, loggers=["log"])
    near_ann = Measure(nearest="Ann Lee", distance=0.4)
    door = Door(
        visits=tuple(
            Visit(
                visit=name,
                trail=Trail(box_px=a_box()),
                person=name,
                verdict="granted",
                reasons={Reason.UNKNOWN: Grounds(frames=1, measure=near_ann)},
            )
            for name in ("Ann Lee", "Bob Ray")
        )
    )
    for number, person in enumerate(("Ann Lee", "Bob Ray", "ann  LEE")):
        journal.record(an_access(visit=f"visit-{number}", person=person), door)
    stranger = an_access(visit="visit-3", verdict="denied", person=None)
    journal.record(msgspec.structs.replace(stranger, nearest="Ann Lee"), door)
    wait_until(lambda: journal.waiting == 0, "four events", between=lambda: turn(journal))
    return journal


def turn(journal: Journal) -> None:
    """Do what a broker does with a journal's outcomes."""
    pause()
    for one in journal.outcomes():
        if isinstance(one, ErasureAsked):
            journal.erase(Erasure(one.request, visits=1))


@contextmanager
def a_broker(journal: Journal) -> Iterator[None]:
    """Turn a broker's loop in another thread."""

    def loop() -> None:
        while not worker.stopping.is_set():
            turn(journal)

    worker = Worker("broker", loop)
    worker.start()
    try:
        yield
    finally:
        worker.close()


@pytest.fixture
def path(folder: Path) -> Path:
    """Give the path of a journal, in a folder of its own."""
    return folder / "journal.db"


def traces(path: Path) -> int:
    """Return how often Ann's name is in the journal's files."""
    return sum(one.read_bytes().lower().count(b"ann ") for one in path.parent.iterdir())


def test_a_running_broker_answers_with_counts(path: Path) -> None:
    """Nothing is left of the name, nor of request and answer."""
    journal = a_journal(path)
    with closing(journal), a_broker(journal):
        erased = erase_from_journal(path, ANN)
        assert erased is not None
        assert (erased.events, erased.visits) == (3, 1)
        assert traces(path) == 0
        assert {one.suffix for one in path.parent.iterdir()} <= {".db", ".db-wal", ".db-shm"}
    again = erase_from_journal(path, ANN)
    assert again is not None
    assert (again.events, again.visits) == (0, 0)


def test_without_a_broker_the_journal_is_opened(path: Path) -> None:
    """Open visits that name nobody go too, as they may be of that face; Bob's stays."""
    a_journal(path).close()
    erased = erase_from_journal(path, ANN)
    assert erased is not None
    assert (erased.events, erased.visits, traces(path)) == (3, 1, 0)
    with closing(Journal(path=path, loggers=[])) as journal:
        assert [visit.person for visit in journal.doors["front_door"].visits] == ["Bob Ray"]


@pytest.mark.parametrize("runs", [True, False], ids=["broker runs", "no broker"])
def test_a_dry_run_counts_and_changes_nothing(path: Path, *, runs: bool) -> None:
    """The same numbers come as from the erasure."""
    journal = a_journal(path)
    request = ErasureRequest(person="Ann Lee", pseudonym="erased-1", dry_run=True)
    if runs:
        with closing(journal), a_broker(journal):
            found = erase_from_journal(path, request)
    else:
        journal.close()
        found = erase_from_journal(path, request)
    assert found is not None
    assert (found.events, found.visits) == (3, 1)
    assert traces(path) > 0


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_root_erases_from_the_journal_of_a_broker_that_runs_as_another_user(path: Path) -> None:
    """Its files stay its own, so that it goes on."""
    os.chown(path.parent, SOMEBODY, SOMEBODY)
    path.parent.parent.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-c", BROKER, str(path), str(SOMEBODY)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        erased = erase_from_journal(path, ANN)
        assert erased is not None
        assert (erased.events, erased.visits, traces(path)) == (3, 1, 0)
        assert {owner_of(one).user for one in path.parent.iterdir()} == {SOMEBODY}
    finally:
        process.kill()
        process.communicate()
    assert erase_from_journal(path, ANN) is not None
    assert {owner_of(one).user for one in path.parent.iterdir()} == {SOMEBODY}


def unreadable(request: Path) -> None:
    """Put something there that is no request."""
    request.write_bytes(b"erase somebody")


def a_pipe(request: Path) -> None:
    """Put a pipe there that nobody writes."""
    os.mkfifo(request)


def a_link(request: Path) -> None:
    """Put a link to a request there."""
    other = request.with_name("other")
    other.write_bytes(b'{"person":"Ann Lee","pseudonym":"erased-1"}')
    request.symlink_to(other)


def a_strangers(request: Path) -> None:
    """Put another user's request there."""
    request.write_bytes(b'{"person":"Ann Lee","pseudonym":"erased-1"}')
    os.chown(request, SOMEBODY, SOMEBODY)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file away")
@pytest.mark.parametrize("put", [unreadable, a_pipe, a_link, a_strangers])
def test_what_is_no_request_is_answered_and_not_obeyed(path: Path, put: Callable[[Path], None]) -> None:
    """The broker neither waits for a pipe nor takes a request for none."""
    journal = a_journal(path)
    answered = path.with_name("journal.db.erased")
    with closing(journal):
        put(path.with_name("journal.db.erase"))
        wait_until(answered.exists, "an answer", between=lambda: turn(journal))
        assert b"cannot be read by the broker's user" in answered.read_bytes()
        assert not os.path.lexists(path.with_name("journal.db.erase"))
    assert traces(path) > 0


def test_a_broker_that_refuses_is_no_success(path: Path) -> None:
    """Its reason is passed on."""
    with closing(a_journal(path)):
        answer = path.with_name("journal.db.erased")

        def refuse() -> None:
            while not worker.stopping.is_set():
                erasure.answer(path, erasure.ErasureAnswer(problem="it cannot be read"))
                pause()

        worker = Worker("refusing", refuse)
        worker.start()
        with closing(worker), pytest.raises(JournalError, match="erased nothing: it cannot be read"):
            erase_from_journal(path, ANN)
        answer.unlink(missing_ok=True)


def test_a_broker_that_does_not_answer_is_no_success(path: Path) -> None:
    """The request is taken back, so that nothing happens later unseen."""
    with closing(a_journal(path)), pytest.raises(JournalError, match=r"did not answer within 0\.5 s"):
        erase_from_journal(path, ANN, answer_within_s=0.5)
    assert not path.with_name("journal.db.erase").exists()


def test_a_journal_that_cannot_be_looked_at_is_not_absent(path: Path) -> None:
    """Only a file that is not there has nothing to erase."""
    assert erase_from_journal(path, ANN) is None
    path.touch()
    with pytest.raises(JournalError, match="cannot be looked at: Not a directory"):
        erase_from_journal(path / "journal.db", ANN)
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(JournalError, match="cannot be used: file is not a database"):
        erase_from_journal(path, ANN)


def test_a_name_goes_from_what_accounts_did(path: Path) -> None:
    """Before any logger has it, in quotes and in free words, and as who did it."""
    journal = a_journal(path)
    deeds = (
        a_deed('enrolled "Ann Lee"'),
        a_deed("invited Ann Lee", deed="record-act"),
        a_deed('blocked "Bob"', by="Ann Lee"),
        a_deed('blocked "Eve"'),
    )
    for number, deed in enumerate(deeds):
        journal.record_act(msgspec.structs.replace(deed, visit=f"act-{number}"))
    wait_until(lambda: journal.waiting == 0, "the acts", between=lambda: turn(journal))
    with closing(journal), a_broker(journal):
        erased = erase_from_journal(path, ANN)
    assert erased is not None
    assert (erased.events, traces(path)) == (6, 0)
