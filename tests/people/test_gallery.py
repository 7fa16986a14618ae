"""Who is enrolled: names from paths, the nearest person, and the gallery as it travels."""

from random import Random

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import an_encoding, some_encodings, some_people
from turnstile.errors import TurnstileError, WireError
from turnstile.people.encodings import Encodings, is_encoding
from turnstile.people.gallery import (
    EMPTY,
    NOBODY,
    Gallery,
    build_gallery,
    files_by_person,
    from_message,
    is_picture,
    person_of,
    stem_of,
    templates,
    to_message,
    why_no_picture,
    why_not_used,
)
from turnstile.protocol.fields import PersonName
from turnstile.protocol.messages import decode, encode
from turnstile.protocol.names import same_name

ENGINE = "dlib-resnet-v1/raw"

owners = st.lists(st.sampled_from(["Ann", "Bob", "Cid", "Dan"]), max_size=12)


def a_gallery(*persons: str) -> Gallery:
    """Return a gallery with one encoding for each name, in this order."""
    return build_gallery(ENGINE, [(person, an_encoding(at + 1)) for at, person in enumerate(persons)])


def nearest_by_hand(face: Encodings, gallery: Gallery) -> dict[str, float]:
    """Return each person's smallest distance, one encoding at a time and in double precision."""
    nearest: dict[str, float] = {}
    for owner, encoding in zip(gallery.owners, gallery.encodings, strict=True):
        person = gallery.persons[owner]
        distance = float(np.linalg.norm(face.astype(np.float64) - encoding.astype(np.float64)))
        nearest[person] = min(distance, nearest.get(person, np.inf))
    return nearest


def test_a_person_is_the_mean_of_the_pictures_scaled_to_unit_length() -> None:
    """In the order of names, whatever the order of pictures."""
    rows = some_encodings(3, seed=1)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    named = [("Bob", rows[0].tobytes()), ("Ann", rows[1].tobytes()), ("Bob", rows[2].tobytes())]
    gallery = build_gallery("dlib-resnet-v1/mirror+paddings", named)
    found = templates(gallery)
    middle = (rows[0] + rows[2]) / 2
    assert found.encodings == pytest.approx(np.stack([rows[1], middle / np.linalg.norm(middle)]), abs=1e-6)
    assert (found.persons, list(found.owners)) == (("Ann", "Bob"), [0, 1])
    assert (found.version, found.engine) == (gallery.version, gallery.engine)
    assert from_message(to_message(found)).encodings == pytest.approx(found.encodings)


def test_raw_encodings_are_compared_with_each_picture() -> None:
    """As face_recognition compares them; and of nobody there is no mean."""
    gallery = a_gallery("Ann", "Ann", "Bob")
    assert templates(gallery) is gallery
    assert templates(EMPTY) is EMPTY


def test_pictures_that_cancel_out_are_near_to_nobody() -> None:
    """There is no direction to scale; it is no error, and no number that is none."""
    row = some_encodings(1)[0]
    gallery = build_gallery("x/mirror", [("Ann", row.tobytes()), ("Ann", (-row).tobytes())])
    assert not templates(gallery).encodings.any()


