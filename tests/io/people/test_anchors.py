"""Anchors on disk: private, whole, and closed where they are damaged."""

import shutil
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.io.people.test_enrolment import ENGINE, put, refresh_until
from tests.support.builders import an_encoding
from tests.support.rights import shut_out_of
from turnstile.errors import TurnstileError
from turnstile.io.people.anchors import AnchorFolder, open_anchors
from turnstile.io.people.enrolment import Enrolment, open_enrolment
from turnstile.people.anchors import Anchor, PersonAnchors, to_file
from turnstile.people.building import GalleryBuilder
from turnstile.site.settings import GallerySettings


@pytest.fixture
def gallery(tmp_path: Path) -> GallerySettings:
    """Return a site's folders."""
    (tmp_path / "faces").mkdir()
    return GallerySettings(faces=str(tmp_path / "faces"), cache=str(tmp_path / "cache"))


@pytest.fixture
def anchors(gallery: GallerySettings) -> AnchorFolder:
    """Return the site's anchors, of which there are none."""
    return open_anchors(gallery, ENGINE)


def test_an_anchor_is_kept_until_it_is_undone(anchors: AnchorFolder, gallery: GallerySettings) -> None:
    """In a file that only its owner can read, under any spelling of the name."""
    anchors.add("Ann Lee", "9f:17", an_encoding(1))
    anchors.add("ann lee", "9f:18", an_encoding(2))
    anchors.add("Ann Lee", "9f:18", an_encoding(3))
    assert [one.event for one in anchors.of("ANN LEE")] == ["9f:17", "9f:18"]
    folder = Path(gallery.anchors_folder)
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    anchors.undo("Ann Lee", "9f:17")
    assert anchors.read().encodings["ann lee"].tobytes() == an_encoding(3)
    anchors.undo("Ann Lee", "9f:18")
    assert list(folder.iterdir()) == []
    with pytest.raises(TurnstileError, match="no anchor of event 9f:18; there are: none"):
        anchors.undo("Ann Lee", "9f:18")


def test_a_folder_with_anchors_is_looked_at_again_and_again(gallery: GallerySettings) -> None:
    """Also when a person has the same ones as before, or one more: else the broker would end."""
    anchors = open_anchors(gallery, ENGINE)
    anchors.add("Ann Lee", "9f:17", an_encoding(1))
    before = anchors.read()
    assert before.is_same(anchors.read())
    enrolment = open_enrolment(gallery, ENGINE)
    try:
        refresh_until(enrolment, lambda: len(enrolment.anchored.encodings.get("ann lee", ())) == 1)
        anchors.add("Ann Lee", "9f:18", an_encoding(2))
        refresh_until(enrolment, lambda: len(enrolment.anchored.encodings["ann lee"]) == 2)
    finally:
        enrolment.folder.close()
    assert not before.is_same(enrolment.anchored)


def test_anchors_that_are_added_and_undone_at_once_are_all_kept(gallery: GallerySettings) -> None:
    """Two people at two terminals lose nothing of each other's."""

    def add_all(source: str) -> None:
        anchors = open_anchors(gallery, ENGINE)
        for seq in range(20):
            anchors.add("Ann Lee", f"{source}:{seq}", an_encoding(seq + 1))
        anchors.undo("Ann Lee", f"{source}:0")

    with ThreadPoolExecutor() as pool:
        list(pool.map(add_all, ("a1", "b2", "c3")))
    assert len(open_anchors(gallery, ENGINE).of("Ann Lee")) == 3 * 19


def test_two_files_of_one_name_both_count(anchors: AnchorFolder, gallery: GallerySettings) -> None:
    """Somebody put one back from a backup, or from a machine that writes names in another way."""
    anchors.add("Ann Lee", "9f:17", an_encoding(1))
    folder = Path(gallery.anchors_folder)
    (folder / "Ann_Lee.anchors").rename(folder / "ANN LEE.anchors")
    anchors.add("Bob", "9f:18", an_encoding(2))
    data = to_file(
        PersonAnchors(
            person="ann lee",
            engine=ENGINE,
            anchors=(Anchor(event="9f:19", made_ns=0, encoding=an_encoding(3)),),
        )
    )
    (folder / "ann_lee.anchors").write_bytes(data)
    assert anchors.read().encodings["ann lee"].tobytes() == an_encoding(1) + an_encoding(3)


