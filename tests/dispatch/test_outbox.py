"""Answers that are said again until the broker has them."""

from tests.support.builders import a_result, a_template
from turnstile.dispatch.outbox import MAX_KEPT, SAY_AGAIN_S, Outbox

LEASE_S = 3.0


def test_an_answer_is_said_again_until_it_is_taken() -> None:
    """At intervals, and not before the first."""
    outbox = Outbox()
    result, template = a_result(token="01"), a_template(token="02")
    outbox.put(result, lease_s=LEASE_S, now_s=10.0)
    outbox.put(template, lease_s=LEASE_S, now_s=10.0 + SAY_AGAIN_S / 2)
    assert outbox.due(10.0 + 0.9 * SAY_AGAIN_S) == []
    assert outbox.due(10.0 + SAY_AGAIN_S) == [result]
    assert outbox.due(10.0 + 1.5 * SAY_AGAIN_S) == [template]
    outbox.confirm("01")
    outbox.confirm("never said")
    assert outbox.due(10.0 + 2.5 * SAY_AGAIN_S) == [template]
    outbox.confirm("02")
    assert (len(outbox), outbox.lost) == (0, 0)


def test_an_answer_is_given_up_with_its_lease() -> None:
    """Nobody would take it any more; it is counted as lost."""
    outbox = Outbox()
    outbox.put(a_result(token="01"), lease_s=LEASE_S, now_s=0.0)
    assert len(outbox.due(LEASE_S - 0.01)) == 1
    assert outbox.due(LEASE_S) == []
    assert (len(outbox), outbox.lost) == (0, 1)


def test_only_so_many_answers_are_kept() -> None:
    """The oldest is given up, and counted."""
    outbox = Outbox()
    for number in range(MAX_KEPT + 1):
        outbox.put(a_result(token=f"{number:02x}"), lease_s=LEASE_S, now_s=0.0)
    assert (len(outbox), outbox.lost) == (MAX_KEPT, 1)
    assert next(answer.token for answer in outbox.due(SAY_AGAIN_S)) == "01"
