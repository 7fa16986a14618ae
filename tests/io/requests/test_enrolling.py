"""Enrolment asked of the request desk: what speaks against it, and how it is taken back."""

import time

from tests.io.requests.conftest import Counter
from tests.strangers.test_groups import near
from tests.support.asking import a_request
from tests.support.builders import an_encoding
from tests.support.waiting import wait_until
from turnstile.io.people.anchors import open_anchors
from turnstile.io.requests.strangers import StrangerEar
from turnstile.io.strangers.store import UnknownVisit
from turnstile.requests.answers import Done, RefusedWish, UnknownsFound
from turnstile.requests.wishes import (
    EnrolPicture,
    ErasePerson,
    NameUnknowns,
    ReadUnknowns,
    SeenVisit,
    UndoEnrolment,
)

OF_ADA = EnrolPicture(person="Bob", data=b"picture", visit=SeenVisit(event="aa:1", person="Ada"))


def files(counter: Counter) -> list[str]:
    """Return the names of the enrolled pictures."""
    return sorted(path.name for path in counter.faces.iterdir())


def keep_unknown(counter: Counter, event: str, encoding: bytes) -> None:
    """Let somebody unknown be seen."""
    assert isinstance(counter.access.strangers, StrangerEar)
    visit = UnknownVisit(event, "front_door", time.time_ns(), None, None, encoding, event.encode())
    counter.access.strangers.keep(visit)


def enrolled(counter: Counter, person: str, encoding: bytes) -> Done:
    """Enrol somebody, and return the answer once the gallery has them."""
    wish = EnrolPicture(person=person, data=person.encode())
    done = counter.encoded(a_request(wish, role="clerk"), encoding)
    assert isinstance(done, Done), done
    wait_until(lambda: person in counter.people.enrolment.persons.values(), "a person", between=counter.turn)
    return done


def test_a_visit_of_somebody_else_is_enrolled_by_a_second_press(counter: Counter) -> None:
    """The refusal says whose it was by the log; nothing is kept before."""
    refusal = counter.encoded(a_request(OF_ADA), an_encoding(1))
    assert isinstance(refusal, RefusedWish)
    assert refusal.may_anyway
    assert "event aa:1 was recognised as Ada" in refusal.problem
    assert files(counter) == []
    anyway = EnrolPicture(person="Bob", data=b"picture", visit=OF_ADA.visit, anyway=True)
    assert isinstance(counter.encoded(a_request(anyway), an_encoding(1)), Done)
    assert files(counter) == ["bob.jpg"]


def test_who_was_said_not_to_be_there_has_no_claim(counter: Counter) -> None:
    """After "not Ada" the visit is Bob's by one press; for Ada herself it cannot be enrolled."""
    anchors = open_anchors(counter.site.gallery, counter.site.recognition.encoding)
    anchors.add("Ada", "aa:1", an_encoding(1))
    of_herself = EnrolPicture(person="Ada", data=b"picture", visit=OF_ADA.visit, anyway=True)
    refusal = counter.answer_to(a_request(of_herself))
    assert isinstance(refusal, RefusedWish)
    assert "was not of Ada" in refusal.problem
    assert isinstance(counter.encoded(a_request(OF_ADA), an_encoding(1)), Done)


def test_who_enrolled_takes_exactly_that_back(counter: Counter) -> None:
    """Nobody else does; a picture that took the place of that one stays."""
    undo = enrolled(counter, "Ann", an_encoding(1)).undo
    enrolled(counter, "Bob", an_encoding(2))
    other = counter.answer_to(a_request(UndoEnrolment(undo=undo), by="Eve"))
    assert isinstance(other, RefusedWish)
    assert "cannot be taken back any more" in other.problem
    (counter.faces / "ann.jpg").write_bytes(b"another")
    replaced = counter.answer_to(a_request(UndoEnrolment(undo=undo), role="clerk"))
    assert isinstance(replaced, RefusedWish)
    assert "not there any more" in replaced.problem
    (counter.faces / "ann.jpg").write_bytes(b"Ann")
    done = counter.answer_to(a_request(UndoEnrolment(undo=undo), role="clerk"))
    assert isinstance(done, Done), done
    assert done.words == "1 picture of Ann removed again"
    assert files(counter) == ["bob.jpg"]
    assert isinstance(counter.answer_to(a_request(UndoEnrolment(undo=undo))), RefusedWish)


def test_a_name_taken_back_makes_unknown_again(counter: Counter) -> None:
    """Those who were named stand among the unknown, as before."""
    keep_unknown(counter, "aa:1", near(1))
    wish = NameUnknowns(unknowns=("aa:1",), person="Ann")
    done = counter.encoded(a_request(wish, role="clerk"), near(1))
    assert isinstance(done, Done), done
    assert unknown(counter) == []
    back = counter.answer_to(a_request(UndoEnrolment(undo=done.undo), role="clerk"))
    assert isinstance(back, Done), back
    assert (files(counter), unknown(counter)) == ([], ["aa:1"])


def test_somebody_erased_does_not_come_back(counter: Counter) -> None:
    """Neither pictures nor visits."""
    keep_unknown(counter, "aa:1", near(1))
    done = counter.encoded(a_request(NameUnknowns(unknowns=("aa:1",), person="Ann")), near(1))
    assert isinstance(done, Done), done
    assert isinstance(counter.answer_to(a_request(ErasePerson(person="Ann"))), Done)
    assert isinstance(counter.answer_to(a_request(UndoEnrolment(undo=done.undo))), RefusedWish)
    assert unknown(counter) == []


def test_faces_named_as_somebody_enrolled_are_asked_about(counter: Counter) -> None:
    """With the distance, also where it is near; far ones are doubted."""
    enrolled(counter, "Ann", near(1))
    wait_until(lambda: counter.people.enrolment.encodings, "encodings", between=counter.turn)
    keep_unknown(counter, "aa:1", near(1, apart=0.35))
    keep_unknown(counter, "aa:2", near(2))
    for ids, words, doubt in (
        (("aa:1",), "0.34 from Ann's", ""),
        (("aa:2",), "from Ann's", "somebody else?"),
    ):
        asks = counter.answer_to(a_request(NameUnknowns(unknowns=ids, person="Ann"), role="clerk"))
        assert isinstance(asks, RefusedWish)
        assert asks.may_anyway
        assert words in asks.problem
        assert ("somebody else?" in asks.problem) == bool(doubt)
    sure = NameUnknowns(unknowns=("aa:1",), person="Ann", anyway=True)
    assert isinstance(counter.encoded(a_request(sure), near(1, apart=0.35)), Done)
    assert files(counter) == ["ann.jpg", "ann_2.jpg"]


def test_two_faces_are_not_named_as_one_person_unasked(counter: Counter) -> None:
    """They are too far apart to be one."""
    keep_unknown(counter, "aa:1", near(1))
    keep_unknown(counter, "aa:2", near(2))
    asks = counter.answer_to(a_request(NameUnknowns(unknowns=("aa:1", "aa:2"), person="Ann")))
    assert isinstance(asks, RefusedWish)
    assert "two of these faces are 1." in asks.problem


def unknown(counter: Counter) -> list[str]:
    """Return who is unknown, by the newest visit of each."""
    found = counter.answer_to(a_request(ReadUnknowns()))
    assert isinstance(found, UnknownsFound)
    return [one.id for one in found.unknowns]
