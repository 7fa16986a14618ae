"""What `turnstile up` starts on which machine, and what it refuses."""

from pathlib import Path

import pytest

from tests.support.builders import write_site
from turnstile.commands.cli import main
from turnstile.errors import ConfigError
from turnstile.io.site.file import load
from turnstile.io.site.machine import cores
from turnstile.io.supervise.plan import check_keys, plan_for
from turnstile.site.plan import worker_names
from turnstile.site.settings import Site

ELSEWHERE = "192.0.2.99"
"""An address of documentation, nobody's."""


def a_placed_site(folder: Path, *, here: str = "127.0.0.1") -> Site:
    """Return a site of two hosts; `here` is the address of the one with the broker."""
    file = folder / "site.yaml"
    file.write_text(
        "site: test\n"
        f"hosts: {{gate: {{address: {here}}}, cellar: {{address: {ELSEWHERE}}}}}\n"
        "broker: {host: gate, ingress: 'ipc://in', egress: 'ipc://out'}\n"
        "cameras: {door: {source: 0, host: gate}}\n"
        "recognizers: {pool: {host: cellar, count: auto}, spare: {host: cellar, count: 2}}\n"
        "loggers: {log: {host: gate}}\n"
    )
    return load(file)


def names(site: Site, **asked: object) -> list[str]:
    """Return what is to run here."""
    return [one.name for one in plan_for(site, **asked).processes]  # type: ignore[arg-type]  # as on a command line


def test_a_site_without_hosts_runs_here(folder: Path) -> None:
    """All of it."""
    site = load(write_site(folder, "recognizers: {pool: {count: 2}}", "loggers: {log: {}}"))
    assert names(site) == ["broker", "log", "pool-1", "pool-2", "front_door"]


def test_the_host_is_found_by_address_or_named(folder: Path) -> None:
    """Its own nodes are started, and no others."""
    site = a_placed_site(folder)
    assert names(site) == ["broker", "log", "door"]
    pool = worker_names("pool", cores())
    assert names(site, host="cellar") == [*pool, "spare-1", "spare-2"]


def test_a_machine_that_is_no_host_is_told_so(folder: Path) -> None:
    """It may only add recognizers, called after it."""
    site = a_placed_site(folder, here=ELSEWHERE)
    with pytest.raises(ConfigError, match=r"none of them by name or address; there are: gate, cellar"):
        plan_for(site)
    workers = names(site, only=["recognizers"], count=2)
    assert all(name.startswith("recognizer-") for name in workers)
    assert [name[-2:] for name in workers] == ["-1", "-2"]


def test_only_some_can_be_started(folder: Path) -> None:
    """By section, by entry or by name."""
    site = load(write_site(folder, "recognizers: {pool: {count: 2}, spare: {}}", "loggers: {log: {}}"))
    assert names(site, only=["recognizers"]) == ["pool-1", "pool-2", "spare"]
    assert names(site, only=["broker", "pool-2"]) == ["broker", "pool-2"]
    assert names(site, only=["pool"], count=3) == ["pool-1", "pool-2", "pool-3"]
    assert names(site, only=["spare"], count=1) == ["spare"]
    with pytest.raises(ConfigError, match="--only camera: valid are broker, loggers, webhooks, recognizers"):
        plan_for(site, only=["camera"])
    with pytest.raises(ConfigError, match="--count: there are pool and spare"):
        plan_for(site, only=["recognizers"], count=3)
    with pytest.raises(ConfigError, match="nothing that was asked for"):
        plan_for(site, only=["displays"])
    with pytest.raises(ConfigError, match="--count 0: from 1"):
        plan_for(site, only=["spare"], count=0)
    with pytest.raises(ConfigError, match="--host x: the site names no hosts"):
        plan_for(site, host="x")


def test_webhooks_run_beside_the_broker(folder: Path) -> None:
    """They have no place of their own in the site file; their keys are loggers'."""
    hook = "webhooks: {bell: {url: 'https://example.org/', secret_file: s, state_file: t}}"
    site = load(write_site(folder, hook, "recognizers: {pool: {}}"))
    assert names(site, webhooks=True) == ["broker", "pool", "front_door", "bell"]
    assert names(site, only=["webhooks"], webhooks=True) == ["bell"]
    assert names(site) == ["broker", "pool", "front_door"]
    assert str(plan_for(site, only=["bell"], webhooks=True).processes[0].identity) == "logger:bell"


def test_with_a_bundle_only_what_it_has_keys_for_is_started(folder: Path) -> None:
    """The bundle's part of the site file still tells of the broker and of other cameras."""
    home, there = folder / "home", folder / "there"
    home.mkdir()
    (home / "site.yaml").write_text(
        "site: test\n"
        "broker: {ingress: 'tcp://192.0.2.1:5755', egress: 'tcp://192.0.2.1:5756'}\n"
        "keys: {folder: keys}\n"
        "cameras: {door: {source: 0}, back: {source: 1}}\n"
    )
    file = str(home / "site.yaml")
    main(["keys", "init", "--config", file])
    main(["keys", "add", "lab", "--role", "recognizer", "--config", file])
    for name in ("door", "lab"):
        main(["keys", "bundle", name, "--config", file, "--to", str(folder / f"{name}.bundle")])
        main(["keys", "unpack", str(folder / f"{name}.bundle"), "--into", str(there / name)])
    plan = plan_for(load(there / "door" / "site.yaml"))
    assert ([one.name for one in plan.processes], plan.left_out) == (["door"], ["broker", "back"])
    lab = load(there / "lab" / "site.yaml")
    assert names(lab, only=["recognizers"], count=3) == ["lab-1", "lab-2", "lab-3"]
    assert names(load(home / "site.yaml")) == ["broker", "door", "back"]


def test_a_missing_key_is_refused_before_anything_starts(folder: Path) -> None:
    """With the sentence that makes it."""
    site = load(write_site(folder, "keys: {folder: keys}"))
    (folder / "keys").mkdir(mode=0o700)
    with pytest.raises(ConfigError, match="has no broker's key"):
        check_keys(site, plan_for(a_placed_site(folder)).processes)
    main(["keys", "init", "--config", str(folder / "site.yaml"), "--folder", str(folder / "keys")])
    with pytest.raises(ConfigError, match="nothing that was asked for runs here"):
        plan_for(load(write_site(folder, "keys: {folder: other}")))