def test_a_damaged_file_keeps_its_person_out(anchors: AnchorFolder, gallery: GallerySettings) -> None:
    """And nobody else; nothing is written over it, and it can be removed."""
    anchors.add("Ann Lee", "9f:17", an_encoding(1))
    anchors.add("Bob", "9f:18", an_encoding(2))
    file = Path(gallery.anchors_folder, "Ann_Lee.anchors")
    file.write_bytes(file.read_bytes()[:-40])
    found = anchors.read()
    assert (list(found.encodings), list(found.barred)) == (["bob"], ["ann lee"])
    assert f"{file} cannot be used: its contents are not what was written" in found.barred["ann lee"]
    with pytest.raises(TurnstileError, match="not what was written"):
        anchors.add("Ann Lee", "9f:19", an_encoding(1))
    assert anchors.remove("Ann Lee") == 1
    assert not anchors.read().barred


def test_a_folder_that_cannot_be_read_is_not_an_empty_one(
    anchors: AnchorFolder, gallery: GallerySettings
) -> None:
    """Nobody is enrolled then."""
    anchors.add("Ann Lee", "9f:17", an_encoding(1))
    with shut_out_of(Path(gallery.anchors_folder)):
        assert "nobody is enrolled: " in anchors.read().trouble


@pytest.mark.parametrize("how", ["older", "gone", "folder"])
def test_anchors_that_were_put_back_or_lost_keep_their_person_out(
    anchors: AnchorFolder, gallery: GallerySettings, how: str
) -> None:
    """Until the newest are there again: what was said of a face is not forgotten in silence."""
    anchors.add("Ann Lee", "9f:17", an_encoding(1))
    file = Path(gallery.anchors_folder, "Ann_Lee.anchors")
    older = file.read_bytes()
    anchors.add("Ann Lee", "9f:18", an_encoding(2))
    anchors.add("Bob", "9f:19", an_encoding(3))
    newest = file.read_bytes()
    file.write_bytes(older) if how == "older" else file.unlink()
    if how == "folder":
        shutil.rmtree(gallery.anchors_folder)
    found = anchors.read()
    assert "has not what was said last of faces that are not ann lee's" in found.barred["ann lee"]
    assert ("bob" in found.barred) == (how == "folder")
    with pytest.raises(TurnstileError, match="has not what was said last"):
        anchors.add("Ann Lee", "9f:20", an_encoding(1))
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(newest)
    assert len(anchors.read().encodings["ann lee"]) == 2
    assert "ann lee" not in anchors.read().barred


def test_who_is_erased_is_not_in_the_notes_either(anchors: AnchorFolder, gallery: GallerySettings) -> None:
    """Also when the file is gone already; damaged notes let nobody in."""
    anchors.add("Ann Lee", "9f:17", an_encoding(1))
    anchors.add("Bob", "9f:19", an_encoding(3))
    notes = Path(gallery.cache, "anchors.noted")
    assert stat.S_IMODE(notes.stat().st_mode) == 0o600
    Path(gallery.anchors_folder, "Ann_Lee.anchors").unlink()
    anchors.remove("Ann Lee")
    assert b"ann" not in notes.read_bytes().replace(gallery.anchors_folder.encode(), b"")
    assert not anchors.read().barred
    notes.write_bytes(b"{")
    assert "does not hold notes" in anchors.read().trouble


@pytest.fixture
def enrolment(gallery: GallerySettings) -> Iterator[Enrolment]:
    """Give an enrolment that watches."""
    put(Path(gallery.faces, "ann_lee.jpg"), "ann")
    enrolment = open_enrolment(gallery, ENGINE)
    refresh_until(enrolment, lambda: enrolment.read)
    for digest in enrolment.hashes.values():
        enrolment.keep_encoding(digest, an_encoding(1))
    yield enrolment
    enrolment.folder.close()


def people(enrolment: Enrolment) -> tuple[str, ...]:
    """Return who is enrolled now."""
    enrolment.use(GalleryBuilder(ENGINE).make(enrolment.ingredients()))
    return enrolment.made.gallery.persons


def test_a_broker_that_runs_notices_anchors(
    enrolment: Enrolment, anchors: AnchorFolder, gallery: GallerySettings, caplog: pytest.LogCaptureFixture
) -> None:
    """When they come, when one is damaged, and when they go."""
    assert people(enrolment) == ("Ann Lee",)
    anchors.add("Ann Lee", "9f:17", an_encoding(2))
    refresh_until(enrolment, lambda: list(enrolment.anchored.encodings) == ["ann lee"])
    assert people(enrolment) == ("Ann Lee",)
    put(Path(gallery.anchors_folder, "Ann_Lee.anchors"), "damage")
    refresh_until(enrolment, lambda: list(enrolment.anchored.barred) == ["ann lee"])
    assert people(enrolment) == ()
    assert "nobody of that name is let in" in caplog.text
    anchors.remove("Ann Lee")
    refresh_until(enrolment, lambda: not enrolment.anchored.barred)
    assert people(enrolment) == ("Ann Lee",)
