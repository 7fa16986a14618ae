"""Shares: what one key may say, and how fast it comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnstile.dispatch.limits import BURST_S, MAX_BYTES_PER_S, MAX_MESSAGES_PER_S, a_bucket, share_of
from turnstile.protocol.roles import ROLES, Role


@pytest.mark.parametrize("role", ROLES)
def test_a_flood_gets_its_burst_and_then_its_rate(role: Role) -> None:
    """Ten thousand messages a second, for ten seconds."""
    share = share_of(role, 0.0)
    taken = sum(share.spend(100, at / 10_000) for at in range(100_000))
    assert taken == pytest.approx(MAX_MESSAGES_PER_S[role] * (BURST_S + 10), rel=0.01)


def test_bytes_are_held_to_a_rate_as_well() -> None:
    """Few messages, each as large as a message may be."""
    share = share_of("capture", 0.0)
    taken = sum(share.spend(8_000_000, at / 100) for at in range(1000))
    assert taken * 8_000_000 == pytest.approx(MAX_BYTES_PER_S * (BURST_S + 10), rel=0.1)


def test_a_camera_within_its_rate_is_never_short() -> None:
    """Sixty frames a second of half a megabyte, for a minute."""
    share = share_of("capture", 0.0)
    assert all(share.spend(500_000, at / 60) for at in range(3600))


def test_a_cameras_share_is_what_its_site_file_lets_it_send() -> None:
    """A flood of an hour, by a camera of 10 frames a second: half more, and its beats."""
    share = share_of("capture", 0.0, max_fps=10.0)
    taken = sum(share.spend(50_000, at / 200) for at in range(200 * 3600))
    assert taken == pytest.approx(20 * 3600, rel=0.01)


@pytest.mark.parametrize("max_fps", [0.1, 15.0, 240.0])
def test_a_camera_at_its_full_rate_is_never_short(max_fps: float) -> None:
    """Frames by a clock that is a fifth too fast, and a beat a second."""
    share = share_of("capture", 0.0, max_fps=max_fps)
    frames = [(at / (1.2 * max_fps), 20_000) for at in range(500)]
    said = sorted([*frames, *((float(at), 300) for at in range(int(frames[-1][0])))])
    assert all(share.spend(octets, at_s) for at_s, octets in said)


def test_a_key_that_hoards_connections_gets_few() -> None:
    """A machine of 100 recognizers comes back at once; whoever connects all the time gets five a second."""
    share = share_of("recognizer", 0.0)
    taken = sum(share.connections.take(1, at / 1000) for at in range(60_000))
    assert 200 <= taken <= 200 + 5 * 60


@given(st.lists(st.floats(0, 1e6), max_size=50), st.floats(0.1, 1000))
def test_no_order_of_times_gives_more_than_the_rate(times: list[float], amount: float) -> None:
    """A clock that jumps back gives nothing, and one that jumps forward no more than the burst."""
    bucket = a_bucket(10.0, 2.0, 0.0)
    taken = sum(amount for at_s in times if bucket.take(amount, at_s))
    forward_s = sum(max(0.0, later - earlier) for earlier, later in zip([0.0, *times], times, strict=False))
    assert taken <= 20.0 + 10.0 * forward_s + 1e-6
    assert 0 <= bucket.left <= 20.0
