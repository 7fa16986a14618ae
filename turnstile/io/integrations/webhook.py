"""`turnstile webhook`: sends each access event to a web address, in order, until it has been taken.

Receives: the log's own sequence of events, as a logger does.

Sends: which event was taken last, and its beat. The address gets a POST of each event as JSON, without the
thumbnail, and with `Turnstile-Signature: t=SECONDS,v1=HEX`. HEX is the HMAC-SHA256 of "SECONDS.BODY" with the
secret: the receiver refuses what is not signed or is old.

Policy: a file says how far the events were sent, so an address that is away for a day gets that day's events
later. An event may come twice if this process ends between the answer and the file; `visit` tells. Events
that the journal has no more are counted and passed. Those sent already under another source are passed, too.

    turnstile webhook --config FILE [--name WEBHOOK]
"""

import argparse
import hashlib
import hmac
import logging
import queue
import time
import urllib.request
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from turnstile.backoff import delay_s
from turnstile.errors import ConfigError
from turnstile.files.private import read_secret
from turnstile.io.bus.nodes import Bus
from turnstile.io.integrations.posting import post
from turnstile.io.integrations.sent import SentEvents, read_progress, write_progress
from turnstile.io.runner import node
from turnstile.io.runner.heart import Heart
from turnstile.io.runner.member import Member, key_for
from turnstile.io.runner.worker import Worker
from turnstile.log.lines import Event
from turnstile.log.notes import EventsMissing, words_of
from turnstile.protocol.messages import Access, Log
from turnstile.protocol.public import without_nearest
from turnstile.protocol.requests import Act
from turnstile.protocol.state import State
from turnstile.protocol.topics import log_topic
from turnstile.site.secrecy import hide, masked
from turnstile.site.settings import Site, WebhookSettings

FETCH_S = 0.5
POST_TIMEOUT_S = 10.0
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 60.0
KEEP_FETCHING_S = 2.0
"""How often it says that it is there while events wait to be taken."""
MISSING_TOLD_S = 600.0
"""How long a gap is in the beat."""

log = logging.getLogger("turnstile")


def run(options: argparse.Namespace) -> int:
    """Send events until asked to stop; return an exit code as `node.run` does."""

    def identify(site: Site) -> Member:
        name = _choose(site.webhooks, options.name)
        return Member("webhook", name, key_for(site, "logger", name))

    return node.run_as(identify, wire, options=options)


def wire(start: node.Start) -> "WebhookNode":
    """Read the secret and how far the last process came, then join the bus."""
    settings = start.site.webhooks[start.name]
    secret, sent = read_secret(Path(settings.secret_file)), read_progress(Path(settings.state_file))
    topics = [log_topic(start.name, start.instance)]
    return WebhookNode(
        name=start.name,
        instance=start.instance,
        bus=Bus(start.site.broker, key=start.key, topics=topics, wake_fds=(start.stop.fileno,)),
        heart=Heart(node=start.name, instance=start.instance, role="observer"),
        sender=Sender(settings, secret),
        state_file=Path(settings.state_file),
        done=sent,
    )


class Sender:
    """Posts events one after the other from a thread, each until it is answered with 2xx."""

    def __init__(self, settings: WebhookSettings, secret: bytes) -> None:
        self.problem = ""
        self.sent: queue.SimpleQueue[Access] = queue.SimpleQueue()
        self._waiting: queue.SimpleQueue[Access] = queue.SimpleQueue()
        self._settings, self._secret = settings, secret
        self._worker = Worker("webhook", self._run)
        self._worker.start()

    def check(self) -> None:
        """Raise what ended the sending, if anything did."""
        self._worker.check()

    def put(self, event: Access) -> None:
        """Queue an event."""
        self._waiting.put(event)

    def close(self) -> None:
        """Send no more; what was not answered is sent again by the next process."""
        self._worker.close(within_s=0.0)

    def _run(self) -> None:
        while not self._worker.stopping.is_set():
            with suppress(queue.Empty):
                self._send(self._waiting.get(timeout=0.2))

    def _send(self, event: Access) -> None:
        failures = 0
        while not self._worker.stopping.is_set():
            problem = hide(post(self._request(event), within_s=POST_TIMEOUT_S), self._settings.url)
            if not problem:
                if self.problem:
                    log.info("webhook %s takes events again", masked(self._settings.url))
                self.problem = ""
                self.sent.put(event)
                return
            if not self.problem:
                shown = masked(self._settings.url)
                log.warning("webhook %s: %s; it is tried again until it works", shown, problem)
            self.problem = problem
            failures += 1
            self._worker.stopping.wait(delay_s(failures, first_s=FIRST_RETRY_S, longest_s=LAST_RETRY_S))

    def _request(self, event: Access) -> urllib.request.Request:
        body = msgspec.json.encode(msgspec.structs.replace(without_nearest(event), thumbnail=b""))
        headers = {
            "Content-Type": "application/json",
            "Turnstile-Signature": signature(self._secret, body, at_s=int(time.time())),
        }
        url = self._settings.url  # http or https: checked with the site file
        return urllib.request.Request(url, data=body, method="POST", headers=headers)  # noqa: S310


