"""A request desk with the other desks that it needs, and no bus."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path

import pytest

from tests.support.builders import a_ready, a_site, a_template
from tests.support.waiting import pause, wait_until
from turnstile.dispatch.desk import DispatchDesk
from turnstile.io.access.desk import open_access_desk
from turnstile.io.journal.journal import Journal
from turnstile.io.metrics.hops import Meter
from turnstile.io.people.building import GalleryThread
from turnstile.io.people.desk import PeopleDesk
from turnstile.io.people.enrolment import open_enrolment
from turnstile.io.people.rates import StrangerRate
from turnstile.io.requests.opening import open_request_desk
from turnstile.people.building import GalleryBuilder
from turnstile.protocol.messages import Picture
from turnstile.protocol.requests import Reply, Request
from turnstile.protocol.topics import Outgoing, work_topic
from turnstile.requests.answers import AnyAnswer, RefusedWish, decode_answer

RECOGNIZER = work_topic("recognizer-1", "recognizer-1-a1b2c3d4")


class Counter:
    """The desks of a site."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.faces = folder / "faces"
        self.faces.mkdir()
        rules = f"decision: {{rules: '{folder / 'rules.yaml'}'}}"
        self.site = a_site(folder, rules, "loggers: {log: {file: log.txt}}")
        tokens = count(1)
        self.dispatch = DispatchDesk(
            limits=self.site.broker,
            recognition=self.site.recognition,
            cameras=[],
            new_token=lambda: f"{next(tokens):016x}",
        )
        engine = self.site.recognition.encoding
        self.people = PeopleDesk(
            enrolment=open_enrolment(self.site.gallery, engine),
            making=GalleryThread(GalleryBuilder(engine)),
            dispatch=self.dispatch,
            rate=StrangerRate(self.site.decision),
        )
        journal = Journal(path=folder / "journal.db", loggers=["log"])
        self.access = open_access_desk(self.site, folder / "site.yaml", journal, Meter(self.site))
        self.desk = open_request_desk(
            self.site,
            folder / "site.yaml",
            self.dispatch,
            self.people,
            self.access,
            wake_fd=os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC),
        )
        for one in (self.access, self.people, self.desk):
            stack.enter_context(closing(one))

    def ask(self, request: Request, now_ns: int = 0) -> list[AnyAnswer]:
        """Return what is answered at once."""
        return answers(self.desk.take(request, now_ns))

    def turn(self, now_ns: int = 0) -> list[AnyAnswer]:
        """Do what is due, and return what is answered."""
        pause()
        self.access.due(enrolled=None)
        self.people.due(time.monotonic_ns())
        return answers(self.desk.due(now_ns))

    def answer_to(self, request: Request) -> AnyAnswer:
        """Return the answer to a request."""
        found = self.ask(request)
        wait_until(lambda: found, "an answer", between=lambda: found.extend(self.turn()))
        return found[0]

    def picture(self) -> Picture:
        """Return the picture that the recognizer gets next."""
        self.dispatch.joined(RECOGNIZER)
        wait_until(lambda: self.people.enrolment.in_use, "a gallery", between=self.turn)
        self.people.take(a_ready(), 0)
        ((_, message),) = self.dispatch.due(0)
        assert isinstance(message, Picture)
        return message

    def encoded(self, request: Request, encoding: bytes) -> AnyAnswer:
        """Return the answer to a request whose only picture a recognizer encodes so."""
        self.dispatch.joined(RECOGNIZER)
        found, waits = self.ask(request), self.dispatch.dispatcher
        wait_until(
            lambda: found or waits.waiting_pictures,
            "a picture",
            between=lambda: found.extend(self.turn()),
        )
        if not found:
            engine = self.site.recognition.encoding
            template = a_template(token=self.picture().token, encoding=encoding, engine=engine)
            self.people.take(template, 0)
            wait_until(lambda: found, "an answer", between=lambda: found.extend(self.turn()))
        return found[0]


def answers(outgoing: list[Outgoing]) -> list[AnyAnswer]:
    """Return the answers among what is to be published."""
    return [decode_answer(one.message.answer) for one in outgoing if isinstance(one.message, Reply)]


@pytest.fixture
def counter(folder: Path) -> Iterator[Counter]:
    """Give a desk whose site has nobody enrolled and no recognizer."""
    with ExitStack() as stack:
        yield Counter(folder, stack)


def refused(found: list[AnyAnswer]) -> str:
    """Return why the only answer is a refusal."""
    (answer,) = found
    assert isinstance(answer, RefusedWish), answer
    return answer.problem
