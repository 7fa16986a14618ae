"""A site on several hosts: cables are cut under it, packets are lost, a host joins.

How long it takes to heal is measured by `benchmarks.multihost`; here it must only heal, by itself.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.hosts.network import BOTH, Direction, Network, why_not
from tests.support.hosts.remote_site import CAMERAS, HOSTS, LAB, NEWCOMER, POOL, SCREEN, RemoteSite
from tests.support.views import OBAMA, a_view, put

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(why_not()), reason=why_not()),
]

STALE = "no recent result"
Record = Callable[[str, object], None]


@pytest.fixture
def site(folder: Path, virtual_screen: str) -> Iterator[RemoteSite]:
    """Give a site on three hosts, at whose doors Barack Obama stands, once its display is live."""
    put(folder / "door.jpg", a_view(OBAMA))
    with (
        Network([*HOSTS, NEWCOMER]) as network,
        RemoteSite(
            folder=folder,
            network=network,
            source=[str(folder / "door.jpg")],
            display=virtual_screen,
            pool=1,
            fps=5.0,
        ) as site,
    ):
        began_s = time.monotonic()
        for host in HOSTS:
            site.up(host, "--host", host)
        wait_until_healed(site, began_s)
        yield site


def wait_until_healed(site: RemoteSite, since_s: float) -> None:
    """Return when the pool answers again, both cameras have answers, and the display shows it."""
    site.wait_for(lambda: site.answered_since(since_s, by=POOL))
    site.wait_for(lambda: all(site.answered_since(since_s, camera=camera) for camera in CAMERAS))
    site.wait_for(lambda: all(site.screen_state(camera) == "live" for camera in CAMERAS))


def test_a_cut_cable_heals_by_itself(site: RemoteSite, record_property: Record) -> None:
    """Cut both ways and one way: meanwhile the display looks for faces itself."""
    cuts: tuple[tuple[Direction, ...], ...] = (BOTH, ("in",), ("out",))
    for directions in cuts:
        looks = site.count(SCREEN, "local_detections")
        site.network.cut("cellar", directions)
        site.wait_for(lambda: all(site.screen_state(camera) == STALE for camera in CAMERAS))
        site.wait_for(lambda looks=looks: site.count(SCREEN, "local_detections") > looks)  # type: ignore[misc]
        site.network.mend("cellar")
        mended_s = time.monotonic()
        wait_until_healed(site, mended_s)
        record_property(f"healed_s_{'_'.join(directions)}", time.monotonic() - mended_s)
    site.network.lose("cellar", 20)
    wait_until_healed(site, time.monotonic())
    site.network.mend("cellar")
    granted = [access for access in site.accesses if access.verdict == "granted"]
    assert {access.person for access in granted} == {"Barack Obama"}
    assert {host: site.down(host) for host in ("hall", "cellar", "gate")} == dict.fromkeys(HOSTS, 0)


def test_a_host_joins_while_the_site_runs_and_takes_over(site: RemoteSite, record_property: Record) -> None:
    """With nothing but its bundle; when the other recognizers' cable is cut, it has all frames."""
    site.add_key(LAB)
    site.pack(NEWCOMER, LAB)
    there = site.folder / NEWCOMER
    assert sorted(str(path.relative_to(there)) for path in there.rglob("*") if path.is_file()) == [
        *("keys/broker.key", f"keys/recognizer/{LAB}.key_secret", "site.yaml"),
    ]
    began_s = time.monotonic()
    site.up(NEWCOMER, "--only", "recognizers", "--count", "1")
    site.wait_for(lambda: site.answered_since(began_s, by=LAB))
    record_property("joined_s", time.monotonic() - began_s)
    site.network.cut("cellar")
    cut_s = time.monotonic()
    site.wait_for(lambda: all(site.answered_since(cut_s, by=LAB, camera=camera) for camera in CAMERAS))
    site.network.mend("cellar")
    wait_until_healed(site, time.monotonic())
    assert site.down(NEWCOMER) == 0
