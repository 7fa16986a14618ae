"""The cluster's files against Kubernetes' own schemas, and against one another."""

from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.support.processes import ROOT
from turnstile.io.site.file import load
from turnstile.protocol.roles import WEB
from turnstile.site.settings import Site

FOLDER = ROOT / "deploy" / "kubernetes"
VERSION = "1.37"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())

Resource = dict[str, Any]


def resources() -> Iterator[Resource]:
    """Give every resource that kustomize would apply."""
    for name in KUSTOMIZATION["resources"]:
        yield from yaml.safe_load_all((FOLDER / name).read_text())


ALL = list(resources())
WORKLOADS = [one for one in ALL if one["kind"] in {"StatefulSet", "Deployment"}]


def title(resource: Resource) -> str:
    """Return what a resource is called."""
    return f"{resource['kind']} {resource['metadata']['name']}"


def pod(workload: Resource) -> Any:
    """Return what a workload runs."""
    return workload["spec"]["template"]["spec"]


def containers(workload: Resource) -> list[Any]:
    """Return its containers, those included that run before."""
    return [*pod(workload).get("initContainers", ()), *pod(workload)["containers"]]


@pytest.fixture(scope="module")
def site() -> Site:
    """Give the site of the cluster."""
    return load(FOLDER / "site.yaml")


@pytest.mark.parametrize("resource", ALL, ids=title)
def test_kubernetes_would_take_it(resource: Resource) -> None:
    """No unknown field, no wrong type."""
    kubernetes_validate.validate(resource, VERSION, strict=True)


def test_the_schemas_would_notice_a_mistake() -> None:
    """A field that is misspelt."""
    wrong = yaml.safe_load((FOLDER / "camera.yaml").read_text())
    wrong["spec"]["replica"] = wrong["spec"].pop("replicas")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSION, strict=True)


@pytest.mark.parametrize("workload", WORKLOADS, ids=title)
def test_every_pod_is_held_short(workload: Resource) -> None:
    """As the namespace's standard, `restricted`, wants it, and a bit shorter."""
    context = pod(workload)["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod(workload)["automountServiceAccountToken"] is False
    for container in containers(workload):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("workload", WORKLOADS, ids=title)
def test_every_container_mounts_what_there_is_and_is_watched(workload: Resource) -> None:
    """By its pulse or by /healthz, so that one that hangs is started again."""
    claims = workload["spec"].get("volumeClaimTemplates", ())
    volumes = {one["name"] for one in pod(workload)["volumes"]} | {one["metadata"]["name"] for one in claims}
    for container in containers(workload):
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
    for container in pod(workload)["containers"]:
        assert "livenessProbe" in container
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert workload["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_nodes_of_the_site_run_with_bundles_of_their_own(site: Site) -> None:
    """Each under its name in the site file."""
    started = {
        container["command"][-1]: container["env"][0]["value"]
        for workload in WORKLOADS
        for container in pod(workload)["containers"]
        if container.get("command", [""])[0] == "from-bundle"
    }
    names = {*site.cameras, *site.recognizers, *site.loggers, WEB}
    assert started == {name: f"/run/bundle/{name}.bundle" for name in names}


def test_probes_ask_what_the_broker_answers(site: Site) -> None:
    """On the port that it listens on; and nodes reach it even when it is not ready."""
    (broker,) = (one for one in WORKLOADS if title(one) == "StatefulSet broker")
    (container,) = pod(broker)["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert site.metrics is not None
    assert site.metrics.listen.endswith(f":{ports['metrics']}")
    assert site.broker.ingress == f"tcp://broker:{ports['ingress']}"
    assert site.broker.egress == f"tcp://broker:{ports['egress']}"
    probes = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    assert {kind: probe["path"] for kind, probe in probes.items()} == {
        "startup": "/healthz",
        "liveness": "/healthz",
        "readiness": "/readyz",
    }
    assert {probe["port"] for probe in probes.values()} == {"metrics"}
    (service,) = (one for one in ALL if title(one) == "Service broker")
    assert service["spec"]["publishNotReadyAddresses"] is True


def test_the_pages_have_a_certificate_before_they_start(site: Site) -> None:
    """Made into the volume that the node reads it from, for the port that the service leads to."""
    (web,) = (one for one in WORKLOADS if title(one) == "StatefulSet web")
    (before,) = pod(web)["initContainers"]
    (container,) = pod(web)["containers"]
    assert site.web is not None
    assert site.web.tls is not None
    assert "turnstile web cert" in before["command"][-1]
    (port,) = container["ports"]
    assert site.web.listen == f"0.0.0.0:{port['containerPort']}"
    folders = [one["mountPath"] for one in container["volumeMounts"] if one["name"] == "accounts"]
    assert folders == [site.web.folder]
    assert site.web.tls.key.startswith(f"{site.web.folder}/tls/")


def test_recognizers_are_scaled_by_the_metric_that_the_adapter_makes() -> None:
    """And nobody says how many there are besides."""
    (scaler,) = (one for one in ALL if one["kind"] == "HorizontalPodAutoscaler")
    (metric,) = scaler["spec"]["metrics"]
    adapter = yaml.safe_load((FOLDER / "prometheus-adapter.yaml").read_text())
    (rule,) = adapter["rules"]["external"]
    assert metric["external"]["metric"]["name"] == rule["name"]["as"] == "turnstile_queue_age_seconds"
    target = scaler["spec"]["scaleTargetRef"]
    (scaled,) = (one for one in WORKLOADS if title(one) == f"{target['kind']} {target['name']}")
    assert "replicas" not in scaled["spec"]
