"""What the bus brings reaches the pages: the newest frame of each camera, and all else."""

import asyncio

from tests.support.builders import a_frame, a_result
from turnstile.io.bus.nodes import Heard
from turnstile.io.web.link import BusLink
from turnstile.protocol.messages import Frame


def test_pages_that_are_slow_get_the_newest_frames_and_all_results() -> None:
    """Frames that nobody took meanwhile are not kept."""
    got: list[Heard] = []
    link = BusLink(instance="web-1", wake=lambda: None)
    link.listeners.append(got.extend)

    async def listen() -> None:
        link.serve(asyncio.get_running_loop())
        for seq in (1, 2, 3):
            link.take([("frame.a.", a_frame(camera="a", seq=seq)), ("result.a.", a_result(seq=seq))])
        link.take([("frame.b.", a_frame(camera="b", seq=7))])
        await asyncio.sleep(0)

    asyncio.run(listen())
    frames = [(said.camera, said.seq) for _, said in got if isinstance(said, Frame)]
    assert frames == [("a", 3), ("b", 7)]
    assert [said.seq for _, said in got if not isinstance(said, Frame)] == [1, 2, 3]  # type: ignore[union-attr]
