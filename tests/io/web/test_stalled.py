"""Connections that take nothing any more are cut off, and no others."""

from asyncio import Transport

from turnstile.io.web.serving.stalled import STALLED_S, StalledConnections


class Line(Transport):
    """A connection's transport with so many bytes to go."""

    def __init__(self, to_go: int) -> None:
        super().__init__()
        self.to_go, self.is_cut = to_go, False

    def get_write_buffer_size(self) -> int:
        """Return what is still to go."""
        return self.to_go

    def abort(self) -> None:
        """Be cut off."""
        self.is_cut = True


class Peer:
    """A connection."""

    def __init__(self, to_go: int) -> None:
        self.line = Line(to_go)
        self.transport: Transport = self.line


def test_who_takes_nothing_for_long_is_cut_off() -> None:
    """What was to go to them is dropped; who is slow, or idle, stays."""
    stalled, slow, idle = Peer(70_000), Peer(70_000), Peer(0)
    connections = StalledConnections(lambda: (stalled, slow, idle))
    for second in range(round(STALLED_S) + 1):
        slow.line.to_go = 70_000 - second
        connections.sweep(float(second))
    assert [one.line.is_cut for one in (stalled, slow, idle)] == [True, False, False]
    assert connections.cut_off == 1


def test_who_takes_something_again_starts_anew() -> None:
    """A phone in a tunnel comes back."""
    peer = Peer(70_000)
    connections = StalledConnections(lambda: (peer,))
    connections.sweep(0.0)
    connections.sweep(STALLED_S - 1)
    peer.line.to_go = 60_000
    connections.sweep(STALLED_S)
    connections.sweep(2 * STALLED_S - 1)
    assert not peer.line.is_cut
