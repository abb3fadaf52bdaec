"""Dashboards of Grafana, one per phase: what its VMs do, beside what they did in vSphere.

They show the series that `backends.performance` records, and find VMs with variables: a dashboard is as large for a
thousand VMs as for one. Grafana's sidecar (kiwigrid/k8s-sidecar) loads ConfigMaps by label; their JSON is that of
grafana/grafana-foundation-sdk jsonschema/dashboard.jsonschema.json, schemaVersion 39: Grafana 10.4 and later load it.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from vmferry.backends.alerts import INFO_VM
from vmferry.backends.metadata import head
from vmferry.backends.performance import LEAST, MOST, NOW, WAS
from vmferry.kube import kinds
from vmferry.kube.dns import fit
from vmferry.model.blueprint import Blueprint, PhasePlan
from vmferry.model.manifest import Item, Resource

DIRECTORY = "infra/dashboards"
LABELS = {"grafana_dashboard": "1"}
"""What Grafana's sidecar looks for, unless someone configured another label: kube-prometheus-stack values.yaml."""
_SCHEMA_VERSION = 39
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH, _HEIGHT = 12, 8  # of a panel; a dashboard is 24 wide

Json = dict[str, Any]


class _Chart(NamedTuple):
    """A chart of one measure, with the series that it has lines of."""

    title: str
    measure: str
    unit: str
    series: tuple[str, ...] = (NOW,)
    by_disk: bool = False


