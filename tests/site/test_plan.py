"""What a site consists of, and what belongs on which machine."""

import pytest

from turnstile.errors import ConfigError
from turnstile.site.document import build
from turnstile.site.plan import (
    START_ORDER,
    chosen,
    more_names,
    place_of,
    processes,
    processes_on,
    webhooks_beside,
    with_workers,
    worker_names,
)
from turnstile.site.settings import Site


def a_placed_site(**recognizers: object) -> Site:
    """Return a site of two hosts."""
    return build(
        {
            "site": "office",
            "hosts": {"gate": {"address": "192.0.2.1"}, "cellar": {"address": "192.0.2.2"}},
            "broker": {"host": "gate"},
            "cameras": {"door": {"source": 0, "host": "gate"}},
            "recognizers": {"pool": {"host": "cellar", "count": "auto"}, **recognizers},
            "loggers": {"log": {"host": "gate"}},
            "displays": {"porter": {"host": "cellar"}},
        }
    )


def test_each_host_runs_its_own_in_the_order_of_starting() -> None:
    """The broker first, so that the others find it at once; displays last."""
    site = a_placed_site(spare={"host": "cellar", "count": 2})
    assert [one.name for one in processes_on(site, "gate", cores=3)] == ["broker", "log", "door"]
    assert [one.name for one in processes_on(site, "cellar", cores=3)] == [
        *("pool-1", "pool-2", "pool-3", "spare-1", "spare-2", "porter")
    ]
    order = [START_ORDER.index(one.kind) for one in processes(site, cores=1)]
    assert order == sorted(order)


def test_numbered_processes_share_a_key_and_a_place() -> None:
    """The site file has one entry for all of them."""
    (first, *_, last) = processes_on(a_placed_site(), "cellar", cores=2)
    assert (first.name, str(first.identity), place_of(first)) == (
        *("pool-1", "recognizer:pool", "recognizers.pool"),
    )
    assert (str(last.identity), place_of(last)) == ("display:porter", "displays.porter")
    broker = processes_on(a_placed_site(), "gate", cores=2)[0]
    assert (broker.identity, place_of(broker)) == (None, "broker")


def test_a_site_with_pages_has_a_web_node() -> None:
    """It starts last."""
    document = {"site": "office", "cameras": {"door": {"source": 0}}}
    assert "web" not in [one.kind for one in processes(build(document), cores=1)]
    last = processes(build(document | {"web": {}}), cores=1)[-1]
    assert (last.kind, last.name) == ("web", "web")


def test_a_site_without_hosts_runs_in_one_place() -> None:
    """Whatever that is called."""
    site = build(
        {"site": "office", "cameras": {"door": {"source": 0}}, "recognizers": {"pool": {"count": 2}}}
    )
    assert [one.name for one in processes_on(site, "anything", cores=8)] == [
        "broker",
        "pool-1",
        "pool-2",
        "door",
    ]


def test_an_unknown_host_is_refused_with_the_known_ones() -> None:
    """And so is a node that names one where the site has none."""
    with pytest.raises(ConfigError, match="hosts: none is named attic; there are: gate, cellar"):
        processes_on(a_placed_site(), "attic", cores=1)
    site = build({"site": "office", "cameras": {"door": {"source": 0, "host": "gate"}}})
    with pytest.raises(ConfigError, match=r"cameras\.door\.host: gate; but the site names no hosts"):
        processes_on(site, "gate", cores=1)


def test_one_process_has_no_number() -> None:
    """Several have, from 1 on."""
    assert worker_names("pool", 1) == ["pool"]
    assert worker_names("pool", 3) == ["pool-1", "pool-2", "pool-3"]


@pytest.mark.parametrize(
    ("taken", "count", "names"),
    [
        ([], 2, ["pool-1", "pool-2"]),
        (["pool"], 2, ["pool-2", "pool-3"]),
        (["pool-1", "pool-3"], 2, ["pool-2", "pool-4"]),
        (["pool-1"], 0, []),
    ],
)
def test_more_processes_get_names_that_are_free(taken: list[str], count: int, names: list[str]) -> None:
    """A single one without a number counts as the first."""
    assert more_names("pool", taken=taken, count=count) == names


def test_webhooks_run_beside_the_broker() -> None:
    """On its host, all of them, and on no other."""
    mail = {"url": "https://192.0.2.1/", "secret_file": "secret", "state_file": "state"}
    site = build({"site": "office", "cameras": {"door": {"source": 0}}, "webhooks": {"mail": mail}})
    here = processes(site, cores=1)
    assert [(one.kind, one.name) for one in webhooks_beside(site, here)] == [("webhook", "mail")]
    assert webhooks_beside(site, [one for one in here if one.kind != "broker"]) == []


def test_a_part_of_the_site_is_chosen_by_section_entry_or_name() -> None:
    """Nothing chosen is everything; a word that is none of them is refused with those that are."""
    every = processes(a_placed_site(), cores=2)
    assert chosen(every, []) == every
    assert [one.name for one in chosen(every, ["broker", "recognizers"])] == ["broker", "pool-1", "pool-2"]
    assert [one.name for one in chosen(every, ["pool-2", "door"])] == ["pool-2", "door"]
    with pytest.raises(ConfigError, match=r"--only attic: valid are .*cameras.* and nodes: broker, log"):
        chosen(every, ["attic"])


def test_recognizers_are_as_many_as_asked_for() -> None:
    """Of one entry, which must be clear."""
    every = processes(a_placed_site(), cores=2)
    more = with_workers(every, 3, key="pool")
    assert [one.name for one in more if one.kind == "recognizer"] == ["pool-1", "pool-2", "pool-3"]
    assert [one.name for one in with_workers([], 1, key="pool")] == ["pool"]
    with pytest.raises(ConfigError, match="--count 0: from 1 to 256 are valid"):
        with_workers(every, 0, key="pool")
    both = processes(a_placed_site(spare={"host": "cellar"}), cores=2)
    with pytest.raises(ConfigError, match="there are pool and spare; say which one with --only NAME"):
        with_workers(both, 2, key="pool")
