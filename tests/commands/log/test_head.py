"""Head: the end of the log, to keep elsewhere."""

from collections.abc import Callable

Run = Callable[..., tuple[int, str]]


def test_a_hash_that_was_kept_is_compared(run: Run) -> None:
    """`turnstile log head` prints it."""
    code, said = run("head")
    number, kept = said.split()
    assert code == 0
    assert number == "4"
    assert run("verify", "--against", kept)[0] == 0
    code, said = run("verify", "--against", "00" * 32)
    assert code == 1
    assert "no entry has the hash 0000" in said
