"""A gallery made anew: of what there is, with what was found before kept, and without whoever is erased."""

from tests.support.builders import an_encoding
from turnstile.people.building import GalleryBuilder, Ingredients, without
from turnstile.people.gallery import from_message
from turnstile.protocol.fields import Looks

ENGINE = "dlib-resnet-v1/raw"


def of(*files: str, erased: frozenset[str] = frozenset()) -> Ingredients:
    """Return pictures of people, each person's all of one face."""
    persons = {file: file.split("/")[0] for file in files}
    encodings = {file: an_encoding(sum(persons[file].encode())) for file in files}
    return Ingredients(persons, dict(zip(files, files, strict=True)), encodings, (), erased)


def test_a_gallery_made_after_others_is_the_one_made_at_first() -> None:
    """Whatever was kept from before."""
    files = ["Ann/1", "Ann/2", "Bob/1"]
    builder = GalleryBuilder(ENGINE)
    for before in (files[:1], files[:2], files, files[1:]):
        builder.make(of(*before))
    made, fresh = builder.make(of(*files)), GalleryBuilder(ENGINE).make(of(*files))
    assert made.gallery.version == fresh.gallery.version
    assert made.gallery.persons == from_message(made.message).persons == ("Ann", "Bob")
    assert list(made.gallery.owners) == [0, 0, 1]


def test_pictures_that_disagree_are_judged_when_all_of_the_person_are_encoded() -> None:
    """Until then they are left out, and nothing is said."""
    pictures = of("Ann/1", "Ann/2", "Ann/3")
    encodings = {**pictures.encodings, "Ann/2": an_encoding(99)}
    without_third = {file: one for file, one in encodings.items() if file != "Ann/3"}
    builder = GalleryBuilder(ENGINE)
    early = builder.make(pictures._replace(encodings=without_third))
    assert (set(early.disagreeing), list(early.settled)) == ({"Ann/1", "Ann/2"}, [])
    complete = builder.make(pictures._replace(encodings=encodings))
    assert (set(complete.disagreeing), list(complete.settled)) == ({"Ann/2"}, ["Ann/2"])
    unusable = builder.make(pictures._replace(encodings=without_third, unusable=("Ann/3",)))
    assert set(unusable.settled) == {"Ann/1", "Ann/2"}


def test_of_two_pictures_that_disagree_the_better_is_used() -> None:
    """A smeared one is no reason to leave out a sharp one."""
    pictures = of("Ann/1", "Ann/2")
    encodings = {**pictures.encodings, "Ann/2": an_encoding(99)}
    smeared = Looks(
        width_px=100, sharpness=1, brightness=120, contrast=50, side_light=0.1, turn=0.1, nod=0.7, spread=0.05
    )
    made = GalleryBuilder(ENGINE).make(pictures._replace(encodings=encodings, looks={"Ann/2": smeared}))
    assert [one.file for one in made.pictures] == ["Ann/1"]
    assert made.disagreeing == {}
    assert made.spoiling == {"Ann/2": "it is blurred"}


def test_whoever_is_erased_is_left_out_and_told_while_there_are_pictures() -> None:
    """Under any spelling of the name."""
    made = GalleryBuilder(ENGINE).make(of("Ann/1", "Bob/1", erased=frozenset({"ann", "cid"})))
    assert made.gallery.persons == ("Bob",)
    assert (made.left_out, made.still_there) == (frozenset({"ann", "cid"}), frozenset({"ann"}))


def test_somebody_is_left_out_of_a_gallery_at_once() -> None:
    """It is another one, for recognizers too; the others keep their encodings."""
    made = GalleryBuilder("dlib-resnet-v1/mirror").make(of("Ann/1", "Ann/2", "Bob/1", "Cid/1"))
    less = without(made, {"bob"})
    assert less.gallery.persons == less.templates.persons == less.message.persons == ("Ann", "Cid")
    assert list(less.gallery.owners) == [0, 0, 1]
    assert list(less.templates.owners) == [0, 1]
    assert less.gallery.version == less.templates.version == less.message.version != made.gallery.version
    assert {one.person for one in less.pictures} == {"Ann", "Cid"}
    assert (from_message(less.message).encodings == made.templates.encodings[[0, 2]]).all()
    assert without(made, set()) is without(made, {"eve"}) is made
