"""Every metric that dashboard, alerts and scaling ask for is one that a running broker has."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import promql_parser as promql
import pytest
import yaml
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.support.builders import a_beat
from tests.support.monitored import MonitoredSite
from tests.support.processes import ROOT

DEPLOY = ROOT / "deploy"
OF_PROMETHEUS = {"up"}
"""What Prometheus itself makes."""

ADDED_BY_PROMETHEUS = {"job", "instance", "le", "namespace"}


def dashboard() -> Iterator[str]:
    """Give the queries of the dashboard, its variables filled in."""
    document = json.loads((DEPLOY / "grafana/turnstile.json").read_text())
    for panel in document["panels"]:
        for target in panel["targets"]:
            yield target["expr"].replace("$camera", ".*")


def alerts() -> Iterator[str]:
    """Give the conditions of the alerts."""
    for group in yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]


def scaling() -> Iterator[str]:
    """Give what recognizers are scaled by."""
    document = yaml.safe_load((DEPLOY / "kubernetes/prometheus-adapter.yaml").read_text())
    for rule in document["rules"]["external"]:
        yield rule["seriesQuery"]
        yield rule["metricsQuery"].replace("<<.LabelMatchers>>", 'namespace="turnstile"')


QUERIES = [*dashboard(), *alerts(), *scaling()]


def selectors(query: str) -> list[promql.VectorSelector]:
    """Return what a query selects; it must be one that Prometheus understands."""
    found: list[promql.VectorSelector] = []

    def look(part: promql.Expr) -> bool:
        if isinstance(part, promql.MatrixSelector):
            found.append(part.vector_selector)
        if isinstance(part, promql.VectorSelector):
            found.append(part)
        return True

    promql.walk(promql.parse(query), look)
    return found


def names_of(family: Metric) -> list[str]:
    """Return what the samples of a metric are called, whether there are any yet."""
    endings = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
    return [family.name + ending for ending in endings.get(family.type, [""])]


@pytest.mark.system
def test_every_query_finds_what_it_asks_for(folder: Path) -> None:
    """By name, and by labels where there are samples: after one decision, and one frame really recognized."""
    with MonitoredSite(folder) as site:
        site.decide_once()
        site.beat(a_beat(uptime_s=0.0))
        site.programs.start("recognizer_node.py", "--config", str(site.file))
        site.let_recognize()
        _, text = site.get("/metrics")
    families = list(text_string_to_metric_families(text))
    there = {name: family.samples for family in families for name in names_of(family)}
    for query in QUERIES:
        for asked in selectors(query):
            if asked.name in OF_PROMETHEUS:
                continue
            assert asked.name in there, query
            labels = [sample.labels for sample in there[asked.name] if sample.name == asked.name]
            for one in asked.matchers.matchers:
                if labels and one.name not in ADDED_BY_PROMETHEUS:
                    values = {found.get(one.name, "") for found in labels}
                    assert any(re.fullmatch(one.value, value) for value in values), query


def test_there_are_queries_to_look_at() -> None:
    """Of a dashboard, alerts and scaling; a walk that finds nothing would prove nothing."""
    assert len(QUERIES) > 30
    assert all(selectors(query) for query in QUERIES)
    assert {one.name for one in selectors("rate(a[1m]) / sum by (x) (b > bool 0)")} == {"a", "b"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize(
    "check", [("check", "config", "prometheus.yaml"), ("test", "rules", "alerts.test.yaml")], ids=" ".join
)
def test_prometheus_finds_no_fault(check: tuple[str, ...]) -> None:
    """With what is scraped, and with which alerts come when."""
    done = subprocess.run(["promtool", *check], check=False, cwd=DEPLOY, capture_output=True, text=True)  # noqa: S607 - wherever it is
    assert done.returncode == 0, done.stdout + done.stderr
