"""Events as earlier brokers left them in the journal."""

import msgspec

from tests.support.builders import an_act
from turnstile.io.journal.bodies import read_event, write_event


def test_an_act_of_an_earlier_broker_is_read() -> None:
    """It says less: nothing of accounts."""
    act = an_act(7)
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(act))
    for name in ("by", "role", "deed", "words"):
        del fields[name]
    earlier = msgspec.msgpack.encode({**fields, "t": "act/1"})
    assert read_event(earlier, seq=7, visit="act-7") == act
    assert read_event(write_event(act), seq=7, visit="act-7") == act