@given(owners, st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_matching_finds_what_comparing_one_by_one_finds(persons: list[str], faces: int, seed: int) -> None:
    """Nearest person, distance, and distance of the second-best person, whatever the gallery."""
    encodings = some_encodings(len(persons), seed=seed)
    gallery = build_gallery(ENGINE, zip(persons, (row.tobytes() for row in encodings), strict=True))
    looked_for = some_encodings(faces, seed=seed + 1)
    matches = gallery.match(looked_for)
    assert len(matches) == faces
    for face, match in zip(looked_for, matches, strict=True):
        ranked = sorted(nearest_by_hand(face, gallery).items(), key=lambda one: one[1])
        assert match.person == (ranked[0][0] if ranked else None)
        assert match.distance == (pytest.approx(ranked[0][1], abs=1e-4) if ranked else None)
        assert match.second_distance == (pytest.approx(ranked[1][1], abs=1e-4) if len(ranked) > 1 else None)


@pytest.mark.parametrize("gallery", [EMPTY, a_gallery("Ann")])
def test_no_faces_have_no_matches(gallery: Gallery) -> None:
    """An empty frame, with or without people enrolled."""
    assert gallery.match(some_encodings(0)) == []


def test_nobody_enrolled_means_nobody_matched() -> None:
    """The first start of a new site."""
    assert EMPTY.match(some_encodings(2)) == [NOBODY] * 2
    assert build_gallery(ENGINE, []).match(some_encodings(1))[0].person is None


def test_an_enrolled_picture_matches_itself_at_no_distance() -> None:
    """Also by the product of matrices, whose rounding could give the root of a negative number."""
    gallery = a_gallery("Ann", "Bob", "Cid")
    for match in gallery.match(gallery.encodings):
        assert match.distance == pytest.approx(0, abs=1e-3)
    assert [match.person for match in gallery.match(gallery.encodings)] == ["Ann", "Bob", "Cid"]


def test_the_second_distance_is_another_persons() -> None:
    """A second picture of the same person says nothing about how ambiguous a face is."""
    near, far = some_encodings(2)
    close = near + np.float32(0.001)
    gallery = build_gallery(
        ENGINE, [("Ann", near.tobytes()), ("Ann", close.tobytes()), ("Bob", far.tobytes())]
    )
    match = gallery.match(near[np.newaxis])[0]
    assert match.second_distance == pytest.approx(float(np.linalg.norm(near - far)), abs=1e-4)
    alone = build_gallery(ENGINE, [("Ann", near.tobytes()), ("Ann", close.tobytes())])
    assert alone.match(near[np.newaxis])[0].second_distance is None


@given(owners, st.randoms())
def test_a_version_names_the_content(persons: list[str], random: Random) -> None:
    """The order of files does not matter; every person, encoding and engine does."""
    known = [(person, an_encoding(at)) for at, person in enumerate(persons)]
    version = build_gallery(ENGINE, known).version
    shuffled = list(known)
    random.shuffle(shuffled)
    assert build_gallery(ENGINE, shuffled).version == version
    assert build_gallery("another", known).version != version
    assert build_gallery(ENGINE, [*known, ("Eve", an_encoding(99))]).version != version
    if known:
        assert build_gallery(ENGINE, [(known[0][0] + "a", known[0][1]), *known[1:]]).version != version
        assert build_gallery(ENGINE, [(known[0][0], an_encoding(99)), *known[1:]]).version != version


@given(owners)
def test_a_gallery_travels(persons: list[str]) -> None:
    """To a recognizer and back into a gallery that matches alike."""
    gallery = a_gallery(*persons)
    people = decode(encode(to_message(gallery)))
    assert people == to_message(gallery)
    arrived = from_message(to_message(gallery))
    assert (arrived.version, arrived.engine, arrived.persons) == (
        gallery.version,
        gallery.engine,
        gallery.persons,
    )
    assert arrived.match(some_encodings(3, seed=5)) == gallery.match(some_encodings(3, seed=5))


def test_the_empty_gallery_travels() -> None:
    """A joiner learns that nobody is enrolled."""
    assert from_message(to_message(EMPTY)).persons == ()


def with_value(value: float, *, at: int = 130) -> bytes:
    """Return two encodings of which one holds a number that does not belong there."""
    rows = some_encodings(2).flatten()
    rows[at] = value
    return rows.tobytes()


@pytest.mark.parametrize(
    "changed",
    [
        {"encodings": b""},
        {"encodings": some_encodings(3).tobytes()},
        {"encodings": some_encodings(2).tobytes()[:-1]},
        {"owners": (0, 2)},
        {"owners": (0, 0)},
        {"owners": (0, 2**62)},
        {"owners": (0,)},
        {"owners": ()},
        {"persons": ("Ann",)},
        {"persons": ("Ann", "Ann")},
        {"persons": ("Ann", "Bob", "Cid")},
        {"encodings": with_value(np.nan)},
        {"encodings": with_value(np.inf)},
        {"encodings": with_value(-2.1)},
        {"encodings": with_value(3e38)},
        {"encodings": np.full(256, 0.2, "<f4").tobytes()},
    ],
    ids=str,
)
def test_a_gallery_whose_parts_do_not_fit_is_refused(changed: dict[str, object]) -> None:
    """It would match faces to the wrong people, or to nobody."""
    people = some_people("Ann", "Bob")
    assert from_message(people).persons == ("Ann", "Bob")
    with pytest.raises(WireError, match="People"):
        from_message(msgspec.structs.replace(people, **changed))


@pytest.mark.parametrize(
    "data", [b"", bytes(511), bytes(513), with_value(np.nan, at=0)[:512], with_value(5)[512:]]
)
def test_what_is_no_encoding(data: bytes) -> None:
    """A wrong number of bytes, not a number, or longer than any face's."""
    assert not is_encoding(data)
    assert is_encoding(an_encoding())


@pytest.mark.parametrize(
    ("file", "person"),
    [
        ("barack_obama.jpg", "Barack Obama"),
        ("barack_obama_2.jpg", "Barack Obama"),
        ("barack_obama_12.JPEG", "Barack Obama"),
        ("barack_obama/anything.png", "Barack Obama"),
        ("barack_obama/2019/at the sea.jpg", "Barack Obama"),
        ("barack_obama_2/1.jpg", "Barack Obama 2"),
        ("barack_obama/2019/1.heic", "Barack Obama"),
        ("team/barack_obama/1.webp", "Barack Obama"),
        ("team/barack_obama.jpg", "Team"),
        ("2019/1.jpg", "2019"),
        ("obama.jpg", "Obama"),
        ("obama2.jpg", "Obama2"),
        ("mary-ann_o'neil.jpg", "Mary-ann O'neil"),
        ("jean_de_la_fontaine.jpg", "Jean De La Fontaine"),
        ("__barack__obama__.jpg", "Barack Obama"),
        ("élodie_étoile.jpg", "Élodie Étoile"),
        ("jose\u0301.jpg", "José"),
        ("陳大文.jpg", "陳大文"),
        ("dr. who.jpg", "Dr. who"),
        ("2.jpg", "2"),
        ("a" * 300 + ".jpg", "A" + "a" * 199),
    ],
)
def test_a_path_names_a_person(file: str, person: str) -> None:
    """First and last name, an optional number, or a folder for several pictures."""
    assert person_of(file) == person
    assert is_picture(file)


@pytest.mark.parametrize("file", ["unknown.jpg", "Unknown_2.jpg", "unknown/1700.webp", "erased-0123abcd.jpg"])
def test_what_the_log_calls_somebody_unknown_or_erased_is_no_persons_name(file: str) -> None:
    """Strangers' pictures in a folder `unknown` enrol nobody."""
    assert person_of(file) is None
    assert why_not_used(file) == "its name names nobody; first_last.jpg would"


@pytest.mark.parametrize(
    "copy",
    [
        "barack_obama (1)",
        "barack_obama(2)",
        "barack_obama_(3)",
        "barack_obama_2 (1)",
        "barack_obama 2",
        "barack_obama copy",
        "barack_obama copy 2",
        "barack_obama_copy",
        "barack_obama-copy",
        "barack_obama - Copy",
        "barack_obama - Copy (2)",
        "barack_obama - Copy - Copy",
        "barack_obama - Kopie",
        "Copy of barack_obama",
        "Kopie von barack_obama",
        "barack_obama (copy)",
        "barack_obama (another copy)",
        "barack_obama (Ada's conflicted copy 2026-11-25)",
        "barack_obama (conflicted copy 2026-11-25 103040)",
        "barack_obama (In Konflikt stehende Kopie von Ada)",
        "barack_obama.sync-conflict-20261125-103040-ABCDEFG",
    ],
)
def test_a_copy_of_a_picture_is_of_the_same_person(copy: str) -> None:
    """Copies that browsers, file managers and cloud folders made enrol no second person beside the first."""
    assert person_of(f"{copy}.jpg") == "Barack Obama"


@pytest.mark.parametrize(
    "file", ["copy.jpg", "ada_copyright.jpg", "kopietz.png", "ann_(office).jpg", "x.2.jpg"]
)
def test_a_name_that_only_resembles_a_copy_is_kept(file: str) -> None:
    """People are called so, and one word is a name."""
    assert person_of(file) == " ".join(
        word[:1].upper() + word[1:] for word in file.rpartition(".")[0].split("_")
    )


@pytest.mark.parametrize("file", ["a.bmp", "a.AVIF", "folder/a.tiff", "ada", "a.mp4", "a.dng"])
def test_a_file_that_is_no_picture_is_told_which_are(file: str) -> None:
    """Somebody may have meant it to be one."""
    assert why_no_picture(file).startswith("its name ends in ")
    assert ".heic" in why_no_picture(file)


@pytest.mark.parametrize(
    "file",
    [
        ".DS_Store",
        "a.gif",
        "README.md",
        "notes.TXT",
        ".x/a.bmp",
        "a.jpg.part",
        "a.bmp~",
        "Thumbs.db",
        "a.jpg",
    ],
)
def test_of_notes_and_hidden_files_nothing_is_said(file: str) -> None:
    """Nor of pictures."""
    assert why_no_picture(file) == ""


@pytest.mark.parametrize(
    "file",
    ["README.md", "obama", ".obama.jpg", "obama.jpg~", "obama.jpg.part", ".cache/obama.jpg", "", "x/.y.jpg"],
)
def test_other_files_are_no_pictures(file: str) -> None:
    """Notes, hidden files, and what an upload has not finished."""
    assert not is_picture(file)
    assert person_of(file) is None


@pytest.mark.parametrize(
    "file", ["_2.jpg", "_.jpg", "a\nb.jpg", "a\x1b[2J.jpg", "\udcff.jpg", "x/\udcff.jpg", " .jpg"]
)
def test_a_picture_may_name_nobody(file: str) -> None:
    """No letters, letters that steer a terminal, or bytes that are no text."""
    assert is_picture(file)
    assert person_of(file) is None


@given(st.text(max_size=40, alphabet=st.characters(categories=["L", "M", "Zs"])))
def test_a_name_written_as_in_the_files_name_is_the_persons(stem: str) -> None:
    """Whoever copies it into the rules blocks that person."""
    person = person_of(f"{stem}.jpg")
    assert person is None or same_name(person, stem)


@given(st.text(max_size=40), st.sampled_from([".jpg", ".png", ".JPEG"]))
def test_every_name_that_is_found_can_be_sent(stem: str, suffix: str) -> None:
    """Whatever the file is called."""
    person = person_of(stem + suffix)
    if person is not None:
        assert msgspec.convert(person, PersonName) == person
        assert decode(encode(some_people(person))) == some_people(person)


def test_files_are_grouped_by_person() -> None:
    """For the check of a site before it starts."""
    files = ["b_2.jpg", "b.jpg", "a/1.jpg", "README.md", "a/2.png", "_.jpg"]
    assert files_by_person(files) == {"A": ["a/1.jpg", "a/2.png"], "B": ["b.jpg", "b_2.jpg"]}


def test_files_whose_names_are_written_differently_are_of_one_person() -> None:
    """Accents of macOS, capitals and spaces; the first file says how the name is written."""
    files = ["jose\u0301_poe.jpg", "jos\u00e9_POE_2.jpg", "JOS\u00c9  poe/1.jpg", "jos\u00e9.jpg"]
    people = files_by_person(files)
    assert sorted(map(len, people.values())) == [1, 3]
    assert [name for name, own in people.items() if len(own) == 3] == ["JOS\u00c9  poe"]


@pytest.mark.parametrize(
    ("person", "stem"), [("Ann Lee", "ann_lee"), ("José Poe", "josé_poe"), ("McDuff", "McDuff")]
)
def test_a_file_can_be_named_for_a_person(person: str, stem: str) -> None:
    """Small letters where they name the person, too."""
    assert stem_of(person) == stem


@pytest.mark.parametrize("person", ["a/b", "_", "x.jpg/..", ""])
def test_a_name_that_no_file_can_have_is_refused(person: str) -> None:
    """With one that a file can have."""
    with pytest.raises(TurnstileError, match="cannot be a person's name here; one is 'Ada Lovelace'"):
        stem_of(person)
