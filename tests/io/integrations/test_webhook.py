"""A webhook gets every event in order, signed, again and again until it has taken it."""

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from tests.support.builders import a_log, a_site, an_access, an_act
from tests.support.waiting import wait_until
from turnstile.errors import ConfigError
from turnstile.files.private import read_secret
from turnstile.io.bus.broker import BrokerSockets
from turnstile.io.bus.nodes import Bus
from turnstile.io.integrations.sent import read_progress
from turnstile.io.integrations.webhook import Sender, WebhookNode
from turnstile.io.runner.heart import Heart
from turnstile.protocol.messages import Access, Fetch, decode, encode
from turnstile.protocol.requests import Act
from turnstile.protocol.state import State
from turnstile.protocol.topics import log_topic
from turnstile.site.settings import Site, WebhookSettings

SECRET = b"sixteen bytes or more"


class Receiver(BaseHTTPRequestHandler):
    """A web server that keeps what it takes, and refuses as often as it is told to."""

    taken: ClassVar[list[tuple[dict[str, object], bytes, str]]] = []
    refuse: ClassVar[list[int]] = []

    def do_POST(self) -> None:
        """Answer one request."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        code = self.refuse.pop(0) if self.refuse else 204
        if code == 204:
            self.taken.append((json.loads(body), body, self.headers["Turnstile-Signature"]))
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[str]:
    """Give the address of a web server on this machine."""
    Receiver.taken.clear()
    Receiver.refuse.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/events"
    server.shutdown()
    thread.join()
    server.server_close()


class Broker:
    """A broker that serves a list of events to whoever fetches."""

    def __init__(self, site: Site, events: list[Access | Act]) -> None:
        self.sockets, self.events = BrokerSockets(site.broker), events
        self.forgotten = self.repeats_to = 0

    def serve(self) -> None:
        """Answer what was asked."""
        while self.sockets.subscription() is not None:
            pass
        while (said := self.sockets.receive()) is not None:
            message = decode(said.body)
            if isinstance(message, Fetch):
                after = message.after_seq if message.source == self.events[0].source else 0
                there = self.events[max(after, self.forgotten) :]
                log = a_log(*there, source=self.events[0].source, after_seq=after)
                log = msgspec.structs.replace(log, repeats_to=self.repeats_to)
                self.sockets.publish(log_topic(message.name, message.instance), encode(log))


def a_hook(site: Site, url: str, folder: Path) -> WebhookNode:
    """Return a webhook that begins where the state file says."""
    settings = WebhookSettings(url=url, secret_file="unused", state_file=str(folder / "state"))
    return WebhookNode(
        name="hook",
        instance="hook-1",
        bus=Bus(site.broker, topics=[log_topic("hook", "hook-1")]),
        heart=Heart(node="hook", instance="hook-1", role="observer"),
        sender=Sender(settings, SECRET),
        state_file=folder / "state",
        done=read_progress(folder / "state"),
    )


def work(hook: WebhookNode, broker: Broker, done: Callable[[], bool]) -> None:
    """Let both work until something holds."""

    def turn() -> None:
        broker.serve()
        hook.step(0.01)

    wait_until(done, lambda: (dict(hook.heart.counts), hook.sender.problem), between=turn)


def test_events_come_signed_in_order_and_once(folder: Path, receiver: str) -> None:
    """A restarted webhook goes on where the last one came to."""
    site = a_site(folder)
    broker = Broker(site, [an_access(seq, thumbnail=b"face") for seq in (1, 2, 3)])
    hook = a_hook(site, receiver, folder)
    work(hook, broker, lambda: hook.heart.counts["events_sent"] == 3)
    hook.close()
    broker.events.append(an_access(4))
    hook = a_hook(site, receiver, folder)
    work(hook, broker, lambda: hook.heart.counts["events_sent"] == 1)
    hook.close()
    broker.sockets.close()
    assert [event["seq"] for event, _, _ in Receiver.taken] == [1, 2, 3, 4]
    assert {event["thumbnail"] for event, _, _ in Receiver.taken} == {""}
    for _, body, signed in Receiver.taken:
        at, _, digest = signed.removeprefix("t=").partition(",v1=")
        assert digest == hmac.new(SECRET, f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def test_a_refused_event_is_sent_again_before_the_next(folder: Path, receiver: str) -> None:
    """Errors, and redirects, which are not followed."""
    Receiver.refuse += [500, 302]
    site = a_site(folder)
    broker = Broker(site, [an_access(seq) for seq in (1, 2)])
    hook = a_hook(site, receiver, folder)
    work(hook, broker, lambda: hook.heart.counts["events_sent"] == 2)
    hook.close()
    broker.sockets.close()
    assert [event["seq"] for event, _, _ in Receiver.taken] == [1, 2]
    assert Receiver.refuse == []


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """So is one that is too short, or missing."""
    file = tmp_path / "secret"
    with pytest.raises(ConfigError, match="cannot be read"):
        read_secret(file)
    file.write_bytes(SECRET + b"\n")
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="others can read it"):
        read_secret(file)
    file.chmod(0o600)
    assert read_secret(file) == SECRET
    file.write_bytes(b"short")
    with pytest.raises(ConfigError, match="at least 16"):
        read_secret(file)


def test_a_state_file_of_something_else_is_refused(tmp_path: Path) -> None:
    """Rather than taken for the beginning."""
    (tmp_path / "state").write_text("what is this")
    with pytest.raises(ConfigError, match="state_file"):
        read_progress(tmp_path / "state")


def test_events_that_will_never_come_are_counted_and_passed(folder: Path, receiver: str) -> None:
    """The state file was put back: the broker has forgotten what was sent since."""
    (folder / "state").write_text("aaaa:1")
    site = a_site(folder)
    broker = Broker(site, [an_access(seq) for seq in (1, 2, 3, 4)])
    hook = a_hook(site, receiver, folder)
    broker.forgotten = 3
    work(hook, broker, lambda: hook.heart.counts["events_sent"] == 1)
    assert [event["seq"] for event, _, _ in Receiver.taken] == [4]
    assert hook.heart.counts["events_missing"] == 2
    missing = "2 events, aaaa:2 to 3, are missing; the journal has them no more and cannot be sent"
    assert (hook.heart.state, hook.heart.detail) == (State.DEGRADED, missing)
    hook.close()
    broker.sockets.close()


def test_what_was_sent_under_another_source_is_not_sent_again(folder: Path, receiver: str) -> None:
    """The journal was put back, and numbers what it still has anew."""
    site = a_site(folder)
    broker = Broker(site, [an_access(seq) for seq in (1, 2, 3)])
    hook = a_hook(site, receiver, folder)
    work(hook, broker, lambda: hook.heart.counts["events_sent"] == 3)
    hook.close()
    broker.events = [an_access(seq, source="bbbb") for seq in (1, 2)]
    broker.events.append(an_access(3, source="bbbb", visit="new"))
    broker.repeats_to = 3
    hook = a_hook(site, receiver, folder)
    work(hook, broker, lambda: hook.heart.counts["events_sent"] == 1)
    assert [event["visit"] for event, _, _ in Receiver.taken][3:] == ["new"]
    hook.close()
    broker.sockets.close()


def test_a_new_webhook_does_not_miss_what_was_before_it(folder: Path, receiver: str) -> None:
    """It sends what the broker still has."""
    site = a_site(folder)
    broker = Broker(site, [an_access(seq) for seq in (1, 2, 3)])
    broker.forgotten = 2
    hook = a_hook(site, receiver, folder)
    work(hook, broker, lambda: hook.heart.counts["events_sent"] == 1)
    assert [event["seq"] for event, _, _ in Receiver.taken] == [3]
    assert hook.heart.counts["events_missing"] == 0
    hook.close()
    broker.sockets.close()


def test_a_state_file_that_cannot_be_written_is_said_and_holds_up_nothing(
    folder: Path, receiver: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Events go on being sent, each once; the beat says that a restart would send them again."""
    broker = Broker(a_site(folder), [an_access(seq, visit=f"visit-{seq}") for seq in (1, 2, 3)])
    hook = a_hook(a_site(folder), receiver, folder)
    (folder / "state").mkdir()
    work(hook, broker, lambda: len(Receiver.taken) == 3 and hook.unanswered == 0)
    assert f"state_file {folder / 'state'} cannot be written: Is a directory" in hook.unwritten
    assert caplog.text.count("cannot be written") == 1
    hook.close()
    broker.sockets.close()


def test_what_the_operator_did_is_passed_and_not_sent(folder: Path, receiver: str) -> None:
    """It stands in the access log; decisions before and after it come in order."""
    site = a_site(folder)
    broker = Broker(site, [an_access(1), an_act(2), an_act(3), an_access(4), an_act(5)])
    hook = a_hook(site, receiver, folder)
    work(hook, broker, lambda: hook.done.progress.fetch_after.seq == 5)
    hook.close()
    broker.sockets.close()
    assert [event["seq"] for event, _, _ in Receiver.taken] == [1, 4]
