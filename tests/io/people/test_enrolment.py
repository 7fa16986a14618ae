"""The faces folder: pictures come, change and go while it is watched, and each problem is said once."""

import hashlib
import logging
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.builders import an_encoding, some_looks
from tests.support.rights import shut_out_of
from tests.support.waiting import PATIENCE_S, wait_until
from turnstile.io.bus.nodes import MAX_HEARD_BYTES
from turnstile.io.people.cache import EncodingCache, Made
from turnstile.io.people.enrolment import MAX_SAID, Enrolment
from turnstile.io.people.folder import MAX_PICTURE_BYTES, FaceFolder, Listing, files_in, watch
from turnstile.people.building import MAX_PICTURES, GalleryBuilder
from turnstile.people.encodings import Unencoded
from turnstile.people.gallery import build_gallery, person_of, to_message
from turnstile.protocol.messages import encode
from turnstile.protocol.names import name_key

ENGINE = "dlib-resnet-v1/raw"


def put(file: Path, content: bytes | str) -> str:
    """Put a file into place at once, as one that has lain there for a while, and return its hash."""
    data = content.encode() if isinstance(content, str) else content
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(".partial")
    partial.write_bytes(data)
    os.utime(partial, (1_600_000_000, 1_600_000_000))
    partial.replace(file)
    return digest_of(data)


def digest_of(data: bytes | str) -> str:
    """Return the hash by which a picture is known."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


class Place:
    """A faces folder and its cache, watched as often as a test begins to."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.faces = path / "faces"
        self.faces.mkdir()
        self.cache = EncodingCache(path / "cache", ENGINE)
        self.cache_folder = path / "cache" / ENGINE.replace("/", "-")
        self._stack = stack

    def folder(self, changes: Callable[[Path, threading.Event], Iterator[object]] = watch) -> FaceFolder:
        """Begin to watch."""
        folder = FaceFolder(self.faces, self.cache, changes=changes)
        folder.start()
        self._stack.callback(folder.close)
        return folder

    def wait_until_cached(self, content: str) -> None:
        """Wait for the folder's thread to write the encoding of a picture."""
        wait_until(lambda: self.cache.get(digest_of(content)) is not None, f"the encoding of {content}")

    def enrolment(self, changes: Callable[[Path, threading.Event], Iterator[object]] = watch) -> Enrolment:
        """Begin to watch, and return when the folder has been read once."""
        enrolment = Enrolment(folder=self.folder(changes), engine=ENGINE)
        refresh_until(enrolment, lambda: enrolment.read)
        return enrolment


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Give an empty faces folder."""
    with ExitStack() as stack:
        yield Place(tmp_path, stack)


def refresh_until(enrolment: Enrolment, condition: Callable[[], bool]) -> list[str]:
    """Turn the broker's loop until a condition holds, and return what was no longer wanted."""
    gone: list[str] = []

    def turn() -> bool:
        gone.extend(enrolment.refresh())
        return condition()

    wait_until(turn, "the folder to be read")
    return gone


def next_unencoded(enrolment: Enrolment) -> Unencoded:
    """Return the next picture that is to be encoded."""
    found: list[Unencoded] = []

    def ask() -> bool:
        enrolment.refresh()
        picture = enrolment.next_unencoded()
        found.extend([picture] if picture else [])
        return bool(found)

    wait_until(ask, "the folder to be read")
    return found[0]


def rebuild(enrolment: Enrolment, *, max_pictures: int = MAX_PICTURES) -> bool:
    """Make the gallery again if anything changed; tell whether it is another."""
    builder = GalleryBuilder(ENGINE, max_pictures=max_pictures)
    return enrolment.changed and enrolment.use(builder.make(enrolment.ingredients()))


def encode_all(enrolment: Enrolment, *files: str, max_pictures: int = MAX_PICTURES) -> None:
    """Encode pictures as recognizers would, those of each person into an encoding of their own."""
    waiting = set(files)
    while waiting:
        picture = next_unencoded(enrolment)
        person = name_key(person_of(picture.file) or "")
        enrolment.keep_encoding(picture.digest, an_encoding(sum(person.encode())))
        waiting.discard(picture.file)
    rebuild(enrolment, max_pictures=max_pictures)


