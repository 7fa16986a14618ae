"""The recognizer's loop around an engine that the test plays: credits, answers, galleries, goodbye."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec
import pytest

from recognizer_node import RecognizerNode
from tests.support.builders import a_box, a_frame, a_jpeg, a_picture, a_work, some_encodings
from tests.support.fake_engine import ENGINE, FakeEngine
from tests.support.waiting import wait_until
from turnstile.errors import ConfigError
from turnstile.io.bus.broker import BrokerSockets
from turnstile.io.bus.nodes import Bus
from turnstile.io.runner.heart import Heart
from turnstile.io.runner.node import Stop
from turnstile.people.gallery import build_gallery, to_message
from turnstile.protocol.envelope import Message
from turnstile.protocol.fields import Hint
from turnstile.protocol.messages import (
    AnyMessage,
    Beat,
    Bye,
    Ready,
    Result,
    Taken,
    Template,
    decode,
    encode,
)
from turnstile.protocol.topics import work_topic
from turnstile.site.settings import BrokerSettings
from turnstile.vision.engines.desk import RecognitionDesk

NAME, INSTANCE = "recognizer-1", "recognizer-1-a1b2c3d4"


class Bench:
    """A recognizer node and a broker that the test plays, on one thread."""

    def __init__(self, folder: Path, stack: ExitStack, *, credits: int = 1) -> None:  # noqa: A002 - the term
        addresses = BrokerSettings(ingress=f"ipc://{folder}/in", egress=f"ipc://{folder}/out")
        self.broker = stack.enter_context(closing(BrokerSockets(addresses)))
        self.engine = FakeEngine()
        self.stop = stack.enter_context(Stop())
        self.node = RecognizerNode(
            bus=Bus(addresses, topics=("gallery.", work_topic(NAME, INSTANCE))),
            desk=RecognitionDesk(name=NAME, instance=INSTANCE, engine=self.engine),
            credits=credits,
            heart=Heart(node=NAME, instance=INSTANCE, role="recognizer", period_s=3600.0),
            stop=self.stop,
        )
        self._closing = stack.enter_context(ExitStack())
        self._closing.callback(self.node.close)
        self.said: list[AnyMessage] = []

    def send(self, *messages: Message) -> None:
        """Publish messages for the node, as the broker does."""
        for message in messages:
            self.broker.publish(work_topic(NAME, INSTANCE), encode(message))

    def turn_until(self, condition: Callable[[], bool]) -> None:
        """Turn the node's loop and take in what it says, until a condition holds."""
        wait_until(condition, lambda: self.said, between=self._turn)

    def take_in(self, timeout_s: float = 0.01) -> None:
        """Note what the node said."""
        self.broker.wait(timeout_s)
        while self.broker.subscription() is not None:
            pass
        while (said := self.broker.receive()) is not None:
            self.said.append(decode(said.body))

    def close_node(self) -> None:
        """Close the node, and hear its last words."""
        self._closing.close()
        wait_until(
            lambda: any(isinstance(message, Bye) for message in self.said),
            "the last words",
            between=self.take_in,
        )

    def _turn(self) -> None:
        self.node.step(0.01)
        self.take_in()

    def kinds(self) -> list[str]:
        """Return what the node said, its beats left out."""
        return [type(message).__name__ for message in self.said if not isinstance(message, Beat)]

    def results(self) -> list[Result]:
        """Return the results said."""
        return [message for message in self.said if isinstance(message, Result)]

    def templates(self) -> list[Template]:
        """Return the templates said; one that was said again because nobody took it counts once."""
        return list({one.token: one for one in self.said if isinstance(one, Template)}.values())

    def is_ready(self) -> bool:
        """Tell whether the last thing said is that there is a credit."""
        return self.kinds()[-1:] == ["Ready"]


@pytest.fixture
def bench(folder: Path) -> Iterator[Bench]:
    """Give a node that is ready."""
    with ExitStack() as stack:
        bench = Bench(folder, stack)
        bench.turn_until(bench.is_ready)
        yield bench


def test_it_says_that_it_is_ready_until_work_comes(bench: Bench) -> None:
    """A broker that starts later, or lost the word, hears it again."""
    bench.turn_until(lambda: bench.kinds() == ["Ready"] * 3)
    ready = bench.said[-1]
    assert ready == Ready(name=NAME, instance=INSTANCE, credits=1)


