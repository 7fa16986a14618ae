"""What docs/backup.md promises, with a real broker and logger: nothing lost or doubled, all on record."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support import stores
from tests.support.journals import make_version_1
from tests.support.monitored import MonitoredSite
from tests.support.processes import ROOT
from tests.support.waiting import wait_until
from turnstile.io.site.file import load
from turnstile.io.store.opened import open_log
from turnstile.log.lines import is_remark, parse_entry
from turnstile.protocol.messages import Beat

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

JOURNAL, LOG = "journal.db*", "access_log*"


def live(folder: Path, *, visits: int, before: int, words: str = "") -> None:
    """Run the site while some people come, one after the other; `words` are awaited in the broker's beat."""
    with MonitoredSite(folder, people_before=before) as site:
        for _ in range(visits):
            site.decide_once()
        wait_for_beat(site, "broker", words)
        wait_until(lambda: is_forgotten(folder), "the journal to forget what was logged")


def is_forgotten(folder: Path) -> bool:
    """Tell whether a copy of the journal, which the broker has open, has no events any more."""
    copy = folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    back_up(folder, copy, JOURNAL)
    try:
        with closing(sqlite3.connect(copy / "journal.db")) as connection:
            return bool(connection.execute("SELECT count(*) FROM events").fetchone() == (0,))
    except sqlite3.Error:  # it was written meanwhile
        return False


def back_up(folder: Path, to: Path, *patterns: str) -> None:
    """Copy files."""
    to.mkdir(exist_ok=True)
    for pattern in patterns:
        for file in folder.glob(pattern):
            shutil.copy2(file, to)


def put_back(folder: Path, copy: Path, pattern: str) -> None:
    """Replace files by those of a copy."""
    for file in folder.glob(pattern):
        file.unlink()
    back_up(copy, folder, pattern)


def entries(folder: Path) -> int:
    """Return how many entries the text has; none is there twice."""
    lines = (folder / "access_log.txt").read_text().splitlines()
    found = [parse_entry(line) for line in lines if not is_remark(line)]
    assert len({entry.at for entry in found}) == len(found)
    return len(found)


def verify(folder: Path) -> str:
    """Return what `verify` says; it must find nothing wrong."""
    return "\n".join(printed(folder, "verify", code=0))


def printed(folder: Path, command: str, *, code: int) -> list[str]:
    """Return the lines that a command about the log prints."""
    words = [sys.executable, "-m", "turnstile", "log", command, "--config", str(folder / "site.yaml")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return (done.stdout + done.stderr).splitlines()


def test_a_journal_put_back_older_than_the_log_loses_nothing(folder: Path, tmp_path: Path) -> None:
    """The decisions after it are logged, the broker says what happened, and `verify` tells why."""
    live(folder, visits=2, before=0)
    back_up(folder, tmp_path, JOURNAL)
    live(folder, visits=3, before=2)
    put_back(folder, tmp_path, JOURNAL)
    live(folder, visits=2, before=5, words="put back from a copy")
    assert entries(folder) == 7
    assert "the journal or that log was put back from a copy" in verify(folder)


def test_a_log_put_back_older_than_the_journal_says_what_is_missing(folder: Path, tmp_path: Path) -> None:
    """It goes on with what comes, and the gap is in text and chain."""
    live(folder, visits=2, before=0)
    back_up(folder, tmp_path, LOG)
    live(folder, visits=3, before=2)
    put_back(folder, tmp_path, LOG)
    live(folder, visits=1, before=5)
    assert entries(folder) == 3
    assert "3 events, " in verify(folder)
    assert "are missing; the journal has them no more" in (folder / "access_log.txt").read_text()


def test_a_site_put_back_whole_goes_on_and_so_does_one_that_moved(folder: Path, tmp_path: Path) -> None:
    """Also when the journal is of the version before."""
    live(folder, visits=2, before=0)
    back_up(folder, tmp_path, JOURNAL, LOG)
    for pattern in (JOURNAL, LOG):
        put_back(folder, tmp_path, pattern)
    make_version_1(folder / "journal.db")
    live(folder, visits=2, before=2)
    assert entries(folder) == 4
    assert "events come from" not in verify(folder)
    known = {"site.yaml", "in", "out", "faces", "cache", "copy"}
    others = {file.name for file in folder.iterdir()} - known
    assert all(name.startswith(("journal.db", "access_log")) for name in others), others


def test_a_store_of_version_1_is_brought_up_to_date_by_its_logger(folder: Path) -> None:
    """Its entries stay, the log goes on after them, and `verify` finds nothing wrong."""
    live(folder, visits=2, before=0)
    opened = open_log(load(folder / "site.yaml"), "log")
    with closing(opened.store):
        stores.seal_as_version_1(opened.store)
        stores.make_version_1(opened.store)
    (refused,) = printed(folder, "verify", code=1)
    assert "start its logger once" in refused
    live(folder, visits=2, before=2)
    assert entries(folder) == 4
    assert "4 entries, the newest 4" in verify(folder)


def test_a_journal_removed_under_a_running_broker_costs_no_entry(folder: Path) -> None:
    """It is said within a second or so; a new one is made, and the log notes the new source."""
    with MonitoredSite(folder) as site:
        site.decide_once()
        (folder / "journal.db").unlink()
        wait_for_beat(site, "broker", "was removed while the broker used it")
        for _ in range(2):
            site.decide_once()
        assert (folder / "journal.db").exists()
    assert entries(folder) == 3
    assert "was removed while the broker used it" in verify(folder)


def test_a_second_logger_of_one_name_is_refused_and_says_so(folder: Path) -> None:
    """As on another machine: it has files of its own. The first one goes on, and the broker names both."""
    with MonitoredSite(folder) as site:
        site.decide_once()
        second = folder / "second.yaml"
        second.write_text(site.file.read_text().replace("access_log.txt", "second/access_log.txt"))
        site.programs.start("logger_node.py", "--config", str(second))
        wait_for_beat(site, "log", "is called log too; stop one or rename it")
        wait_for_beat(site, "broker", "two processes are called log")
        site.decide_once()
    assert entries(folder) == 2
    written = (folder / "second" / "access_log.txt").read_text()
    assert all(is_remark(line) for line in written.splitlines())


def wait_for_beat(site: MonitoredSite, node: str, words: str) -> None:
    """Wait until a node's beat has some words."""
    wait_until(
        lambda: any(
            isinstance(message, Beat) and message.node == node and words in message.detail
            for _, message in site.bus.receive(0.1)
        ),
        f"{node} to say {words!r}",
    )
