"""Anchors: faces that are not a person's can only deny."""

import msgspec
import numpy as np
import pytest

from tests.support.builders import a_face, a_result, an_encoding, some_encodings
from turnstile.access.votes import ballots
from turnstile.errors import WireError
from turnstile.people.anchors import Anchor, PersonAnchors, deny_anchored, from_file, rows_of, to_file
from turnstile.people.building import GalleryBuilder, Ingredients
from turnstile.people.gallery import build_gallery, templates
from turnstile.people.naming import name_faces
from turnstile.protocol.messages import Face
from turnstile.site.settings import DecisionSettings

ENGINES = ("dlib-resnet-v1/raw", "dlib-resnet-v1/mirror+paddings")
ANN, ANCHOR = some_encodings(2)
ANCHORS = {"ann lee": ANCHOR[None]}


def between(share: float) -> bytes:
    """Return a face on the way from Ann to the anchor."""
    row = (1 - share) * ANN + share * ANCHOR
    return np.asarray(row / np.linalg.norm(row), "<f4").tobytes()


def with_encoding(encoding: bytes) -> Face:
    """Return a face of this encoding."""
    return msgspec.structs.replace(a_face(), encoding=encoding)


def people_of(face: bytes, engine: str) -> list[str | None]:
    """Return for whom a face votes, however wide the limit is."""
    gallery = templates(build_gallery(engine, [("Ann Lee", ANN.tobytes()), ("Bob", an_encoding(7))]))
    named = name_faces(a_result(with_encoding(face)), gallery)
    judged = deny_anchored(named, ANCHORS, engine)
    settings = DecisionSettings(max_distance=2.0, min_margin=0)
    return [one.person for one in ballots(judged, settings, too_old=False)]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_face_nearer_to_an_anchor_than_to_its_person_is_unknown(engine: str) -> None:
    """And one that is nearer to the person votes for the person as before."""
    assert people_of(between(0.1), engine) == ["Ann Lee"]
    assert people_of(between(0.9), engine) == [None]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_face_as_near_to_both_is_unknown(engine: str) -> None:
    """Even at no distance at all."""
    gallery = templates(build_gallery(engine, [("Ann Lee", ANN.tobytes())]))
    named = name_faces(a_result(with_encoding(ANN.tobytes())), gallery)
    (face,) = deny_anchored(named, {"ann lee": ANN[None]}, engine).faces
    assert face.distance is not None
    assert face.limit is not None
    assert face.limit < face.distance


def test_an_anchor_of_one_person_says_nothing_of_another() -> None:
    """Nor does it name anybody: it can only deny."""
    gallery = templates(build_gallery(ENGINES[1], [("Bob", ANCHOR.tobytes())]))
    named = name_faces(a_result(with_encoding(ANCHOR.tobytes())), gallery)
    assert deny_anchored(named, ANCHORS, ENGINES[1]) is named
    assert deny_anchored(named, {}, ENGINES[1]) is named


NO_FACE = Anchor(event="1:1", made_ns=1, encoding=b"x")


def kept() -> PersonAnchors:
    """Return one anchor of Ann's."""
    one = Anchor(event="9f3a:17", made_ns=1, encoding=ANCHOR.tobytes())
    return PersonAnchors(person="Ann Lee", engine=ENGINES[1], anchors=(one,))


def test_a_file_holds_what_was_written_into_it() -> None:
    """Under any spelling of the person's name."""
    found = from_file(to_file(kept()), name="ann_lee", engine=ENGINES[1])
    assert found == kept()
    assert (rows_of(found) == ANCHOR).all()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not what was written"),
        (to_file(kept())[:-9], "not what was written"),
        (to_file(kept()).replace(b"9f3a:17", b"9f3a:18"), "not what was written"),
        (to_file(msgspec.structs.replace(kept(), person="Bob")), "anchors of Bob"),
        (to_file(msgspec.structs.replace(kept(), engine="another/one")), "another/one, the site's"),
        (to_file(msgspec.structs.replace(kept(), anchors=(NO_FACE,))), "not valid"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(data: bytes, words: str) -> None:
    """With the reason."""
    with pytest.raises(WireError, match=words):
        from_file(data, name="Ann Lee", engine=ENGINES[1])


def test_whose_anchors_are_damaged_is_left_out_of_the_gallery() -> None:
    """The others stay, and nobody takes it for an erasure that is done."""
    persons = {"ann_lee.jpg": "Ann Lee", "bob.jpg": "Bob"}
    hashes = {file: file for file in persons}
    encodings = {"ann_lee.jpg": ANN.tobytes(), "bob.jpg": an_encoding(7)}
    ingredients = Ingredients(persons, hashes, encodings, (), barred=frozenset({"ann lee"}))
    made = GalleryBuilder(ENGINES[1]).make(ingredients)
    assert made.gallery.persons == ("Bob",)
    assert (made.left_out, made.still_there) == (frozenset(), frozenset())
