"""Recordings of results: appended whole, bounded, private, and read again after a crash."""

from pathlib import Path

import pytest

from tests.support.builders import a_result, an_access
from turnstile.access.replay import taken, told
from turnstile.errors import ConfigError
from turnstile.io.access.recording import ResultFile, read


def some_bodies(count: int) -> list[bytes]:
    """Return records."""
    return [taken(a_result(seq=seq), came_ns=seq, age_s=0.1, at_ns=seq) for seq in range(count)]


def written(path: Path, *bodies: bytes, max_bytes: int = 10**6) -> ResultFile:
    """Return a recording with these records, closed."""
    file = ResultFile(path, max_bytes=max_bytes)
    for body in bodies:
        file.write(body)
    file.close()
    return file


def test_what_is_written_is_read_in_order(tmp_path: Path) -> None:
    """Over restarts, too, and by its owner only."""
    path = tmp_path / "var" / "results"
    written(path, *some_bodies(3))
    written(path, told(an_access()))
    assert [one.at_ns for one in read(path)][:3] == [0, 1, 2]
    assert len(list(read(path))) == 4
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("cut", [1, 5, 60])
def test_a_torn_end_is_left_out_and_mended(tmp_path: Path, cut: int) -> None:
    """A crash costs one record."""
    path = tmp_path / "results"
    written(path, *some_bodies(3))
    path.write_bytes(path.read_bytes()[:-cut])
    assert len(list(read(path))) == 2
    written(path, *some_bodies(1))
    assert [one.at_ns for one in read(path)] == [0, 1, 0]


def test_a_recording_does_not_grow_for_ever(tmp_path: Path) -> None:
    """The oldest half goes."""
    path = tmp_path / "results"
    written(path, *some_bodies(200), max_bytes=4000)
    assert sum(one.stat().st_size for one in tmp_path.iterdir()) < 10_000
    numbers = [one.at_ns for one in read(path)]
    assert numbers == list(range(numbers[0], 200))


def test_what_cannot_be_written_holds_nothing_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said once."""
    (tmp_path / "results").mkdir()
    written(tmp_path / "results", *some_bodies(5))
    assert len(caplog.records) == 1


@pytest.mark.parametrize("contents", [b"\x00\x00\x00\x05hello", b"not a recording at all" * 9])
def test_another_file_is_no_recording(tmp_path: Path, contents: bytes) -> None:
    """The error names it."""
    path = tmp_path / "results"
    path.write_bytes(contents)
    with pytest.raises(ConfigError, match="results: cannot be read: it holds something that is no recording"):
        list(read(path))


def test_without_a_recording_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    """By the site file."""
    with pytest.raises(ConfigError, match=r"decision\.record"):
        list(read(tmp_path / "results"))


def test_a_recording_that_cannot_be_looked_at_is_not_taken_for_none(tmp_path: Path) -> None:
    """A link that leads nowhere, and a path through a file."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for path in (tmp_path / "file" / "results", tmp_path / "link"):
        with pytest.raises(ConfigError, match=r"cannot be (looked at|read): ") as caught:
            list(read(path))
        assert str(caught.value).startswith(f"{path}")


FOREIGN = [
    b"Dear diary, " * 200,
    b"\0\0\0\5hello",
    b"\0\0\1\0",
    b"x",
    b"\0" * 100,
    b"\x89PNG\r\n",
    b"SQLite format 3\0",
]


@pytest.mark.parametrize("data", FOREIGN)
def test_somebody_elses_file_is_left_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    """Neither cut nor appended to, nor its mode changed; it is said which file to name."""
    path = tmp_path / "diary"
    path.write_bytes(data)
    path.chmod(0o644)
    file = written(path, *some_bodies(3))
    assert path.read_bytes() == data
    assert f"results are not recorded, {path} cannot be written" in file.problem
    assert path.stat().st_mode & 0o777 == 0o644
    assert "holds something that is no recording, and is left as it is; name another file" in caplog.text


def test_somebody_elses_file_is_not_replaced_by_the_older_recording(tmp_path: Path) -> None:
    """The name of the older half may be taken."""
    path, other = tmp_path / "results", tmp_path / "results.1"
    other.write_bytes(b"Dear diary")
    written(path, *some_bodies(200), max_bytes=4000)
    assert other.read_bytes() == b"Dear diary"


def test_a_recording_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    """Names and encodings are in it."""
    path = tmp_path / "results"
    written(path, *some_bodies(1))
    path.chmod(0o644)
    written(path, *some_bodies(1))
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(list(read(path))) == 2


def test_a_recording_that_was_removed_begins_anew(tmp_path: Path) -> None:
    """As one is told to remove it when somebody is erased; nothing goes into a file that nobody sees."""
    path = tmp_path / "results"
    file = ResultFile(path)
    first, *others = some_bodies(3)
    file.write(first)
    path.unlink()
    for body in others:
        file.write(body)
    file.close()
    assert [one.at_ns for one in read(path)] == [1, 2]
