"""What a unit may do, by the role of its node."""

from typing import Any

import pytest

from turnstile.errors import ConfigError
from turnstile.site.document import build
from turnstile.site.plan import processes
from turnstile.site.settings import Site
from turnstile.site.systemd import Machine, units

MACHINE = Machine(
    python="/opt/turnstile/.venv/bin/python",
    programs="/opt/turnstile",
    site_file="/etc/turnstile/site.yaml",
    user="turnstile",
    systemd=252,
)


def a_site(**sections: Any) -> Site:
    """Return a site with one node of each kind, its paths absolute."""
    document = {
        "site": "office",
        "broker": {"journal": "/var/lib/turnstile/journal.db"},
        "gallery": {"faces": "/srv/faces", "cache": "/var/cache/encodings"},
        "cameras": {"door": {"source": 0}},
        "recognizers": {"pool": {"count": 2}},
        "loggers": {"log": {"file": "/var/log/access/log.txt"}},
        "displays": {"porter": {}},
        "decision": {"rules": "/srv/rules.yaml"},
    }
    return build(document | sections)


def files(site: Site, machine: Machine = MACHINE) -> dict[str, str]:
    """Return the files of a machine that runs all of a site."""
    return units(site, processes(site, cores=2), machine)


def unit(name: str, site: Site | None = None, machine: Machine = MACHINE) -> list[str]:
    """Return the lines of a unit of the system's."""
    return files(site or a_site(), machine)[f"systemd/system/turnstile{name}"].splitlines()


def values(key: str, lines: list[str]) -> list[str]:
    """Return what a key is set to, in order."""
    return [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]


def test_a_node_writes_only_where_it_must() -> None:
    """The broker its journal and its encodings, the logger its log, a recognizer and a camera nowhere."""
    folders = {name: values("ReadWritePaths", unit(name)) for name in SERVICES}
    assert folders == {
        "-broker.service": ["/var/cache/encodings", "/var/lib/turnstile"],
        "-logger-log.service": ["/var/log/access"],
        "-recognizer@.service": [],
        "-capture-door.service": [],
    }
    made = files(a_site())["tmpfiles.d/turnstile.conf"]
    assert "d /var/log/access :0700 :turnstile :turnstile -\n" in made
    assert all(values("ProtectSystem", unit(name)) == ["strict"] for name in SERVICES)


SERVICES = ("-broker.service", "-logger-log.service", "-recognizer@.service", "-capture-door.service")


@pytest.mark.parametrize("name", SERVICES)
def test_every_node_is_held_short(name: str) -> None:
    """Its own user, no privilege, a bound on memory, and a watchdog fed by its loop."""
    lines = unit(name)
    assert {
        "Type=notify",
        "WatchdogSec=30",
        "User=turnstile",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "PrivateTmp=yes",
        "ProtectHome=yes",
        "LimitCORE=0",
        "Restart=on-failure",
        "RestartPreventExitStatus=69 78",
    } <= set(lines)
    assert len(values("MemoryMax", lines)) == 1


def test_only_a_webcam_gets_a_device() -> None:
    """A camera at an address sees none."""
    webcam = unit("-capture-door.service")
    assert values("DeviceAllow", webcam) == ["char-video4linux rw"]
    assert values("PrivateDevices", webcam) == []
    site = a_site(cameras={"door": {"source": "rtsp://192.0.2.1/x"}})
    assert values("DeviceAllow", unit("-capture-door.service", site)) == []
    assert values("PrivateDevices", unit("-capture-door.service", site)) == ["yes"]


def test_nodes_start_after_those_they_need_and_stop_before_them() -> None:
    """They stop in the opposite order; the target takes all of them with it."""
    (after,) = values("After", unit("-capture-door.service"))
    assert after.split()[1:] == [
        "turnstile-broker.service",
        "turnstile-logger-log.service",
        "turnstile-recognizer@pool-1.service",
        "turnstile-recognizer@pool-2.service",
    ]
    assert values("Wants", unit(".target")) == [*after.split()[1:], "turnstile-capture-door.service"]
    assert values("PartOf", unit("-broker.service")) == ["turnstile.target"]


def test_recognizers_are_instances_of_one_template() -> None:
    """So that one more can be started by its name."""
    (command,) = values("ExecStart", unit("-recognizer@.service"))
    assert command.endswith("recognizer_node.py --config /etc/turnstile/site.yaml --name %i")