def next_listing(folder: FaceFolder) -> Listing:
    """Return the next listing that differs from the one before."""
    return folder.listings.get(timeout=PATIENCE_S)


def reports(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was said about pictures."""
    return [one.getMessage() for one in caplog.records if " not used" in one.getMessage()]


def test_pictures_that_are_there_at_the_start_are_enrolled(place: Place) -> None:
    """Several of a person, in the folder and in folders."""
    for file in ("barack_obama.jpg", "barack_obama_2.jpg", "joe_biden/1.png", "joe_biden/2.jpeg"):
        put(place.faces / file, file)
    enrolment = place.enrolment()
    encode_all(enrolment, "barack_obama.jpg", "barack_obama_2.jpg", "joe_biden/1.png", "joe_biden/2.jpeg")
    assert enrolment.made.gallery.persons == ("Barack Obama", "Joe Biden")
    assert list(enrolment.made.gallery.owners) == [0, 0, 1, 1]
    assert enrolment.made.gallery.engine == ENGINE


def test_only_what_changed_is_encoded_again(place: Place) -> None:
    """Added, replaced and deleted while it is watched."""
    put(place.faces / "ann.jpg", "ann")
    enrolment = place.enrolment()
    encode_all(enrolment, "ann.jpg")
    versions = [enrolment.made.gallery.version]

    bob = put(place.faces / "bob.jpg", "bob")
    picture = next_unencoded(enrolment)
    assert picture == Unencoded(file="bob.jpg", digest=bob, data=b"bob")
    enrolment.keep_encoding(bob, an_encoding(2))
    assert rebuild(enrolment)
    assert list(enrolment.made.gallery.persons) == ["Ann", "Bob"]
    versions.append(enrolment.made.gallery.version)

    other = put(place.faces / "bob.jpg", "another picture")
    picture = next_unencoded(enrolment)
    assert picture.digest == other
    assert rebuild(enrolment)
    assert list(enrolment.made.gallery.persons) == ["Ann"]
    enrolment.keep_encoding(other, an_encoding(3))
    rebuild(enrolment)
    assert list(enrolment.made.gallery.persons) == ["Ann", "Bob"]
    versions.append(enrolment.made.gallery.version)

    (place.faces / "ann.jpg").unlink()
    gone = refresh_until(enrolment, lambda: "ann.jpg" not in enrolment.hashes)
    assert gone == [digest_of("ann")]
    assert rebuild(enrolment)
    assert list(enrolment.made.gallery.persons) == ["Bob"]
    versions.append(enrolment.made.gallery.version)
    assert len(set(versions)) == 4
    assert enrolment.next_unencoded() is None


def test_more_pictures_than_recognizers_take_are_left_out_and_said(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """The last by name, until there is room."""
    files = [f"person_{letter}.jpg" for letter in "abcd"]
    for file in files:
        put(place.faces / file, file)
    enrolment = place.enrolment()
    encode_all(enrolment, *files, max_pictures=3)
    assert (enrolment.made.gallery.persons, enrolment.made.surplus) == (
        ("Person A", "Person B", "Person C"),
        1,
    )
    assert [one.getMessage() for one in caplog.records if "1 picture left out" in one.getMessage()]
    (place.faces / files[0]).unlink()
    refresh_until(enrolment, lambda: rebuild(enrolment, max_pictures=3))
    assert (enrolment.made.gallery.persons, enrolment.made.surplus) == (
        ("Person B", "Person C", "Person D"),
        0,
    )


def test_the_largest_gallery_fits_into_a_message() -> None:
    """With names as long as file names can be."""
    count = 1000
    people = [(f"{number:04d}" + "\u00fc" * 123, an_encoding()) for number in range(count)]
    message = encode(to_message(build_gallery(ENGINE, people)))
    assert len(message) / count * MAX_PICTURES < MAX_HEARD_BYTES


def test_nothing_changed_is_no_new_gallery(place: Place) -> None:
    """Recognizers are sent a gallery only when it is another."""
    put(place.faces / "ann.jpg", "ann")
    enrolment = place.enrolment()
    encode_all(enrolment, "ann.jpg")
    assert not rebuild(enrolment)
    put(place.faces / "README.md", "who is here")
    put(place.faces / "ann_2.jpg", "ann")
    refresh_until(enrolment, lambda: "ann_2.jpg" in enrolment.hashes)
    assert rebuild(enrolment)
    (place.faces / "ann_2.jpg").unlink()
    refresh_until(enrolment, lambda: "ann_2.jpg" not in enrolment.hashes)
    assert rebuild(enrolment)
    assert not rebuild(enrolment)


def test_a_renamed_picture_needs_no_new_encoding(place: Place) -> None:
    """It is known by its content."""
    put(place.faces / "anne.jpg", "ann")
    enrolment = place.enrolment()
    encode_all(enrolment, "anne.jpg")
    (place.faces / "anne.jpg").rename(place.faces / "ann.jpg")
    gone = refresh_until(
        enrolment, lambda: "ann.jpg" in enrolment.hashes and "anne.jpg" not in enrolment.hashes
    )
    assert gone == []
    assert rebuild(enrolment)
    assert enrolment.made.gallery.persons == ("Ann",)


def test_encodings_are_kept_over_a_restart(place: Place) -> None:
    """By hash, readable by their owner only; nothing is encoded twice."""
    put(place.faces / "ann.jpg", "ann")
    first = place.enrolment()
    encode_all(first, "ann.jpg")
    place.wait_until_cached("ann")
    second = place.enrolment()
    assert rebuild(second)
    assert second.made.gallery.version == first.made.gallery.version
    assert second.next_unencoded() is None
    assert stat.S_IMODE(place.cache_folder.stat().st_mode) == 0o700
    assert [file.name for file in place.cache_folder.iterdir()] == [f"{digest_of('ann')}.f32"]


@pytest.mark.parametrize(
    "damage",
    [b"", an_encoding()[:-4], bytes(512), an_encoding() + b"\0", bytes(544), b"\0" * 32 + an_encoding()],
)
def test_a_damaged_encoding_is_made_anew_and_said(
    place: Place, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    """Cut short, zeros of a power failure, or too long; once, with the file and the reason."""
    put(place.faces / "ann.jpg", "ann")
    file = place.cache_folder / f"{digest_of('ann')}.f32"
    put(file, damage)
    enrolment = place.enrolment()
    encode_all(enrolment, "ann.jpg")
    place.wait_until_cached("ann")
    assert place.cache.get(digest_of("ann")) == an_encoding(sum(b"ann"))
    why = f"its {len(damage)} bytes are not what was written"
    assert [one for one in caplog.messages if str(file) in one] == [
        f"cached encoding {file} is not used: {why}; the picture is encoded again"
    ]


def test_an_encoding_of_another_picture_is_not_used(place: Place) -> None:
    """Whoever swaps two files of the cache would swap two people."""
    for name in ("ann", "bob"):
        place.cache.put(digest_of(name), an_encoding(len(name)))
    ann, bob = (place.cache_folder / f"{digest_of(name)}.f32" for name in ("ann", "bob"))
    ann.write_bytes(bob.read_bytes())
    assert place.cache.get(digest_of("ann")) is None
    assert place.cache.get(digest_of("bob")) is not None


def test_encodings_of_earlier_versions_are_made_anew_without_a_word(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """They had no digest, and an upgrade is no damage."""
    put(place.cache_folder / f"{digest_of('ann')}.f32", an_encoding())
    assert place.cache.get(digest_of("ann")) is None
    assert not caplog.records


def test_a_cache_of_another_engine_is_not_read(place: Place, tmp_path: Path) -> None:
    """Encodings of two engines cannot be compared."""
    EncodingCache(tmp_path / "cache", "another/engine").put(digest_of("ann"), an_encoding())
    assert place.cache.get(digest_of("ann")) is None


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once."""
    place.cache_folder.parent.write_text("a file where the folder should be")
    for name in ("ann", "bob"):
        put(place.faces / f"{name}.jpg", name)
    enrolment = place.enrolment()
    encode_all(enrolment, "ann.jpg", "bob.jpg")
    assert enrolment.made.gallery.persons == ("Ann", "Bob")
    wait_until(lambda: "cannot be written" in caplog.text, "the thread to try")
    enrolment.folder.close()
    assert len([one for one in caplog.records if "cannot be written" in one.getMessage()]) == 1


def test_a_full_disk_leaves_no_half_files(place: Place) -> None:
    """What cannot be put into place is taken away again."""
    (place.cache_folder / f"{digest_of('ann')}.f32").mkdir(parents=True)
    place.cache.put(digest_of("ann"), an_encoding())
    assert [file.name for file in place.cache_folder.iterdir()] == [f"{digest_of('ann')}.f32"]


def test_a_folder_that_is_missing_is_awaited(place: Place) -> None:
    """Nobody is enrolled until it is there."""
    place.faces.rmdir()
    enrolment = place.enrolment()
    assert enrolment.hashes == {}
    assert not rebuild(enrolment) or enrolment.made.gallery.persons == ()
    put(place.faces / "ann.jpg", "ann")
    encode_all(enrolment, "ann.jpg")
    assert enrolment.made.gallery.persons == ("Ann",)


def test_a_folder_that_is_deleted_enrols_nobody(place: Place) -> None:
    """And can come back."""
    put(place.faces / "ann.jpg", "ann")
    enrolment = place.enrolment()
    encode_all(enrolment, "ann.jpg")
    place.wait_until_cached("ann")
    for file in place.faces.iterdir():
        file.unlink()
    place.faces.rmdir()
    refresh_until(enrolment, lambda: rebuild(enrolment) and enrolment.made.gallery.persons == ())
    put(place.faces / "ann.jpg", "ann")
    refresh_until(enrolment, lambda: rebuild(enrolment) and enrolment.made.gallery.persons == ("Ann",))


def test_another_folder_put_in_its_place_is_watched(place: Place, tmp_path: Path) -> None:
    """A link that is switched over: the system goes on watching the old one."""
    (tmp_path / "old").mkdir()
    put(tmp_path / "new" / "ann.jpg", "ann")
    place.faces.rmdir()
    place.faces.symlink_to(tmp_path / "old")
    enrolment = place.enrolment()
    (tmp_path / "link").symlink_to(tmp_path / "new")
    (tmp_path / "link").replace(place.faces)
    encode_all(enrolment, "ann.jpg")
    put(tmp_path / "new" / "bob.jpg", "bob")
    encode_all(enrolment, "bob.jpg")
    assert enrolment.made.gallery.persons == ("Ann", "Bob")


def test_what_cannot_be_used_is_said_once_with_the_reason(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Each file by its name; the others are enrolled all the same."""
    put(place.faces / "ann.jpg", "ann")
    put(place.faces / "_2.jpg", "whose?")
    put(place.faces / "a\nb\x1b[2J.jpg", "steers")
    put(place.faces / os.fsdecode(b"\xff\xfe.jpg"), "no text")
    (place.faces / "folder.jpg").mkdir()
    os.mkfifo(place.faces / "pipe.jpg")
    (place.faces / "nowhere.jpg").symlink_to(place.faces / "missing")
    with (place.faces / "huge.jpg").open("wb") as huge:
        huge.truncate(MAX_PICTURE_BYTES + 1)
    enrolment = place.enrolment()
    encode_all(enrolment, "ann.jpg")
    put(place.faces / "bob.jpg", "bob")
    encode_all(enrolment, "bob.jpg")
    assert enrolment.made.gallery.persons == ("Ann", "Bob")
    assert sorted(reports(caplog)) == [
        "faces/??.jpg is not used: its name names nobody; first_last.jpg would",
        "faces/_2.jpg is not used: its name names nobody; first_last.jpg would",
        "faces/a?b?[2J.jpg is not used: its name names nobody; first_last.jpg would",
        "faces/huge.jpg is not used: is larger than 24 MB",
        "faces/nowhere.jpg is not used: cannot be read: No such file or directory",
        "faces/pipe.jpg is not used: cannot be read: it is a pipe, not a file",
    ]


def test_notes_and_hidden_files_are_nobodys(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """They are neither used nor complained about."""
    for file in ("README.md", ".ann.jpg", ".trash/bob.jpg", "notes/list.txt", "ann.jpg.part"):
        put(place.faces / file, file)
    enrolment = place.enrolment()
    assert enrolment.hashes == {}
    assert reports(caplog) == []


def test_every_file_that_is_left_out_is_named_and_counted(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, with the reason; what nobody took for a picture stays unsaid."""
    put(place.faces / "ann.jpg", "ann")
    for file in ("bob.bmp", "team/cid.avif", "a/b/c/dan.jpg", "eve"):
        put(place.faces / file, file)
    for file in (".DS_Store", "x.gif", "notes.txt", "README.md", "team/.hidden/deep/er/fay.bmp"):
        put(place.faces / file, file)
    enrolment = place.enrolment()
    encode_all(enrolment, "ann.jpg")
    kinds = "pictures end in .heic, .heif, .hif, .jfif, .jpe, .jpeg, .jpg, .png, .webp"
    assert sorted(reports(caplog)) == [
        "faces/a/b/c is not used: folders are read 2 levels deep, such as team/ada_lovelace/",
        f"faces/bob.bmp is not used: its name ends in .bmp; {kinds}",
        f"faces/eve is not used: its name ends in nothing; {kinds}",
        f"faces/team/cid.avif is not used: its name ends in .avif; {kinds}",
    ]
    assert enrolment.refused == 4


def test_folders_of_people_may_stand_in_a_folder(place: Place) -> None:
    """The innermost folder names the person, also in the kinds of telephones and web pages."""
    files = ("team/ada_lovelace/1.heic", "team/ada_lovelace/2.webp", "grace_hopper/1.jfif")
    for file in files:
        put(place.faces / file, file)
    enrolment = place.enrolment()
    encode_all(enrolment, *files)
    assert enrolment.made.gallery.persons == ("Ada Lovelace", "Grace Hopper")


def test_pictures_of_two_people_under_one_name_are_named_and_left_out(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Numbered, as many folders are: nobody is enrolled as a mean of two people whom nobody matches."""
    for number in (1, 2):
        put(place.faces / f"employee_{number}.jpg", f"employee {number}")
    enrolment = place.enrolment()
    for number in (1, 2):
        enrolment.keep_encoding(next_unencoded(enrolment).digest, an_encoding(number))
        rebuild(enrolment)
        assert len(reports(caplog)) == number - 1
    assert enrolment.made.gallery.persons == ()
    assert enrolment.refused == 2
    assert (
        "faces/employee_1.jpg and faces/employee_2.jpg are not used: Employee's by name, and none of their 2"
        in caplog.text
    )
    (place.faces / "employee_2.jpg").rename(place.faces / "ann.jpg")
    refresh_until(
        enrolment, lambda: rebuild(enrolment) and enrolment.made.gallery.persons == ("Ann", "Employee")
    )
    assert enrolment.refused == 0


def test_a_picture_without_a_face_is_said_once(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """For each file that holds it, until its content is another."""
    digest = put(place.faces / "ann.jpg", "a wall")
    enrolment = place.enrolment()
    picture = next_unencoded(enrolment)
    enrolment.keep_problem(picture.digest, "there is no face in it")
    put(place.faces / "bob.jpg", "a wall")
    refresh_until(enrolment, lambda: len(reports(caplog)) == 2)
    put(place.faces / "cid.jpg", "cid")
    encode_all(enrolment, "cid.jpg")
    assert reports(caplog) == [
        "faces/ann.jpg is not used: there is no face in it",
        "faces/bob.jpg is not used: there is no face in it",
    ]
    assert enrolment.problems == {digest: "there is no face in it"}
    put(place.faces / "ann.jpg", "ann")
    encode_all(enrolment, "ann.jpg")
    assert enrolment.made.gallery.persons == ("Ann", "Cid")


def test_a_picture_that_comes_back_is_tried_again(place: Place) -> None:
    """Deleting and adding it is how a person asks for that."""
    put(place.faces / "ann.jpg", "ann")
    enrolment = place.enrolment()
    enrolment.keep_problem(next_unencoded(enrolment).digest, "two recognizers failed on it")
    (place.faces / "ann.jpg").unlink()
    refresh_until(enrolment, lambda: not enrolment.hashes)
    assert enrolment.problems == {}
    put(place.faces / "ann.jpg", "ann")
    encode_all(enrolment, "ann.jpg")
    assert enrolment.made.gallery.persons == ("Ann",)


def test_a_picture_that_is_being_copied_is_awaited(place: Place) -> None:
    """In the end the whole of it is offered, whatever was seen in between."""
    folder = place.folder()
    next_listing(folder)
    whole = bytes(range(256)) * 4000
    with (place.faces / "ann.jpg").open("wb") as file:
        for at in range(0, len(whole), 50_000):
            file.write(whole[at : at + 50_000])
            file.flush()
    offered = folder.unencoded.get(timeout=PATIENCE_S)
    while offered.data != whole:
        offered = folder.unencoded.get(timeout=PATIENCE_S)
    assert offered.digest == digest_of(whole)


def test_a_picture_just_written_is_not_offered_at_once(place: Place) -> None:
    """It may be the begin of a longer one; the time of its last change tells."""
    now = [1_600_000_000.1]
    put(place.faces / "ann.jpg", "ann")
    put(place.faces / "bob.jpg", "bob")
    os.utime(place.faces / "bob.jpg", (1_500_000_000, 1_500_000_000))
    folder = FaceFolder(place.faces, place.cache, wall_clock=lambda: now[0])
    folder.start()
    assert folder.unencoded.get(timeout=PATIENCE_S).file == "bob.jpg"
    now[0] += 0.2
    assert folder.unencoded.get(timeout=PATIENCE_S).file == "ann.jpg"
    folder.close()


def test_few_pictures_are_held_in_memory(place: Place) -> None:
    """A thousand new ones wait in the folder, not here."""
    for at in range(20):
        put(place.faces / f"person_{chr(97 + at)}.jpg", f"picture {at}")
    enrolment = place.enrolment()
    wait_until(enrolment.folder.unencoded.full, "the folder to be read")
    assert enrolment.folder.unencoded.qsize() == 4
    encode_all(enrolment, *(f"person_{chr(97 + at)}.jpg" for at in range(20)))
    assert len(enrolment.made.gallery.persons) == 20


def test_a_picture_deleted_before_it_was_offered_is_passed_over(place: Place) -> None:
    """Nobody encodes who is no longer to be enrolled."""
    put(place.faces / "ann.jpg", "ann")
    enrolment = place.enrolment()
    wait_until(lambda: not enrolment.folder.unencoded.empty(), "the folder to be read")
    (place.faces / "ann.jpg").unlink()
    refresh_until(enrolment, lambda: not enrolment.hashes)
    assert enrolment.next_unencoded() is None


def test_a_picture_is_not_lost_between_its_listing_and_its_offer(place: Place) -> None:
    """The folder's thread may put both after the broker looked for listings."""
    put(place.faces / "ann.jpg", "ann")
    folder = place.folder()
    enrolment = Enrolment(folder=folder, engine=ENGINE)
    wait_until(lambda: not folder.unencoded.empty(), "the folder to be read")
    picture = enrolment.next_unencoded()
    assert picture is not None
    assert picture.file == "ann.jpg"


@pytest.mark.parametrize("error", [OSError(28, "inotify watch limit reached"), RuntimeError("rust")])
def test_a_system_that_does_not_watch_is_asked_every_second(
    place: Place, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """Pictures come all the same, and it is said once."""

    def changes(_: Path, __: threading.Event) -> Iterator[object]:
        raise error

    enrolment = place.enrolment(changes)
    for name in ("ann", "bob"):
        put(place.faces / f"{name}.jpg", name)
        encode_all(enrolment, f"{name}.jpg")
    assert enrolment.made.gallery.persons == ("Ann", "Bob")
    assert len([one for one in caplog.records if "looking every second" in one.getMessage()]) == 1


def test_a_watch_that_ends_is_an_error(place: Place) -> None:
    """A broker that no longer sees pictures says so by ending."""

    def changes(_: Path, __: threading.Event) -> Iterator[object]:
        raise KeyError("the watch has ended")

    folder = place.folder(changes)
    enrolment = Enrolment(folder=folder, engine=ENGINE)
    with pytest.raises(KeyError, match="the watch has ended"):
        wait_until(lambda: enrolment.refresh() is None, "the end of the watch")


def test_closing_ends_the_watch(place: Place) -> None:
    """The thread is gone when the broker is."""
    folder = place.folder()
    next_listing(folder)
    assert folder.close()


def test_listings_come_only_when_something_changed(place: Place) -> None:
    """A note beside the pictures is no reason to build the gallery again."""
    folder = place.folder()
    assert next_listing(folder).hashes == {}
    put(place.faces / "README.md", "who is here")
    put(place.faces / "ann.jpg", "ann")
    assert next_listing(folder).hashes == {"ann.jpg": digest_of("ann")}


def test_watching_is_quiet(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """No line in the log while all is well."""
    with caplog.at_level(logging.INFO, logger="turnstile"):
        put(place.faces / "ann.jpg", "ann")
        encode_all(place.enrolment(), "ann.jpg")
    assert [one for one in caplog.records if one.name == "turnstile"] == []


def test_one_entry_that_cannot_be_looked_at_hides_none_of_the_others(
    place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever is there is enrolled, whoever was removed is not, and each such entry is named once."""
    (tmp_path / "file").touch()
    (place.faces / "bad").symlink_to(tmp_path / "file" / "team")
    (place.faces / "loop").symlink_to("loop")
    (place.faces / "lost").symlink_to("nowhere")
    (place.faces / "long").symlink_to("x" * 300)
    (place.faces / "zoe").mkdir()
    for file in ("ann.jpg", "bob.jpg", "zoe/1.jpg"):
        put(place.faces / file, file)
    enrolment = place.enrolment()
    encode_all(enrolment, "ann.jpg", "bob.jpg", "zoe/1.jpg")
    assert enrolment.made.gallery.persons == ("Ann", "Bob", "Zoe")
    assert reports(caplog) == [
        "faces/bad is not used: cannot be read: Not a directory",
        "faces/long is not used: cannot be read: File name too long",
        "faces/loop is not used: cannot be read: Too many levels of symbolic links",
        "faces/lost is not used: cannot be read: No such file or directory",
    ]
    (place.faces / "ann.jpg").unlink()
    refresh_until(enrolment, lambda: rebuild(enrolment))
    assert list(enrolment.made.gallery.persons) == ["Bob", "Zoe"]


def test_a_link_to_a_folder_is_followed_only_within_the_faces_folder(
    place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A whole disk may lie behind another; a link to a picture is followed anywhere."""
    put(tmp_path / "disk" / "eve.jpg", "eve")
    put(place.faces / "team" / "ann.jpg", "ann")
    (place.faces / "eva.jpg").symlink_to(tmp_path / "disk" / "eve.jpg")
    (place.faces / "disk").symlink_to(tmp_path / "disk")
    (place.faces / "bob").symlink_to(place.faces / "team")
    found, problems = files_in(place.faces)
    assert found == ["bob/ann.jpg", "eva.jpg", "team/ann.jpg"]
    assert list(problems) == ["disk"]
    refresh_until(place.enrolment(), lambda: bool(reports(caplog)))
    (said,) = reports(caplog)
    assert said.startswith("faces/disk is not used: it links to a folder outside the faces folder; move")


def test_the_files_that_are_looked_at_are_bounded(place: Place) -> None:
    """What is beyond is named, however large the folders are."""
    for name in ("a", "b"):
        for at in range(3):
            put(place.faces / name / f"{at}.jpg", "x")
    files, problems = files_in(place.faces, at_most=6)
    assert files == ["a/0.jpg", "a/1.jpg", "a/2.jpg", "b/0.jpg"]
    assert problems == {"b/1.jpg": "it and all behind it by name are beyond the first 6 files and folders"}


def test_nobody_is_enrolled_while_the_folder_cannot_be_read(
    place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody could see who was removed meanwhile; it is said, and over when the folder is back."""
    put(place.faces / "ann.jpg", "ann")
    enrolment = place.enrolment()
    encode_all(enrolment, "ann.jpg")
    place.wait_until_cached("ann")
    place.faces.rename(tmp_path / "away")
    refresh_until(enrolment, lambda: rebuild(enrolment) or bool(enrolment.absent))
    assert enrolment.absent == f"nobody is enrolled: the faces folder {place.faces} is not there"
    place.faces.symlink_to(place.faces)
    refresh_until(enrolment, lambda: bool(enrolment.trouble))
    assert enrolment.trouble == (
        f"nobody is enrolled: the faces folder {place.faces} cannot be read: "
        "Too many levels of symbolic links"
    )
    rebuild(enrolment)
    assert enrolment.made.gallery.persons == ()
    place.faces.unlink()
    (tmp_path / "away").rename(place.faces)
    refresh_until(enrolment, lambda: rebuild(enrolment) and bool(enrolment.made.gallery.persons))
    assert (enrolment.trouble, enrolment.absent) == ("", "")
    with shut_out_of(place.faces):
        refresh_until(enrolment, lambda: "Permission denied" in enrolment.trouble)
        assert rebuild(enrolment)
    assert enrolment.made.gallery.persons == ()
    assert caplog.text.count("is not there") == 1


def test_two_files_of_one_name_written_in_two_ways_are_one_person(place: Place) -> None:
    """Accents from macOS, and capitals."""
    for file in ("jose\u0301_poe.jpg", "JOS\u00c9_poe_2.jpg"):
        put(place.faces / file, file)
    enrolment = place.enrolment()
    encode_all(enrolment, *sorted(path.name for path in place.faces.iterdir()))
    assert enrolment.made.gallery.persons == ("JOS\u00c9 Poe",)
    assert list(enrolment.made.gallery.owners) == [0, 0]


def test_of_very_many_files_that_are_no_pictures_the_first_are_named_and_the_others_counted(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Each line takes time in which no door is served; a file that comes later is named too."""
    for number in range(MAX_SAID + 30):
        put(place.faces / f"scan_{number:03}.pdf", "no picture")
    enrolment = place.enrolment()
    said = [line for line in caplog.messages if "not used" in line]
    assert [line.split()[0] for line in said[:-1]] == [f"faces/scan_{at:03}.pdf" for at in range(MAX_SAID)]
    assert said[-1] == "30 more files in faces/ are not used either; `turnstile check` names them"
    assert enrolment.refused == MAX_SAID + 30
    put(place.faces / "late.pdf", "no picture")
    refresh_until(enrolment, lambda: "late.pdf" in enrolment.unread)
    assert [line for line in caplog.messages if "not used" in line][len(said) :] == [
        line for line in caplog.messages if "late.pdf" in line
    ]


def test_a_weak_picture_is_named_when_it_comes(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """It is used; what it looks like is in the cache, and is known after a restart."""
    put(place.faces / "ann.jpg", "ann")
    enrolment = place.enrolment()
    looks = some_looks(turn=0.5)
    enrolment.keep_encoding(next_unencoded(enrolment).digest, an_encoding(), looks=looks)
    assert "faces/ann.jpg: a weak picture: the head is turned to one side" in caplog.text
    place.wait_until_cached("ann")
    rebuild(enrolment)
    assert enrolment.made.gallery.persons == ("Ann",)
    assert list(place.enrolment().looks.values()) == [looks]


def test_a_cached_encoding_whose_looks_are_damaged_is_made_again(place: Place) -> None:
    """The digest covers them, too."""
    place.cache.put("ab", an_encoding(), "a-key", some_looks())
    assert place.cache.find("ab") == Made(an_encoding(), "a-key", some_looks())
    (file,) = place.cache_folder.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    assert place.cache.find("ab") is None
