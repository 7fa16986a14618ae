"""Notice that a site file was edited while a process runs, and say so once.

watchfiles was not taken: its thread and its events are much for one file that a call of `stat` tells of.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from turnstile.errors import ConfigError
from turnstile.io.site.file import load
from turnstile.site.settings import Site

LOOK_EVERY_S = 2.0


class SiteFileWatch:
    """Compares a site file with what a process was started with. It looks at most every two seconds.

    Attributes:
        notice: what there is to say now; empty while the file is as it was, or differs in other parts only.
    """

    def __init__(self, path: Path, part: Callable[[Site], object], site: Site) -> None:
        """Watch a file; `part` returns what matters of a site, and `site` is what was read from the file."""
        self.notice = ""
        self._path, self._part = path, part
        self._look_s = 0.0
        self._began_with(site)

    def _began_with(self, site: Site) -> None:
        self._had = self._part(site)
        self._stamp = self._settled = _stamp(self._path)
        self._digest = _digest(self._path)

    def applied(self, site: Site) -> None:
        """Note that the process has changed to this site."""
        self.notice = ""
        self._began_with(site)

    def poll(self, now_s: float) -> bool:
        """Look at the file if it is time, and return whether the notice is another one."""
        if now_s < self._look_s:
            return False
        self._look_s = now_s + LOOK_EVERY_S
        stamp, before = _stamp(self._path), self._stamp
        self._stamp = stamp
        if stamp != before or stamp == self._settled:  # still being written, or as it was
            return False
        self._settled = stamp
        digest = _digest(self._path)
        if digest == self._digest:
            return False
        self._digest, said = digest, self.notice
        self.notice = self._judged()
        return self.notice != said

    def _judged(self) -> str:
        name = self._path.name
        try:
            if self._part(load(self._path)) == self._had:
                return ""
        except ConfigError as error:
            return f"{name} changed and is not valid, so the settings from before stay: {error}"
        return f"{name} changed; `turnstile reload` or a restart applies it"


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _digest(path: Path) -> bytes:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return b""
