"""A broker that loses its authenticator.

    python -m tests.support.broker_losing_its_authenticator --config FILE

At SIGUSR1 it stops answering who may come in, as if nobody were there to ask; at SIGUSR2 it is closed.
"""

import signal
import sys
from dataclasses import dataclass, field

import broker
from turnstile.io.runner import node
from turnstile.io.runner.heart import Heart


@dataclass(kw_only=True)
class Losing:
    """The real broker, whose authenticator goes between two of its steps."""

    whole: broker.BrokerNode
    signals: list[int] = field(default_factory=list)

    @property
    def heart(self) -> Heart:
        """Return the broker's."""
        return self.whole.heart

    def step(self, timeout_s: float) -> None:
        """Do what the signals ask for, and then what the broker does."""
        guard = self.whole.sockets.guard
        assert guard is not None
        while self.signals:
            if self.signals.pop() == signal.SIGUSR1:
                guard.authenticator.zap_socket.unbind("inproc://zeromq.zap.01")
            else:
                guard.stop()
        self.whole.step(timeout_s)

    def close(self) -> None:
        """Close the broker."""
        self.whole.close()


def wire(start: node.Start) -> Losing:
    """Wire the real broker, and wait for signals."""
    losing = Losing(whole=broker.wire(start))
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, lambda number, _: losing.signals.append(number))
    return losing


if __name__ == "__main__":
    sys.exit(node.run("broker", wire, doc=__doc__))
