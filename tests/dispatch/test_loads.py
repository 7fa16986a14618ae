"""How cameras are served, as the broker's beat tells it."""

from turnstile.dispatch.loads import MAX_LABEL_CHARS, MAX_TOLD, Loads
from turnstile.protocol.fields import MAX_LABELS

MS = 1_000_000
NOW = 1_000_000 * MS


def test_a_camera_waits_from_its_first_frame_that_nobody_took() -> None:
    """Newer frames take the place of older ones, but the camera waits on."""
    loads = Loads()
    for at_ms in (0, 66, 133):
        loads.came("door", NOW + at_ms * MS)
    assert loads.queue_age_ns(NOW + 150 * MS) == 150 * MS
    assert loads.handed_out("door", NOW + 200 * MS) == 200 * MS
    assert loads.queue_age_ns(NOW + 300 * MS) == 0


def test_work_that_is_handed_out_again_did_not_wait() -> None:
    """Its camera had its turn."""
    assert Loads().handed_out("door", NOW) == 0


def test_with_no_recognizer_the_wait_grows_for_ever() -> None:
    """That is what tells that there are too few."""
    loads = Loads()
    loads.came("door", NOW)
    assert loads.tell(NOW + 500 * MS)["queue_age_ms"] == 500
    assert loads.tell(NOW + 1500 * MS)["wait_ms.door"] == 1500


def test_a_wait_that_is_over_shows_until_the_next_beat() -> None:
    """Somebody who looks every few seconds would else mostly find nobody waiting."""
    loads = Loads()
    loads.came("door", NOW)
    loads.handed_out("door", NOW + 80 * MS)
    loads.tell(NOW + 100 * MS)
    assert loads.queue_age_ns(NOW + 300 * MS) == 80 * MS
    loads.tell(NOW + 600 * MS)
    assert loads.queue_age_ns(NOW + 700 * MS) == 0


def test_a_period_tells_its_worst_and_begins_anew() -> None:
    """A beat comes twice a second: what happened in between is in it."""
    loads = Loads()
    loads.tell(NOW)
    for at_ms in (0, 100):
        loads.came("door", NOW + at_ms * MS)
        loads.handed_out("door", NOW + (at_ms + 20 + at_ms // 10) * MS)
        loads.answered("door", (50 + at_ms) * MS)
    assert loads.tell(NOW + 500 * MS) == {
        "queue_age_ms": 30,
        "results_per_s.door": 4,
        "wait_ms.door": 30,
        "age_ms.door": 150,
    }
    assert loads.tell(NOW + 1000 * MS) == {"queue_age_ms": 0, "results_per_s.door": 0, "wait_ms.door": 0}


def test_many_cameras_with_long_names_fit_into_a_beat() -> None:
    """Those of the site file come first; the longest wait is of all of them."""
    loads = Loads(first=["z"])
    for number in range(100):
        loads.came(f"{number:03}{'x' * 60}", NOW)
        loads.answered(f"{number:03}{'x' * 60}", MS)
    loads.came("z", NOW + 100 * MS)
    loads.answered("z", MS)
    told = loads.tell(NOW + 300 * MS)
    assert len(told) == 1 + 3 * MAX_TOLD < MAX_LABELS - 40
    assert max(map(len, told)) <= MAX_LABEL_CHARS
    assert (told["wait_ms.z"], told["queue_age_ms"]) == (200, 300)


def test_a_camera_that_is_gone_waits_no_more() -> None:
    """The broker forgets it after an hour."""
    loads = Loads()
    loads.came("door", NOW)
    loads.forget("door")
    assert loads.tell(NOW + MS) == {"queue_age_ms": 0}


def test_the_camera_that_takes_most_of_the_recognizers_time_is_named() -> None:
    """One gauge, however many cameras there are."""
    loads = Loads()
    loads.tell(1)
    for _ in range(10):
        loads.answered("yard", MS, busy_ms=60.0)
        loads.answered("door", MS, busy_ms=8.0)
    told = loads.tell(1 + 1000 * MS)
    assert told["busiest_ms_per_s.yard"] == 600.0
    assert not any(name.startswith("busiest") for name in loads.tell(1 + 2000 * MS))
