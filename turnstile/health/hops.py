"""The hops of a frame and of a decision, whose durations are measured at the broker."""

from enum import StrEnum


class Hop(StrEnum):
    """From where to where."""

    CAPTURED_TO_BROKER = "captured_to_broker"
    """Between two machines' clocks."""
    WAITING = "waiting"
    """A frame in the broker, until it is handed to a recognizer."""
    TURN = "turn"
    """A camera, from its first frame that could be handed out to the frame that was."""
    RECOGNIZING = "recognizing"
    """From the broker to a recognizer and back."""
    CAPTURED_TO_RESULT = "captured_to_result"
    """The age of a frame when its result arrives, between two machines' clocks."""
    DECIDING = "deciding"
    """From the result to its decisions, if it has any."""
    DECIDED_TO_DURABLE = "decided_to_durable"
    """From the decision to the disk."""
    DECIDED_TO_PUBLISHED = "decided_to_published"
    """From the decision to its publication."""


STAGES = ("decode", "detect", "encode", "match")
"""The stages of a recognizer's time, by its own clock."""

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets: from a disk's commit to a result too late to count."""
