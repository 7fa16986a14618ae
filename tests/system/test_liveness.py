"""A door with `liveness: passive`, with real processes: who is denied as not alive, and who is not.

No picture that a test may use shows anybody who lives. Two photographs of one man, shown in turn from one
frame to the next, stand for a face whose encodings move. They prove that such a face is granted, not that
living people are: that is measured (`benchmarks.liveness`). They are an attack besides, which passes.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.pth import write_network
from tests.support.sites import GRANTED, SWIFT, RealSite
from tests.support.views import NOBODY, OBAMA, OBAMA_AGAIN, a_view, put
from turnstile.commands.demo import photograph, samples
from turnstile.protocol.reasons import Reason

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

FILES = [f"door-{number}.jpg" for number in range(24)]
"""The pictures that the door's camera shows one after the other, again and again."""


def in_turn() -> list[bytes]:
    """Return two photographs of one man, one of them smaller, so that their faces are found equally wide."""
    picture = cv2.imdecode(np.frombuffer(a_view(OBAMA), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    small = cv2.warpAffine(picture, np.array([[0.75, 0, 40], [0, 0.75, 30]]), (320, 240))
    return [cv2.imencode(".jpg", small)[1].tobytes(), a_view(OBAMA_AGAIN)]


def a_site(folder: Path, **decision: object) -> RealSite:
    """Return a site with such a door. It links two pictures of one man that lie 0.3 apart."""
    passive = SWIFT | {"liveness": "passive", "link_distance": 0.4, **decision}
    door = {"source": FILES, "max_fps": 10, "loop": True}
    site = RealSite(folder, sections={"decision": passive, "cameras": {"door": door}, "displays": {}})
    show(site, [a_view(NOBODY)])
    site.enrol("barack_obama.jpg")
    site.start_all()
    site.wait_until_enrolled(1)
    return site


def show(site: RealSite, pictures: Sequence[bytes]) -> None:
    """Let the camera show pictures one after the other."""
    for number, file in enumerate(FILES):
        put(site.folder / file, pictures[number % len(pictures)])


def a_photograph_in_the_hand() -> list[bytes]:
    """Return what the demo's attack looks like, ten pictures a second."""
    shown = [photograph.view(number / 10, stills=samples.folder()) for number in range(len(FILES))]
    return [cv2.imencode(".jpg", picture)[1].tobytes() for picture in shown]


def test_a_still_in_the_hand_is_not_alive_and_a_face_that_changes_is(folder: Path) -> None:
    """The still is recognised, and denied under that name."""
    with a_site(folder) as site:
        show(site, a_photograph_in_the_hand())
        site.wait_for(lambda: len(site.accesses) == 1)
        assert site.visits == [("door", "denied", "Barack Obama")]
        assert site.accesses[0].reason is Reason.NOT_ALIVE
        show(site, [a_view(NOBODY)])
        site.wait_for(lambda: [len(result.faces) for result in site.results[-12:]] == [0] * 12)
        show(site, in_turn())
        site.wait_for(lambda: len(site.accesses) == 2)
        assert site.visits[1:] == [("door", *GRANTED)]


@pytest.mark.parametrize(("alive", "verdict"), [(0.9, "granted"), (0.1, "denied")])
def test_the_owners_network_denies_a_face_that_changes(folder: Path, alive: float, verdict: str) -> None:
    """The recognizer asks it, the broker decides, and nobody else hears what it said."""
    file = folder / "network.pth"
    sha256 = write_network(file, alive=alive)
    with a_site(folder, liveness_network=str(file), liveness_sha256=sha256) as site:
        show(site, in_turn())
        site.wait_for(lambda: len(site.accesses) == 1)
        assert site.visits == [("door", verdict, "Barack Obama")]
        assert (site.accesses[0].reason is Reason.NOT_ALIVE) is (verdict == "denied")
        assert {face.alive for result in site.results for face in result.faces} == {None}


def test_a_recognizer_without_its_network_does_not_start(folder: Path) -> None:
    """Else a face would be taken for alive that nobody asked about."""
    decision = SWIFT | {"liveness": "passive", "liveness_network": "gone.pth"}
    with RealSite(folder, sections={"decision": decision}) as site:
        site.start("broker", "recognizer-1")
        site.wait_for(lambda: site.nodes.exit_code("recognizer-1") is not None)
        assert site.nodes.exit_code("recognizer-1") == 1
        assert "gone.pth, the network for liveness, cannot be read: No such file" in site.words(
            "recognizer-1"
        )
