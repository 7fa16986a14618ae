"""Sets the clock of the day of one process and its children, without being root.

Python imports this before anything else when its folder is in ``PYTHONPATH``. `time.time` and `time.time_ns`
then go by as many seconds more as the file named by ``SET_CLOCK`` says, which may change at any time. The
clocks that run are not touched, as a real step does not touch them either. `datetime.now` and the system's
own stamps of files are not shifted: that the witness writes the real time is the one difference.
"""

import os
import time
from pathlib import Path

_FILE = Path(os.environ.get("SET_CLOCK", os.devnull))
_time_ns = time.time_ns


def _set_by_ns() -> int:
    return round(float(_FILE.read_text() or 0) * 1e9)


def _shifted_ns() -> int:
    return max(0, _time_ns() + _set_by_ns())


def _shifted() -> float:
    return _shifted_ns() / 1e9


time.time_ns, time.time = _shifted_ns, _shifted
