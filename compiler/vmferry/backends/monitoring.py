"""Monitoring: alerts of the migration as PrometheusRules, and Flux' Alert for failed syncs.

Each is a root of its own that no other root waits for: a cluster without the Prometheus Operator, or without Flux'
notification controller, keeps no VM from being synced.
"""

import re
from collections.abc import Iterator
from typing import Any

from vmferry.backends.alerts import INFO_JOB, INFO_PLAN, INFO_VM, QUOTA_RATIO, Rule, alerts
from vmferry.backends.metadata import MIGRATION_LABEL, head
from vmferry.backends.places import lock
from vmferry.backends.virt_v2v import job_name
from vmferry.estate.methods import METHODS
from vmferry.estate.stages import STAGES
from vmferry.kube import kinds, versions
from vmferry.kube.kinds import Kind
from vmferry.layout.names import file_of
from vmferry.model.blueprint import QUOTA_STATED, Blueprint, Group, Machine, NamespacePlan
from vmferry.model.manifest import Item, KubeObject, Resource
from vmferry.model.spec import PrometheusRules, Stage

ALERTS = "infra/alerts"
NOTIFICATIONS = "infra/notifications"
GROUPS_OF_ROOT = 200
WATCHED: tuple[Stage, ...] = ("migrating", "cutover", "adopted", "validated")
"""Stages at which there is something of a group to alert on, and the migration answers for it."""
assert set(WATCHED) < set(STAGES)  # noqa: S101


def root_of(group: Group) -> str:
    """Return the root with the rules of a group, which it shares with others of its phase.

    Groups are numbered in their phase: by the number, a root never holds too many, and no group ever changes its root.
    """
    number = re.fullmatch(rf"{re.escape(group.phase)}-([0-9]+)", group.name)  # others were split off, by hand
    part = int(number[1]) // GROUPS_OF_ROOT if number else 0
    return f"infra/monitoring/{group.phase}" + (f".{part}" if part else "")


def watched(group: Group) -> bool:
    """Return whether there is anything of a group to alert on."""
    return group.stage in WATCHED and not group.graduated and any(_recorded(group))


def namespaces_of(blueprint: Blueprint) -> dict[str, tuple[Kind, ...]]:
    """Return the namespaces of alerts and dashboards, which exist already, and the kinds that are put there."""
    found: dict[str, tuple[Kind, ...]] = {}
    if (rules := blueprint.monitoring.prometheus_rules) is not None:
        found[rules.namespace] = (kinds.PROMETHEUS_RULE,)
    if (dashboards := blueprint.monitoring.dashboards) is not None:
        found[dashboards.namespace] = (*found.get(dashboards.namespace, ()), kinds.CONFIG_MAP)
    return found


def notifies(blueprint: Blueprint) -> bool:
    """Return whether there is an Alert of Flux'."""
    notifications = blueprint.gitops.notifications
    return blueprint.gitops.engine == "flux" and notifications is not None and notifications.flux is not None


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the alerts, the rules of each watched group, and the Alert of Flux'."""
    rules = blueprint.monitoring.prometheus_rules
    if rules is not None:
        yield Resource(directory=ALERTS, object=_alerts(blueprint, rules))
        for group in filter(watched, blueprint.groups):
            yield Resource(
                directory=root_of(group),
                object=_of_group(blueprint, rules, group),
                lock=lock(group),
                file=file_of(group.name),
                listed=group.phase,
            )
    if notifies(blueprint):
        yield Resource(directory=NOTIFICATIONS, object=_notification(blueprint))


def subscriptions(blueprint: Blueprint) -> dict[str, str]:
    """Return the annotations that subscribe to Argo CD's notifications (docs/user-guide/subscriptions.md)."""
    notifications = blueprint.gitops.notifications
    stated = notifications.argocd if notifications is not None else None
    if stated is None:
        return {}
    recipients = ";".join(stated.recipients)
    return {f"notifications.argoproj.io/subscribe.{each}.{stated.service}": recipients for each in stated.triggers}