def test_a_frame_is_answered_with_its_faces_and_the_next_may_come(bench: Bench) -> None:
    """Token and frame are those of the work; encodings and thumbnails go along for the broker."""
    bench.engine.boxes_px = (a_box(left=10, top=5, size=20), a_box(left=40, top=5, size=10))
    bench.engine.encodings = some_encodings(2, seed=1)
    gallery = build_gallery(ENGINE, [("Ann Lee", some_encodings(2, seed=1)[0].tobytes())])
    hint = Hint(boxes_px=(a_box(),), age_s=0.1, frames_since_full_scan=1)
    bench.send(to_message(gallery), a_work(a_frame(seq=7), hint=hint))
    bench.turn_until(lambda: bool(bench.results()) and bench.is_ready())
    result = bench.results()[0]
    assert (result.token, result.camera, result.seq) == (a_work().token, "front_door", 7)
    assert (result.gallery_version, result.problem, result.full_scan) == (gallery.version, "", True)
    first, second = result.faces
    assert (first.person, first.second_distance) == ("Ann Lee", None)
    assert first.distance == pytest.approx(0, abs=1e-3)
    assert second.distance is not None
    assert second.distance > 1
    assert first.encoding == some_encodings(2, seed=1)[0].tobytes()
    assert first.thumbnail[:2] == b"\xff\xd8"
    assert bench.engine.hints == [hint]
    assert bench.said[-1] == Ready(name=NAME, instance=INSTANCE, credits=1, gallery_version=gallery.version)


def test_an_enrolment_picture_is_answered_with_its_encoding(bench: Bench) -> None:
    """What the desk counts is in the node's beat."""
    bench.send(a_picture(data=a_jpeg()))
    bench.turn_until(lambda: len(bench.templates()) == 1)
    (template,) = bench.templates()
    assert (template.engine, template.problem) == (ENGINE, "")
    assert bench.node.heart.counts["pictures_in"] == 1


def test_with_two_credits_each_answer_says_that_more_may_come(folder: Path) -> None:
    """While one piece of work is done another is on its way."""
    with ExitStack() as stack:
        bench = Bench(folder, stack, credits=2)
        bench.turn_until(bench.is_ready)
        bench.said.clear()
        bench.send(a_work(a_frame(seq=1), token="01"), a_work(a_frame(seq=2), token="02"))
        bench.turn_until(lambda: len(bench.results()) == 2)
        assert [(result.token, result.credits) for result in bench.results()] == [("01", 2), ("02", 2)]
        bench.turn_until(bench.is_ready)


def test_who_is_to_stop_finishes_the_frame_in_hand_and_asks_for_no_more(bench: Bench) -> None:
    """Work handed out after that would be lost."""
    bench.engine.while_working = bench.stop.request
    bench.send(a_work())
    bench.turn_until(lambda: bool(bench.results()))
    bench.close_node()
    assert bench.kinds()[-2:] == ["Result", "Bye"]
    assert bench.results()[-1].credits == 0


def test_an_answer_is_said_again_until_it_is_confirmed(bench: Bench) -> None:
    """A result that a broken connection swallowed is not lost."""
    bench.send(a_work())
    bench.turn_until(lambda: len(bench.results()) == 3)
    assert len({encode(result) for result in bench.results()}) == 1
    bench.send(Taken(token=a_work().token))
    bench.turn_until(lambda: not len(bench.node.outbox))
    assert bench.node.heart.counts["answers_repeated"] >= 2
    assert bench.node.heart.counts["dropped_answers"] == 0


def test_the_next_work_tells_that_an_answer_came(bench: Bench) -> None:
    """The broker need not say it apart."""
    bench.send(a_work(token="01"))
    bench.turn_until(lambda: bool(bench.results()))
    bench.send(msgspec.structs.replace(a_work(token="02"), taken="01"), Taken(token="02"))
    bench.turn_until(lambda: len(bench.results()) > 1 and not len(bench.node.outbox))


def test_who_is_to_stop_waits_for_its_last_answer_to_be_confirmed(bench: Bench) -> None:
    """But not for long: the test would hang."""
    bench.send(a_work())
    bench.turn_until(lambda: bool(bench.results()))
    bench.send(Taken(token=a_work().token))
    bench.close_node()
    assert not len(bench.node.outbox)


def test_a_gallery_of_another_engine_is_a_configuration_error(bench: Bench) -> None:
    """Its distances would mean nothing."""
    bench.send(to_message(build_gallery("another/engine", [])))
    with pytest.raises(ConfigError, match=r"another/engine, this recognizer makes a-test-engine/raw"):
        bench.turn_until(lambda: False)


def test_a_broken_gallery_is_refused_and_the_last_one_kept(bench: Bench) -> None:
    """It is counted, and the broker learns from the version that it must send it again."""
    gallery = build_gallery(ENGINE, [("Ann Lee", some_encodings(1).tobytes())])
    whole = to_message(gallery)
    broken = type(whole)(
        version="broken", engine=ENGINE, persons=("Bob",), owners=(0, 0), encodings=whole.encodings
    )
    bench.send(whole, broken)
    bench.turn_until(lambda: bench.node.heart.counts["refused_galleries"] == 1)
    assert bench.node.desk.gallery.version == gallery.version


def test_messages_for_others_are_passed_over(bench: Bench) -> None:
    """A beat on its work topic, and bytes that are none."""
    bench.broker.publish(work_topic(NAME, INSTANCE), b"no message")
    bench.send(Bye(name=NAME, instance=INSTANCE), a_work())
    bench.turn_until(lambda: bool(bench.results()))
    assert bench.node.bus.refused == 1
