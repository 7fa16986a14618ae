"""The sample faces come from a pinned archive; each is whole and the one that is meant, or not there."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from turnstile.commands.demo import samples
from turnstile.errors import SetupError

CONTENT = b"a picture of a president"
PICTURES = {"obama.jpg": hashlib.sha256(CONTENT).hexdigest()}


def a_member(name: str = "obama.jpg", *, folder: str = samples.ARCHIVE_FOLDER) -> tarfile.TarInfo:
    """Return the head of a file in an archive."""
    return tarfile.TarInfo(f"{folder}/{name}")


def an_archive(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    """Write an archive that holds `members`."""
    with tarfile.open(path, "w:gz") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_the_fetched_pictures_are_those_that_are_meant() -> None:
    """Set-up has brought every sample picture, unchanged."""
    assert samples.is_complete(samples.folder())


def test_nothing_is_fetched_twice(capfd: pytest.CaptureFixture[str]) -> None:
    """A second set-up is silent."""
    assert samples.main() == 0
    assert capfd.readouterr() == ("", "")


def test_missing_pictures_say_how_to_get_them(tmp_path: Path) -> None:
    """Whoever skipped set-up learns its name and which pictures are missing."""
    (tmp_path / "obama.jpg").write_bytes(CONTENT)
    with pytest.raises(SetupError, match=r"biden\.jpg.*make setup") as raised:
        samples.folder(tmp_path)
    assert "obama.jpg" not in str(raised.value)


def test_a_changed_picture_is_fetched_again(tmp_path: Path) -> None:
    """A picture of the right name with other content does not pass."""
    for name in samples.PICTURES:
        (tmp_path / name).write_bytes((samples.folder() / name).read_bytes())
    assert samples.is_complete(tmp_path)
    (tmp_path / "biden.jpg").write_bytes(CONTENT)
    assert not samples.is_complete(tmp_path)


def test_only_the_named_pictures_are_taken_out(tmp_path: Path) -> None:
    """Whatever else an archive holds, paths that lead elsewhere included, stays in it."""
    archive = an_archive(
        tmp_path / "faces.tar.gz",
        (a_member(), CONTENT),
        (a_member("another.jpg"), CONTENT),
        (a_member("escaped.jpg", folder=".."), CONTENT),
    )
    samples.install(archive, tmp_path / "samples", pictures=PICTURES)
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["obama.jpg"]
    assert (tmp_path / "samples" / "obama.jpg").read_bytes() == CONTENT
    assert {path.name for path in tmp_path.iterdir()} == {"faces.tar.gz", "samples"}


def test_an_archive_without_the_picture_is_refused(tmp_path: Path) -> None:
    """The error names what is missing."""
    archive = an_archive(tmp_path / "faces.tar.gz", (a_member("another.jpg"), CONTENT))
    with pytest.raises(SetupError, match=r"holds no .*obama\.jpg"):
        samples.install(archive, tmp_path / "samples", pictures=PICTURES)


def test_another_picture_of_that_name_is_refused(tmp_path: Path) -> None:
    """The pinned hash decides, and no picture is left behind."""
    archive = an_archive(tmp_path / "faces.tar.gz", (a_member(), b"somebody else"))
    with pytest.raises(SetupError, match="another picture"):
        samples.install(archive, tmp_path / "samples", pictures=PICTURES)
    assert not (tmp_path / "samples").exists()


def test_a_link_in_the_picture_s_place_is_refused(tmp_path: Path) -> None:
    """A link could lead to any file of this machine."""
    link = a_member()
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    archive = an_archive(tmp_path / "faces.tar.gz", (link, b""))
    with pytest.raises(SetupError, match="no plain file"):
        samples.install(archive, tmp_path / "samples", pictures=PICTURES)


def test_an_oversized_picture_is_refused_unread(tmp_path: Path) -> None:
    """A small archive may unpack to a lot."""
    archive = an_archive(tmp_path / "faces.tar.gz", (a_member(), bytes(samples.MAX_PICTURE_BYTES + 1)))
    with pytest.raises(SetupError, match="no plain file of at most"):
        samples.install(archive, tmp_path / "samples", pictures=PICTURES)


def test_a_cut_archive_is_refused(tmp_path: Path) -> None:
    """A download that broke off gives an error and no pictures."""
    archive = an_archive(tmp_path / "faces.tar.gz", (a_member(), CONTENT))
    archive.write_bytes(archive.read_bytes()[:-40])
    with pytest.raises(SetupError, match="cannot read"):
        samples.install(archive, tmp_path / "samples", pictures=PICTURES)
    assert not (tmp_path / "samples").exists()
