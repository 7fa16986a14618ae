"""Whoever guesses waits longer and longer, and nobody else does."""

from turnstile.web.accounts.attempts import (
    FREE_TRIES,
    FREE_TRIES_OF_NAME,
    LONGEST_OF_NAME_S,
    MAX_KEPT,
    SignInAttempts,
)


def fail(attempts: SignInAttempts, count: int, *, address: str = "203.0.113.9", device: str = "") -> None:
    """Fail so many times as Ada."""
    for _ in range(count):
        attempts.failed("Ada", address=address, device=device, now_s=0.0)


def test_an_address_waits_twice_as_long_after_each_failure() -> None:
    """A few mistakes are free."""
    attempts = SignInAttempts()
    refused = []
    for _ in range(FREE_TRIES + 4):
        refused.append(attempts.waiting("Ada", address="203.0.113.9", device="", now_s=0.0).refused_s)
        fail(attempts, 1)
    assert refused == [0.0] * FREE_TRIES + [1.0, 2.0, 4.0, 8.0]


def test_an_attacker_elsewhere_keeps_nobody_out() -> None:
    """However often others fail as Ada, she is answered: at once where she was before, else in seconds."""
    attempts = SignInAttempts()
    for number in range(200):
        fail(attempts, 1, address=f"203.0.113.{number}")
    known = attempts.waiting("ada", address="192.0.2.1", device="hers", now_s=0.0)
    new = attempts.waiting("ada", address="192.0.2.1", device="", now_s=0.0)
    assert known == (0.0, 0.0)
    assert new.refused_s == 0.0
    assert 0.0 < new.answer_s <= LONGEST_OF_NAME_S


def test_a_name_is_answered_slowly_once_many_failed() -> None:
    """Below that, it is answered at once."""
    attempts = SignInAttempts()
    for number in range(FREE_TRIES_OF_NAME - 1):
        fail(attempts, 1, address=f"203.0.113.{number}")
    assert attempts.waiting("Ada", address="192.0.2.1", device="", now_s=0.0).answer_s == 0.0


def test_an_address_behind_which_the_owner_is_too_does_not_keep_her_out() -> None:
    """Her device is counted on its own."""
    attempts = SignInAttempts()
    fail(attempts, 50)
    assert attempts.waiting("Ada", address="203.0.113.9", device="", now_s=0.0).refused_s > 0
    assert attempts.waiting("Ada", address="203.0.113.9", device="hers", now_s=0.0).refused_s == 0.0


def test_an_account_of_the_attacker_clears_nothing() -> None:
    """Its sign-ins take back their own count only."""
    attempts = SignInAttempts()
    fail(attempts, FREE_TRIES)
    for _ in range(10):
        attempts.failed("Mallory", address="203.0.113.9", device="", now_s=0.0)
        attempts.succeeded("Mallory", address="203.0.113.9", device="")
    assert attempts.waiting("Ada", address="203.0.113.9", device="", now_s=0.0).refused_s > 0


def test_an_ipv6_network_counts_as_one_address() -> None:
    """Everybody who has one has 2^64."""
    attempts = SignInAttempts()
    for number in range(FREE_TRIES):
        fail(attempts, 1, address=f"2001:db8::{number:x}")
    assert attempts.waiting("Ada", address="2001:db8::ffff", device="", now_s=0.0).refused_s > 0
    assert attempts.waiting("Ada", address="2001:db8:1::1", device="", now_s=0.0).refused_s == 0.0


def test_failures_are_forgotten() -> None:
    """After an hour, and the oldest when there are too many."""
    attempts = SignInAttempts()
    fail(attempts, 50)
    assert attempts.waiting("Ada", address="203.0.113.9", device="", now_s=3601.0) == (0.0, 0.0)
    for number in range(MAX_KEPT):
        attempts.failed(f"{number}", address="192.0.2.1", device=f"{number}", now_s=0.0)
    assert attempts.waiting("Ada", address="203.0.113.9", device="", now_s=0.0) == (0.0, 0.0)


def test_what_is_no_address_counts_as_it_is() -> None:
    """A proxy may forward anything."""
    attempts = SignInAttempts()
    fail(attempts, FREE_TRIES, address="unknown")
    assert attempts.waiting("Ada", address="unknown", device="", now_s=0.0).refused_s > 0
