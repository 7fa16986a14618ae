"""Answers that a recognizer keeps until the broker has taken them.

Pure: times are arguments. A connection that breaks loses the messages in its queues unnoticed. An answer is
therefore sent again until the broker confirms it, as long as the broker would still take it.
"""

from dataclasses import dataclass

from turnstile.protocol.messages import Result, Template

SAY_AGAIN_S = 0.5
MAX_KEPT = 64

Answer = Result | Template


@dataclass(kw_only=True)
class _Unconfirmed:
    answer: Answer
    until_s: float
    again_at_s: float


class Outbox:
    """What was answered and not confirmed. All times are monotonic seconds.

    Attributes:
        lost: how many answers were given up: the broker did not confirm them within the lease.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._kept: dict[str, _Unconfirmed] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, answer: Answer, *, lease_s: float, now_s: float) -> None:
        """Keep an answer that is sent now for the first time; beyond `MAX_KEPT`, the oldest is dropped."""
        self._kept[answer.token] = _Unconfirmed(
            answer=answer, until_s=now_s + lease_s, again_at_s=now_s + SAY_AGAIN_S
        )
        if len(self._kept) > MAX_KEPT:
            del self._kept[next(iter(self._kept))]
            self.lost += 1

    def confirm(self, token: str) -> None:
        """Forget an answer that the broker has."""
        self._kept.pop(token, None)

    def due(self, now_s: float) -> list[Answer]:
        """Return the answers to send again now, and drop those that no broker would take any more."""
        for token in [token for token, one in self._kept.items() if one.until_s <= now_s]:
            del self._kept[token]
            self.lost += 1
        again = [one for one in self._kept.values() if one.again_at_s <= now_s]
        for one in again:
            one.again_at_s = now_s + SAY_AGAIN_S
        return [one.answer for one in again]
