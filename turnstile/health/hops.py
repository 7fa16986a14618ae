"""The hops of a frame and of a decision, whose durations are measured at the broker."""

from enum import StrEnum


class Hop(StrEnum):
    """From where to where."""

    CAPTURED_TO_BROKER = "captured_to_broker"
    """Between two machines' clocks."""
    WAITING = "waiting"
    """A frame in the broker, until it is handed to a recognizer."""
    TURN = "turn"
    """A camera, from its first frame that could have been handed out to the one that was."""
    RECOGNIZING = "recognizing"
    """From the broker to a recognizer and back."""
    CAPTURED_TO_RESULT = "captured_to_result"
    """The age of a frame when its result is here, between two machines' clocks."""
    DECIDING = "deciding"
    """From the result to its decisions, which most results have none of."""
    DECIDED_TO_DURABLE = "decided_to_durable"
    """Until the decision is on the disk."""
    DECIDED_TO_PUBLISHED = "decided_to_published"
    """Until everybody is told."""


STAGES = ("decode", "detect", "encode", "match")
"""Where a recognizer's time goes, by its own clock."""

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the histograms' buckets: from a disk's commit to a result that comes too late to count."""
