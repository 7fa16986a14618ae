"""How far long work is: on a terminal, and nowhere else."""

import os
import pty
import subprocess
import sys

WORK = (
    "from turnstile.io.site.progress import progress\n"
    "assert list(progress(range(3), 'counting')) == [0, 1, 2]\n"
    "assert list(progress(iter('ab'), 'reading')) == ['a', 'b']\n"
)


def test_on_a_terminal_long_work_shows_how_far_it_is() -> None:
    """With the number done, of all if that is known; standard output stays free."""
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", WORK],
            stdout=subprocess.PIPE,
            stderr=theirs,
            env=os.environ | {"TERM": "xterm"},
            check=True,
            timeout=60,
        )
        said = os.read(ours, 65_536).decode()
    finally:
        os.close(theirs)
        os.close(ours)
    assert done.stdout == b""
    assert "counting" in said
    assert "3/3" in said
    assert "2/?" in said


def test_where_there_is_no_terminal_nothing_is_said() -> None:
    """Piped into a file or run by cron."""
    done = subprocess.run([sys.executable, "-c", WORK], capture_output=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == (b"", b"")