def test_a_display_belongs_to_a_session() -> None:
    """It needs somebody's screen; a machine with nothing else has no service of the system's."""
    site = a_site()
    only = [one for one in processes(site, cores=1) if one.kind == "display"]
    made = units(site, only, MACHINE)
    assert list(made) == ["systemd/user/turnstile-display-porter.service"]
    (text,) = made.values()
    assert "User=" not in text
    assert "WantedBy=graphical-session.target" in text


def test_webhooks_run_beside_the_broker() -> None:
    """They write how far they came."""
    hooks = {"hook": {"url": "http://x/", "secret_file": "/etc/s", "state_file": "/var/lib/hook/state"}}
    site = a_site(webhooks=hooks)
    assert values("ReadWritePaths", unit("-webhook-hook.service", site)) == ["/var/lib/hook"]
    elsewhere = [one for one in processes(site, cores=1) if one.kind != "broker"]
    assert not [name for name in units(site, elsewhere, MACHINE) if "webhook" in name]


def test_the_web_node_writes_accounts_and_reads_its_certificate() -> None:
    """It is a command, not a program of its own."""
    tls = {"certificate": "/home/tls/server.pem", "key": "/home/tls/server.key"}
    lines = unit("-web.service", a_site(web={"folder": "/var/lib/turnstile/web", "tls": tls}))
    assert values("ExecStart", lines) == [
        "/opt/turnstile/.venv/bin/python -m turnstile web --config /etc/turnstile/site.yaml"
    ]
    assert values("ReadWritePaths", lines) == ["/var/lib/turnstile/web"]
    assert values("ProtectHome", lines) == ["read-only"]
    assert "turnstile-broker.service" in values("After", lines)[0]


def test_the_broker_of_a_site_with_pages_writes_what_is_enrolled_there() -> None:
    """Or nobody could be enrolled in a browser."""
    assert values("ReadWritePaths", unit("-broker.service", a_site(web={}))) == [
        "/var/cache/encodings",
        "/srv/faces",
        "/srv/faces.anchors",
        "/var/lib/turnstile",
    ]


def test_what_a_site_puts_into_homes_and_tmp_stays_in_reach() -> None:
    """Read-only, or as it is: a private /tmp would hide it."""
    machine = Machine(
        python="/home/ann/.venv/bin/python",
        programs="/opt/turnstile",
        site_file="/tmp/site.yaml",  # noqa: S108 - that is the case
        user="ann",
    )
    lines = unit("-logger-log.service", machine=machine)
    assert values("ProtectHome", lines) == ["read-only"]
    assert values("PrivateTmp", lines) == ["no"]


def test_later_and_later_where_systemd_can() -> None:
    """Older ones would only warn of words they do not know."""
    newer = Machine(**{**vars(MACHINE), "systemd": 254})
    assert values("RestartMaxDelaySec", unit("-broker.service", machine=newer)) == ["60"]
    assert values("RestartMaxDelaySec", unit("-broker.service")) == []


def test_odd_paths_are_quoted() -> None:
    """Spaces, per cent, dollars and quotes mean nothing to systemd."""
    site = a_site(loggers={"log": {"file": '/srv/50% of "it" $HOME/log.txt'}})
    assert values("ReadWritePaths", unit("-logger-log.service", site)) == ['"/srv/50%% of \\"it\\" $$HOME"']
    assert 'd "/srv/50%% of \\"it\\" $HOME"' in files(site)["tmpfiles.d/turnstile.conf"]


def test_a_node_that_would_write_among_the_programs_is_refused() -> None:
    """The sentence says which, and what would do."""
    site = a_site(loggers={"log": {"file": "/opt/turnstile/access_log.txt"}})
    with pytest.raises(
        ConfigError, match=r"loggers\.log: it writes into /opt/turnstile, where the .*/opt/turnstile/var"
    ):
        files(site)


def test_a_network_in_a_home_can_be_read_by_recognizers() -> None:
    """Nobody else needs it."""
    site = a_site(decision={"liveness_network": "/home/turnstile/network.pth"})
    assert values("ProtectHome", unit("-recognizer@.service", site)) == ["read-only"]
    assert values("ProtectHome", unit("-broker.service", site)) == ["yes"]


def test_keys_in_a_home_can_be_read_there() -> None:
    """Homes are out of sight for nodes that read nothing in them."""
    site = a_site(keys={"folder": "/home/turnstile/keys"})
    assert values("ProtectHome", unit("-broker.service")) == ["yes"]
    assert values("ProtectHome", unit("-broker.service", site)) == ["read-only"]
