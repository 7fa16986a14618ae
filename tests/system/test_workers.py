"""What happens in a node's threads is seen from outside: in its state, its answers and its exit code."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.builders import an_access, write_site
from tests.support.monitored import MonitoredSite
from tests.support.processes import Programs
from tests.support.waiting import wait_until
from turnstile.access.door import Door
from turnstile.io.bus.nodes import Bus
from turnstile.io.journal.journal import Journal
from turnstile.io.site.file import load
from turnstile.protocol.messages import Beat
from turnstile.protocol.state import State

pytestmark = pytest.mark.system

NO_HOST = f"http://{'a' * 64}.test/"
"""A label of a host has at most 63 characters: Python's codec for it raises `UnicodeError`."""


def record(folder: Path, logger: str) -> Path:
    """Put an event on record before the broker starts, and return the journal's path."""
    path = folder / "journal.db"
    journal = Journal(path=path, loggers=[logger])
    journal.record(an_access(visit="visit-1"), Door())
    wait_until(journal.outcomes, "the event is on disk")
    journal.close()
    return path


def wait_for_beat(bus: Bus, condition: Callable[[Beat], bool]) -> Beat:
    """Return the first beat heard of which a condition holds."""

    def heard() -> Beat | None:
        beats = [message for _, message in bus.receive(0.1) if isinstance(message, Beat)]
        return next(filter(condition, beats), None)

    found = wait_until(heard, "such a beat")
    assert found is not None
    return found


def test_a_journal_with_an_event_that_cannot_be_read_makes_its_broker_degraded(folder: Path) -> None:
    """Its thread lives on: the beat says which event cannot be logged, and people may enter all the same."""
    with closing(sqlite3.connect(record(folder, "log"))) as connection:
        connection.execute("UPDATE events SET body = x'c1'")
        connection.commit()
    with MonitoredSite(folder) as site:
        beat = wait_for_beat(site.bus, lambda beat: beat.role == "broker" and beat.state is State.DEGRADED)
        assert "is damaged and cannot be logged" in beat.detail
        assert site.get("/readyz")[0] == 200
        assert site.broker.poll() is None


def test_a_webhook_whose_address_is_none_is_degraded(folder: Path) -> None:
    """It is not live: its thread ended here, unseen, when the host's name could not be encoded."""
    record(folder, "hook")
    (folder / "secret").write_bytes(b"sixteen bytes or more")
    (folder / "secret").chmod(0o600)
    hook = f"webhooks: {{hook: {{url: '{NO_HOST}', secret_file: secret, state_file: state}}}}"
    config = write_site(folder, hook)
    with Programs() as programs, closing(Bus(load(config).broker, topics=["status."])) as bus:
        programs.start("broker.py", "--config", str(config))
        webhook = programs.start("-m", "turnstile", "webhook", "--config", str(config))
        beat = wait_for_beat(bus, lambda beat: beat.node == "hook" and beat.state is State.DEGRADED)
        assert beat.detail.startswith("cannot be sent to: ")
        assert webhook.poll() is None


def test_rules_that_the_yaml_library_cannot_construct_are_refused_and_watched_on(folder: Path) -> None:
    """The watcher ended here, unseen, at a `KeyError` of PyYAML; later edits were not noticed."""
    config = write_site(folder, "decision: {rules: rules.yaml}")
    rules = folder / "rules.yaml"
    rules.write_text("blocked: []\n")
    with Programs() as programs, closing(Bus(load(config).broker, topics=["status."])) as bus:
        broker = programs.start("broker.py", "--config", str(config))
        wait_for_beat(bus, lambda beat: beat.gauges.get("rules_refused") == 0)
        rules.write_text("blocked: !!bool perhaps\n")
        wait_for_beat(bus, lambda beat: beat.gauges.get("rules_refused") == 1)
        rules.write_text("blocked: [Ann]\n")
        wait_for_beat(bus, lambda beat: beat.gauges.get("rules_refused") == 0)
        assert broker.poll() is None