_CHARTS = (
    _Chart("CPU", "cpu", "percent", (NOW, WAS, MOST, LEAST)),
    _Chart("vCPUs that wait for a CPU", "cpuWait", "percent"),
    _Chart("Latency of reads", "readLatency", "ms", (NOW, WAS, MOST), True),
    _Chart("Latency of writes", "writeLatency", "ms", (NOW, WAS, MOST), True),
    _Chart("IOPS", "iops", "iops", (NOW, WAS, LEAST), True),
    _Chart("Requests that wait", "queue", "short", (NOW,), True),
    _Chart("Throughput of disks", "throughput", "KiBs", (NOW, WAS, LEAST), True),
    _Chart("Network", "network", "KiBs", (NOW, WAS, LEAST)),
    _Chart("Packets lost", "lostPackets", "percent"),
    _Chart("Read from swap", "swapIn", "KiBs", (NOW, MOST)),
)
_WORDS = {NOW: "now", WAS: "vSphere", MOST: "at most", LEAST: "at least"}


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the ConfigMaps."""
    stated = blueprint.monitoring.dashboards
    if stated is None:
        return
    for phase in blueprint.phases:
        if not phase.compared:
            continue
        name = fit(f"{blueprint.name}-performance-{phase.name}")
        yield Resource(
            directory=DIRECTORY,
            object={
                **head(
                    kinds.CONFIG_MAP,
                    blueprint,
                    name,
                    stated.namespace,
                    labels=dict(stated.labels) or LABELS,
                    annotations=dict(stated.annotations),
                ),
                "data": {f"{name}.json": json.dumps(dashboard(blueprint, phase), indent=1) + "\n"},
            },
        )


def dashboard(blueprint: Blueprint, phase: PhasePlan) -> Json:
    """Return the dashboard of a phase."""
    of = f'{INFO_VM}{{migration="{blueprint.name}",phase="{phase.name}"'
    panels = [_slower(blueprint, phase), _count(of)]
    panels += [_chart(chart, of) for chart in _CHARTS]
    return {
        "uid": hashlib.sha256(f"{blueprint.name}/{phase.name}".encode()).hexdigest()[:16],
        "title": f"Migration {blueprint.name}: phase {phase.name} beside vSphere",
        "tags": ["vmferry", blueprint.name],
        "schemaVersion": _SCHEMA_VERSION,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "5m",
        "time": {"from": "now-2d", "to": "now"},
        "annotations": {"list": []},
        "templating": {"list": list(_variables(of))},
        "panels": list(_placed(panels)),
    }


def _variables(of: str) -> Iterator[Json]:
    yield {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus"}
    for name, label, within in (
        ("group", "Group", ""),
        ("namespace", "Namespace", ',group=~"$group"'),
        ("name", "VM", ',group=~"$group",namespace=~"$namespace"'),
    ):
        yield {
            "type": "query",
            "name": name,
            "label": label,
            "datasource": _SOURCE,
            "query": f"label_values({of}{within}}},{name})",
            "refresh": 2,
            "includeAll": True,
            "multi": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
            "sort": 1,
        }


_SELECTED = 'group=~"$group",namespace=~"$namespace",name=~"$name"'


def _slower(blueprint: Blueprint, phase: PhasePlan) -> Json:
    alerts = "Vmferry(Disk|Cpu|Memory|Network).+"
    expr = (
        f'ALERTS{{migration="{blueprint.name}",phase="{phase.name}",alertstate="firing",alertname=~"{alerts}",'
        f"{_SELECTED}}}"
    )
    hidden = ("Time", "Value", "__name__", "alertstate", "migration", "phase", "severity")
    return {
        "type": "table",
        "title": "Slower than in vSphere",
        "datasource": _SOURCE,
        "targets": [{"refId": "A", "expr": expr, "format": "table", "instant": True}],
        "fieldConfig": {"defaults": {}, "overrides": []},
        "options": {"frameIndex": 0, "showHeader": True},
        "transformations": [{"id": "organize", "options": {"excludeByName": dict.fromkeys(hidden, True)}}],
    }


def _count(of: str) -> Json:
    vms = f"{of},{_SELECTED}}}"
    return {
        "type": "stat",
        "title": "VMs of this phase that run, and those that are compared",
        "datasource": _SOURCE,
        "targets": [
            {"refId": "A", "expr": f"count({vms}) or vector(0)", "legendFormat": "run", "instant": True},
            {
                "refId": "B",
                "expr": f'count({vms} and on (namespace, name) {WAS}{{measure="vcpus"}}) or vector(0)',
                "legendFormat": "are compared",
                "instant": True,
            },
        ],
        "fieldConfig": {"defaults": {"unit": "short"}, "overrides": []},
        "options": {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "textMode": "value_and_name",
            "graphMode": "none",
            "colorMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "wideLayout": True,
            "showPercentChange": False,
            "percentChangeColorMode": "standard",
        },
    }


def _chart(chart: _Chart, of: str) -> Json:
    """Return a chart of what VMs do, with what they did in vSphere as a dashed line, and bounds as dotted ones."""
    labels = f'measure="{chart.measure}",namespace=~"$namespace",name=~"$name"'
    within = f"{{{labels}}} and on (namespace, name) {of},{_SELECTED}}}"
    vm = "{{namespace}}/{{name}}" + (" {{drive}}" if chart.by_disk else "")
    return {
        "type": "timeseries",
        "title": chart.title,
        "datasource": _SOURCE,
        "targets": [
            {"refId": chr(ord("A") + index), "expr": f"{name}{within}", "legendFormat": f"{vm} {_WORDS[name]}"}
            for index, name in enumerate(chart.series)
        ],
        "fieldConfig": {
            "defaults": {"unit": chart.unit, "min": 0, "custom": {"lineWidth": 1, "fillOpacity": 0}},
            "overrides": [_line(_WORDS[name], dash) for name, dash in _DASHES.items() if name in chart.series],
        },
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }


_DASHES = {WAS: [10, 5], MOST: [2, 4], LEAST: [2, 4]}


def _line(ending: str, dash: list[int]) -> Json:
    """Return how series are drawn whose name ends so."""
    return {
        "matcher": {"id": "byRegexp", "options": f".* {ending}$"},
        "properties": [{"id": "custom.lineStyle", "value": {"fill": "dash", "dash": dash}}],
    }


def _placed(panels: list[Json]) -> Iterator[Json]:
    """Yield the panels with their numbers and places, two in a row."""
    for index, panel in enumerate(panels):
        place = {"x": index % 2 * _WIDTH, "y": index // 2 * _HEIGHT, "w": _WIDTH, "h": _HEIGHT}
        yield {"id": index + 1, **panel, "gridPos": place}
