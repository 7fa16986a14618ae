"""Whether a file is there at all, and reading it without waiting for what is none."""

import os
from pathlib import Path

import pytest

from tests.support.rights import shut_out_of
from turnstile.files.reading import is_absent, read_file, why


def test_only_no_file_and_no_link_in_a_folder_that_is_there_is_absence(tmp_path: Path) -> None:
    """A dangling link, a folder that is missing and one that may not be entered are no absence."""
    assert is_absent(tmp_path / "rules")
    (tmp_path / "link").symlink_to("nowhere")
    assert not is_absent(tmp_path / "link")
    for path in (tmp_path / "missing" / "rules", tmp_path / "link" / "rules"):
        with pytest.raises(FileNotFoundError):
            is_absent(path)
    with shut_out_of(tmp_path), pytest.raises(PermissionError):
        is_absent(tmp_path / "rules")


def test_a_file_is_read_up_to_a_bound(tmp_path: Path) -> None:
    """Through a link, too."""
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    assert read_file(tmp_path / "link", at_most=3) == b"123"


@pytest.mark.parametrize(("make", "kind"), [(Path.mkdir, "a folder"), (os.mkfifo, "a pipe")])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, make: object, kind: str) -> None:
    """Nobody writes into that pipe, so whoever opened it would wait for ever."""
    path = tmp_path / "one"
    assert callable(make)
    make(path)
    with pytest.raises(OSError, match=f"it is {kind}, not a file") as caught:
        read_file(path, at_most=10)
    assert why(caught.value, about=path) == f"it is {kind}, not a file"
    assert why(caught.value, about=tmp_path) == f"it is {kind}, not a file: {path}"
    with pytest.raises(OSError, match="it is a device"):
        read_file(Path("/dev/null"), at_most=10)
