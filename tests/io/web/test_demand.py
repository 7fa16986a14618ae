"""Frames of a camera are asked for while somebody needs them, and a moment longer."""

import asyncio

from turnstile.io.web.demand import FrameDemand


def test_frames_come_until_nobody_has_needed_them_for_a_moment() -> None:
    """Whoever comes within that moment finds them there; each change is told once."""
    told: list[frozenset[str]] = []

    async def come_and_go() -> None:
        changed = asyncio.Event()

        def tell() -> None:
            told.append(demand.cameras)
            changed.set()

        demand = FrameDemand(tell, let_go_s=0.001)
        demand.need(["a", "b"])
        demand.need(["a"])
        demand.release(["a", "b"])
        demand.need(["b"])
        demand.release(["a"])
        changed.clear()
        await changed.wait()
        demand.release(["b"])
        demand.expect(["b"])
        changed.clear()
        await changed.wait()

    asyncio.run(come_and_go())
    assert told == [{"a", "b"}, {"b"}, set()]
