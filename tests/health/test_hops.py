"""The hops that are measured, and the buckets they are counted in."""

from turnstile.health.hops import BUCKETS_S, STAGES, Hop


def test_each_hop_has_a_name_of_its_own_that_prometheus_takes() -> None:
    """It is the value of a label."""
    assert len({str(hop) for hop in Hop}) == len(Hop)
    assert all(name.isidentifier() for name in (*map(str, Hop), *STAGES))


def test_buckets_grow_and_reach_from_a_commit_to_a_result_too_late_to_count() -> None:
    """A result counts for `max_result_age_s` at most."""
    assert list(BUCKETS_S) == sorted(set(BUCKETS_S))
    assert BUCKETS_S[0] <= 0.001
    assert BUCKETS_S[-1] >= 10.0
