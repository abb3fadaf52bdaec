"""The alerts of a migration, as rules of Prometheus.

Metrics, each with the file of its source:

- KubeVirt: kubevirt_vmi_info, kubevirt_vmi_non_evictable (kubevirt/kubevirt
  pkg/monitoring/metrics/virt-controller/vmistats_collector.go, v1.3.0 to v1.9.0).
- Forklift: mtv_plan_alert_status, mtv_plans_status (kubev2v/forklift
  pkg/monitoring/metrics/forklift-controller/metrics.go; the first since v2.11.0).
- kube-state-metrics: kube_job_failed, kube_job_info, kube_pod_status_ready, kube_pod_status_phase, kube_resourcequota
  (kubernetes/kube-state-metrics docs/metrics/workload and docs/metrics/policy, all stable).

None of them knows groups and phases. `backends.monitoring` records these as series (vmferry:…), so that an alert is
written once, however many VMs there are, and a VM that is in no metric is found as well.
"""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

INFO_VM, INFO_PLAN, INFO_JOB = "vmferry:vm:info", "vmferry:plan:info", "vmferry:job:info"
QUOTA_RATIO = "vmferry:namespace:quota_ratio"

Rule = dict[str, Any]
"""A rule as it stands in a PrometheusRule."""


class Alert(NamedTuple):
    """An alert: when it fires, after how long, and what to do. MIGRATION in ``expr`` is the migration's matcher."""

    name: str
    severity: Literal["warning", "critical"]
    expr: str
    lasting: str
    summary: str
    next: str  # the step of the runbook


_OF_GROUP = "group {{ $labels.group }}, {{ $labels.stage }}"
_VM = "VM {{ $labels.name }} in namespace {{ $labels.namespace }}"

PLAN_FAILED = Alert(
    "VmferryPlanFailed",
    "critical",
    f'{INFO_PLAN}{{MIGRATION}} and on (plan_name) mtv_plan_alert_status{{status="Failed"}} == 1',
    "1m",
    "Forklift's Plan {{ $labels.plan_name }} has failed",
    "`vmferry observe` names the cause and what to do; the next attempt is a higher `attempt` of the group",
)
"""Forklift deletes the series once the Plan runs again (plan_metrics.go)."""

ALERTS = (
    Alert(
        "VmferryConversionFailed",
        "critical",
        f'{INFO_JOB}{{MIGRATION}} and on (namespace, job_name) kube_job_failed{{condition="true"}} == 1',
        "1m",
        "conversion Job {{ $labels.job_name }} in namespace {{ $labels.namespace }} has failed",
        "`vmferry observe` names the cause and what to do; the next attempt is a higher `attempt` of the group",
    ),
    Alert(
        "VmferryVMNotRunning",
        "critical",
        # Forklift makes a warm VM at the end of its cutover, so until it is adopted only one that exists can be down.
        f'{INFO_VM}{{MIGRATION,expected="now"}} unless on (namespace, name) kubevirt_vmi_info{{phase="running"}}\n'
        f'or\n{INFO_VM}{{MIGRATION,expected="once made"}} and on (namespace, name) kubevirt_vmi_info\n'
        '  unless on (namespace, name) kubevirt_vmi_info{phase="running"}',
        "10m",
        f"{_VM} does not run",
        "`kubectl describe vm` has the reason; `vmferry explain VM --rollback` has the way back",
    ),
    Alert(
        "VmferryVMNotReady",
        "warning",
        f'{INFO_VM}{{MIGRATION,expected!="no"}} and on (namespace, launcher) label_replace(\n'
        '  kube_pod_status_ready{condition="true",pod=~"virt-launcher-.+"} == 0\n'
        '    and on (namespace, pod) kube_pod_status_phase{phase="Running"} == 1,\n'
        '  "launcher", "$1", "pod", "(virt-launcher-.+)[a-z0-9]{5}"\n)',
        "15m",
        f"{_VM} runs, and its pod is not ready: a readiness probe fails, or a container of its pod does not start",
        "`kubectl describe pod` has the probe's answer; test the application",
    ),
    Alert(
        "VmferryVMCannotBeEvicted",
        "warning",
        f"{INFO_VM}{{MIGRATION}} and on (namespace, name) kubevirt_vmi_non_evictable == 1",
        "10m",
        f"{_VM} cannot be live-migrated, and blocks the drain of its node",
        "the condition LiveMigratable of its VirtualMachineInstance has the reason; shut it down before its node is "
        "maintained",
    ),
    Alert(
        "VmferryQuotaNearlyFull",
        "warning",
        '(\n  kube_resourcequota{resourcequota="vmferry",type="used"}\n'
        '    / ignoring (type) (kube_resourcequota{resourcequota="vmferry",type="hard"} > 0)\n'
        f") >= on (namespace) group_left (migration) {QUOTA_RATIO}{{MIGRATION}}",
        "15m",
        "{{ $value | humanizePercentage }} of {{ $labels.resource }} in namespace {{ $labels.namespace }} are used",
        "raise `quota` of the namespace in the spec before the next VM starts there, or live-migrates",
    ),
)

_SOURCES = (
    ("KubeVirt", INFO_VM, "kubevirt_vmi_info"),
    ("kube-state-metrics", INFO_JOB, "kube_job_info"),
    ("kube-state-metrics", QUOTA_RATIO, "kube_resourcequota"),
)
_FORKLIFT = ("Forklift", INFO_PLAN, "mtv_plans_status")
"""Who exports what an alert needs, and the series without which nothing would need it."""


def alerts(migration: str, *, plans: bool) -> Iterator[Rule]:
    """Yield all alerts of a migration; ``plans``: Forklift is recent enough to name failed Plans."""
    for alert in (PLAN_FAILED, *ALERTS) if plans else ALERTS:
        yield rule(migration, alert, alert.expr, "")
    for source, info, metric in (_FORKLIFT, *_SOURCES) if plans else _SOURCES:
        yield rule(migration, missing(source, metric), f"absent({metric}) and on () {info}{{MIGRATION}}", source)


def missing(source: str, metric: str) -> Alert:
    """Return the alert that nobody exports a metric."""
    return Alert(
        "VmferryMetricsMissing",
        "warning",
        metric,
        "30m",
        f"Prometheus has no {metric} of {source}: alerts of migration {{{{ $labels.migration }}}} cannot fire",
        f"let Prometheus scrape {source} (docs/monitoring.md)",
    )


def rule(migration: str, alert: Alert, expr: str, source: str) -> Rule:
    """Return an alert of a migration as a rule; ``source`` is whose metrics are missing, if it is about that."""
    of = "the migration" if source or "namespace:" in expr else _OF_GROUP
    return {
        "alert": alert.name,
        "expr": expr.replace("MIGRATION", f'migration="{migration}"'),
        "for": alert.lasting,
        "labels": {"severity": alert.severity, "migration": migration} | ({"exporter": source} if source else {}),
        "annotations": {
            "summary": f"{alert.summary} ({of})",
            "runbook_step": alert.next,
        }
        | ({} if of != _OF_GROUP else {"group": "{{ $labels.group }}", "phase": "{{ $labels.phase }}"}),
    }
