"""Each key's share of the broker: how much it may say, and how often it is refused before it is cut off.

Pure: times are arguments. A token bucket is filled at a rate and is never fuller than its burst. So a sender
keeps to the rate over any longer time, while what queued in a pause may come at once.
"""

from dataclasses import dataclass

from turnstile.protocol.roles import Role

MAX_MESSAGES_PER_S: dict[Role, float] = {
    "capture": 365.0,
    "recognizer": 2000.0,
    "logger": 300.0,
    "display": 20.0,
    "observer": 50.0,
    "web": 100.0,
}
"""Of one key. A camera has at most 240 frames a second, and less if its site file says so, see `share_of`; a
recognizer's key may serve a whole machine, each process with a result and a few words of readiness a frame;
the others hardly speak."""

FRAMES_SLACK, BEATS_PER_S = 1.5, 5.0
"""A camera's share is what it may send, by half more for clocks that differ, and its beats."""

MAX_BYTES_PER_S = 64e6
"""Of one key: sixty frames of 1 MB."""

MAX_SUBSCRIPTIONS_PER_S = 300.0
"""Of one key: a display of 64 cameras has 257, and takes them all anew when it reconnects."""

MAX_CONNECTIONS_PER_S, CONNECTIONS_BURST_S = 5.0, 40.0
"""Of one key: 100 recognizers of a machine come back to both ports at once. Connections that say nothing are
not known by key afterwards, so this is what keeps them few."""

MAX_REFUSALS_PER_S = 100.0
"""Of one key: more is a flood, and costs the others more than being without this one."""

BURST_S = 2.0
PATIENCE_S = 10.0
"""Before it is cut off, somebody may be refused so many seconds' worth at once."""


@dataclass(kw_only=True)
class Bucket:
    """What may still be taken; it fills at `per_s` up to `most`."""

    per_s: float
    most: float
    left: float
    at_s: float

    def take(self, amount: float, now_s: float) -> bool:
        """Take so much out; False, and nothing is taken, when there is less."""
        self.left = min(self.most, self.left + max(0.0, now_s - self.at_s) * self.per_s)
        self.at_s = now_s
        if self.left < amount:
            return False
        self.left -= amount
        return True


@dataclass(kw_only=True)
class Share:
    """The buckets of one key."""

    messages: Bucket
    octets: Bucket
    connections: Bucket
    subscriptions: Bucket
    refusals: Bucket

    def spend(self, octets: int, now_s: float) -> bool:
        """Take a message of so many bytes; False when the share is used up."""
        return self.messages.take(1, now_s) and self.octets.take(octets, now_s)


def share_of(role: Role, now_s: float, *, max_fps: float | None = None) -> Share:
    """Return the full share of a key of this role; a camera's by the frames it may send a second."""
    messages_per_s = MAX_MESSAGES_PER_S[role]
    if role == "capture" and max_fps is not None:
        messages_per_s = min(messages_per_s, max_fps * FRAMES_SLACK + BEATS_PER_S)
    return Share(
        messages=a_bucket(messages_per_s, BURST_S, now_s),
        octets=a_bucket(MAX_BYTES_PER_S, BURST_S, now_s),
        connections=a_bucket(MAX_CONNECTIONS_PER_S, CONNECTIONS_BURST_S, now_s),
        subscriptions=a_bucket(MAX_SUBSCRIPTIONS_PER_S, BURST_S, now_s),
        refusals=a_bucket(MAX_REFUSALS_PER_S, PATIENCE_S, now_s),
    )


def a_bucket(per_s: float, burst_s: float, now_s: float) -> Bucket:
    """Return a full bucket that holds `burst_s` seconds' worth."""
    return Bucket(per_s=per_s, most=per_s * burst_s, left=per_s * burst_s, at_s=now_s)
