"""What a thread raises reaches the loop of its node."""

import threading
from pathlib import Path

import pytest

from tests.support.builders import write_site
from tests.support.processes import Programs
from tests.support.waiting import PATIENCE_S
from turnstile.io.runner.worker import Worker

DYING = """
import sys
from turnstile.io.runner import node
from turnstile.io.runner.heart import Heart
from turnstile.io.runner.worker import Worker

def work():
    raise KeyError("the disk is on fire")

class Dying:
    def __init__(self, start):
        self.heart = Heart(node="front_door", instance="front_door-1", role="capture")
        self.worker = Worker("disk", work)
        self.worker.start()

    def step(self, timeout_s):
        self.worker.check()

    def close(self):
        self.worker.close()
        print("closed", flush=True)

sys.exit(node.run("capture", Dying, doc=""))
"""


def raised_by(worker: Worker) -> Exception:
    """Return what a worker's check raises once its function has ended."""
    assert worker.close(within_s=PATIENCE_S)
    with pytest.raises(Exception, match="on fire") as caught:
        worker.check()
    return caught.value


def test_what_a_worker_raises_is_raised_again_at_each_check() -> None:
    """The same error, with the thread's own traceback."""

    def work() -> None:
        raise KeyError("the disk is on fire")

    worker = Worker("disk", work)
    worker.start()
    error = raised_by(worker)
    assert isinstance(error, KeyError)
    assert raised_by(worker) is error
    assert error.__traceback__ is not None


def test_a_worker_returns_when_it_is_asked_to() -> None:
    """And is then no error."""
    worker = Worker("waiting", lambda: None if worker.stopping.wait(PATIENCE_S) else pytest.fail("not asked"))
    worker.start()
    worker.check()
    assert worker.close(within_s=PATIENCE_S)
    worker.check()


def test_a_worker_that_does_not_return_is_left_behind() -> None:
    """A disk that hangs does not hold up the end."""
    let_go = threading.Event()

    def hang() -> None:
        let_go.wait(PATIENCE_S)

    worker = Worker("hanging", hang)
    worker.start()
    assert not worker.close(within_s=0.0)
    let_go.set()
    assert worker.close(within_s=PATIENCE_S)


def test_a_worker_that_never_began_is_closed_at_once() -> None:
    """A node may fail between making it and starting it."""
    assert Worker("idle", lambda: None).close()


def test_an_error_after_the_last_check_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The loop is over, and nobody else would hear of it."""

    def work() -> None:
        worker.stopping.wait(PATIENCE_S)
        raise KeyError("the disk is on fire")

    worker = Worker("disk", work)
    worker.start()
    assert worker.close(within_s=PATIENCE_S)
    assert worker.close()
    assert caplog.messages == ["disk failed at the end"]


def test_the_death_of_a_worker_ends_its_node(folder: Path) -> None:
    """With its traceback and exit code 1, so that it is started again."""
    with Programs() as programs:
        node = programs.start("-c", DYING, "--config", str(write_site(folder)))
        out, said = node.communicate(timeout=PATIENCE_S)
    assert node.returncode == 1
    assert out == "closed\n"
    assert "KeyError: 'the disk is on fire'" in said
