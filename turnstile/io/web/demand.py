"""Which cameras' frames the pages need: the node hears those and no others.

Pages come and go in the server's event loop; the node's loop reads `cameras`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

LET_GO_S = 5.0
"""How long frames still come after nobody needs them: who loads a page anew finds them there."""


class FrameDemand:
    """Counts who needs the frames of each camera.

    Attributes:
        cameras: those whose frames are to be heard now.
    """

    def __init__(self, wake: Callable[[], None], *, let_go_s: float = LET_GO_S) -> None:
        """Begin with none; `wake` is called whenever `cameras` has changed."""
        self.cameras: frozenset[str] = frozenset()
        self._wake, self._let_go_s = wake, let_go_s
        self._needed: Counter[str] = Counter()
        self._leaving: dict[str, asyncio.TimerHandle] = {}

    def need(self, cameras: Iterable[str]) -> None:
        """Have the frames of these come until they are released as often as they were needed."""
        for camera in cameras:
            self._needed[camera] += 1
            if (leaving := self._leaving.pop(camera, None)) is not None:
                leaving.cancel()
        self._update()

    def release(self, cameras: Iterable[str]) -> None:
        """Need the frames of these no longer."""
        for camera in cameras:
            self._needed[camera] -= 1
            if not self._needed[camera]:
                del self._needed[camera]
                loop = asyncio.get_running_loop()
                self._leaving[camera] = loop.call_later(self._let_go_s, self._let_go, camera)

    def expect(self, cameras: Iterable[str]) -> None:
        """Have the frames of these come for a moment: a page was loaded, and will need some of them."""
        expected = tuple(cameras)
        self.need(expected)
        self.release(expected)

    def _let_go(self, camera: str) -> None:
        del self._leaving[camera]
        self._update()

    def _update(self) -> None:
        cameras = frozenset((*self._needed, *self._leaving))
        if cameras != self.cameras:
            self.cameras = cameras
            self._wake()