@dataclass(kw_only=True)
class WebhookNode:
    """The events of a site on their way to one address."""

    name: str
    instance: str
    bus: Bus
    heart: Heart
    sender: Sender
    state_file: Path
    done: SentEvents
    """What was answered, and is in the state file."""
    unanswered: int = 0
    fetch_at: float = 0.0
    refused: str = ""
    unwritten: str = ""
    """Why the state file does not say what was sent; empty when it does."""
    missing: str = ""
    missing_until: float = 0.0

    def step(self, timeout_s: float) -> None:
        """Hand on what came, note what was answered, and ask for more."""
        self.sender.check()
        for _, message in self.bus.receive(timeout_s):
            if isinstance(message, Log) and self.unanswered == 0:
                self._take(message)
        while not self.sender.sent.empty():
            event = self.sender.sent.get()
            self.unanswered -= 1
            self.heart.count("events_sent")
            self._have(Event(event.source, event.seq), event.visit)
        self._fetch_if_due()
        missing = self.missing if time.monotonic() < self.missing_until else ""
        problem = self.refused or self.sender.problem or self.unwritten or missing
        self.heart.report(State.DEGRADED if problem else State.LIVE, problem)
        self.heart.beat(self.bus)

    def close(self) -> None:
        """Stop sending and leave the bus."""
        self.sender.close()
        self.bus.close()

    def _take(self, message: Log) -> None:
        """Hand on the new events of a `Log`; pass what will never come, and what was sent already."""
        if message.refused and message.refused != self.refused:
            log.error("%s", message.refused)
        self.refused = message.refused
        if message.refused:
            return
        is_new = self.done.progress.newest is None  # nobody wants to be told what was before
        for fact in [] if is_new else self.done.progress.account_for(message):
            log.error("%s", words_of(fact))
            if isinstance(fact, EventsMissing):
                self.heart.count("events_missing", fact.count)
                self.missing = f"{words_of(fact)} and cannot be sent"
                self.missing_until = time.monotonic() + MISSING_TOLD_S
                self._have(Event(fact.source, fact.last_seq))
            else:
                self._have(Event(fact.source, fact.after_seq))
        new = self.done.progress.sift(message).new
        while new and self._is_done(new[0], message.repeats_to):
            self._have(Event(new[0].source, new[0].seq), new[0].visit)
            new = new[1:]
        for event in new:
            if isinstance(event, Act) or self._is_done(event, message.repeats_to):
                break  # its turn comes with the next `Log`
            self.sender.put(event)
            self.unanswered += 1

    def _is_done(self, event: Access | Act, repeats_to: int) -> bool:
        """Tell whether there is nothing to send: operators' acts are for the log."""
        return isinstance(event, Act) or (event.seq <= repeats_to and event.visit in self.done.visits)

    def _have(self, event: Event, visit: str = "") -> None:
        self.done.have(event, visit)
        self.fetch_at = 0.0
        try:
            write_progress(self.state_file, self.done)
        except OSError as error:
            said = f"state_file {self.state_file} cannot be written: {error.strerror}"
            if not self.unwritten:
                log.error("%s; events are sent again after a restart", said)  # noqa: TRY400 - one sentence
            self.unwritten = said
        else:
            self.unwritten = ""

    def _fetch_if_due(self) -> None:
        if time.monotonic() < self.fetch_at:
            return
        self.fetch_at = time.monotonic() + (KEEP_FETCHING_S if self.unanswered else FETCH_S)
        done = self.done
        fetch = done.progress.fetch(name=self.name, instance=self.instance, newest_visit=done.newest_visit)
        self.bus.send("fetch.", fetch)


def signature(secret: bytes, body: bytes, *, at_s: int) -> str:
    """Return the value of the signature header of a request made at `at_s`, in Unix seconds."""
    digest = hmac.new(secret, f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


def _choose(webhooks: Collection[str], name: str | None) -> str:
    if name is None and len(webhooks) == 1:
        return next(iter(webhooks))
    if name is None or name not in webhooks:
        known = ", ".join(webhooks) or "none"
        raise ConfigError(f"--name: one of the site's webhooks is needed; they are: {known}")
    return name
