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


def costly(busy_ms: dict[str, float], *, waited_ms: int = 1500) -> dict[str, float]:
    """Return the shares that are told when cameras took so long, and one waited."""
    loads = Loads()
    loads.came("hall", NOW)
    for camera, took_ms in busy_ms.items():
        loads.answered(camera, MS, busy_ms=took_ms)
    told = loads.tell(NOW + waited_ms * MS)
    again = loads.tell(NOW + 2 * waited_ms * MS)
    assert not any(name.startswith("busy_share") for name in again)
    return {name.partition(".")[2]: share for name, share in told.items() if name.startswith("busy_share")}


def test_all_cameras_that_cost_much_are_named_when_the_site_cannot_keep_up() -> None:
    """The costliest first, with their shares of the recognizers' time in that period."""
    shares = costly({"porch": 10, "yard": 300, "gate": 600, "door": 90})
    assert shares == {"gate": 0.6, "yard": 0.3}
    assert list(shares) == ["gate", "yard"]


def test_of_many_cameras_that_cost_the_same_one_is_named() -> None:
    """Then there are too few recognizers, and somebody must be told."""
    assert len(costly({f"door-{number}": 10 for number in range(64)})) == 1


def test_no_camera_is_blamed_while_the_site_keeps_up() -> None:
    """One camera alone always has the whole of a little."""
    assert costly({"yard": 300}, waited_ms=900) == {}