def _alerts(blueprint: Blueprint, rules: PrometheusRules) -> KubeObject:
    """Return the alerts. Two hyphens, because what is recorded of groups is named MIGRATION-GROUP."""
    plans = versions.certain(blueprint.cluster.versions, versions.PLAN_ALERTS)
    quotas = [_quota(blueprint, rules, plan) for plan in blueprint.namespaces if plan.quota]
    groups = [{"name": "quotas", "rules": quotas}] if quotas else []
    groups.append({"name": "alerts", "rules": list(alerts(blueprint.name, plans=plans))})
    return prometheus_rule(blueprint, rules, f"{blueprint.name}--alerts", groups)


def _of_group(blueprint: Blueprint, rules: PrometheusRules, group: Group) -> KubeObject:
    """Return what Prometheus records of a group."""
    known = {"migration": blueprint.name, "phase": group.phase, "group": group.name, "stage": group.stage}
    records = [record(name, 1, labels | known) for name, labels in _recorded(group)]
    return prometheus_rule(
        blueprint, rules, f"{blueprint.name}-{group.name}", [{"name": group.name, "rules": records}], group
    )


def _recorded(group: Group) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield what is recorded of a group at its stage: its Plan, its conversion Jobs, and its VMs."""
    layers = {layer for step in group.steps for layer in step.layers}
    if "migration" in layers:
        yield INFO_PLAN, {"plan_name": group.full_name}
    for machine in group.machines:
        if "conversion" in layers and machine.clone_of is None and machine.disks:
            yield INFO_JOB, {"namespace": group.namespace, "job_name": job_name(machine, group.attempt)}
    for machine in group.machines:
        if group.running and not machine.golden and machine.path != "rebuild":
            yield (
                INFO_VM,
                {
                    "namespace": machine.namespace,
                    "name": machine.target_name,
                    "launcher": _launcher(machine),
                    "expected": _when(group, machine),
                },
            )


def _launcher(machine: Machine) -> str:
    """Return how the names of a VM's pods begin, before five random characters.

    KubeVirt asks for a name that begins so (pkg/virt-controller/services/template.go, GenerateName), and Kubernetes
    cuts that to 58 characters (apiserver pkg/storage/names/generate.go).
    """
    return f"virt-launcher-{machine.target_name}-"[:58]


def _when(group: Group, machine: Machine) -> str:
    """Return when a VM has to run."""
    if machine.run_strategy != "Always":  # the guest, or a person, may shut it down
        return "no"
    return "once made" if group.stage == "cutover" and METHODS[group.method].cutover else "now"


def _quota(blueprint: Blueprint, rules: PrometheusRules, plan: NamespacePlan) -> Rule:
    """Return the share of a quota from which on it alerts. A computed one is as large as its VMs need."""
    ratio = rules.quota_percent / 100 if plan.quota_basis == QUOTA_STATED else 1
    return record(QUOTA_RATIO, ratio, {"migration": blueprint.name, "namespace": plan.name})


def record(name: str, value: float, labels: dict[str, str]) -> Rule:
    """Return the rule that records a constant."""
    return {"record": name, "expr": f"vector({value:.10g})", "labels": labels}


def prometheus_rule(
    blueprint: Blueprint, rules: PrometheusRules, name: str, groups: list[dict[str, Any]], group: Group | None = None
) -> KubeObject:
    """Return a PrometheusRule with the labels that Prometheus selects."""
    labels = dict(rules.labels)
    return {
        **head(kinds.PROMETHEUS_RULE, blueprint, name, rules.namespace, group=group, labels=labels),
        "spec": {"groups": groups},
    }


def _notification(blueprint: Blueprint) -> KubeObject:
    """Return the Alert. `matchLabels` needs the name `*` (fluxcd/notification-controller api/v1beta3)."""
    notifications = blueprint.gitops.notifications
    assert notifications is not None and notifications.flux is not None  # noqa: PT018, S101
    return {
        **head(kinds.ALERT, blueprint, blueprint.name, blueprint.target.engine_namespace),
        "spec": {
            "providerRef": {"name": notifications.flux.provider},
            "eventSeverity": "error",
            "eventSources": [
                {"kind": kinds.KUSTOMIZATION.name, "name": "*", "matchLabels": {MIGRATION_LABEL: blueprint.name}},
                {"kind": kinds.GIT_REPOSITORY.name, "name": blueprint.name},
            ],
            "eventMetadata": {"migration": blueprint.name, "cluster": blueprint.cluster.name},
        },
    }
