"""Monitoring: which alerts are compiled and where Prometheus finds them, and who hears of failed syncs."""

from typing import Annotated

from msgspec import Meta

from vmferry.model.base import Labels, Model, Name, Subdomain, text

_Trigger = Annotated[str, text("[a-z0-9]([-a-z0-9]{0,28}[a-z0-9])?", "Name of a trigger.", example="on-sync-failed")]
_Service = Annotated[
    str, text("[a-z0-9]([-a-z0-9]{0,18}[a-z0-9])?", "Name of a notification service.", example="slack")
]
_Recipient = Annotated[
    str, text(r"[^\s;\x00-\x1f]{1,200}", "A recipient as its service knows it.", example="migration")
]


class PrometheusRules(Model, frozen=True, kw_only=True):
    """PrometheusRules with the alerts of the migration, for the Prometheus Operator."""

    namespace: Annotated[
        Name,
        Meta(description="Their namespace, which exists already: one that Prometheus' ruleNamespaceSelector selects."),
    ]
    labels: Annotated[
        Labels,
        Meta(description="Labels that Prometheus' ruleSelector looks for, as in release: kube-prometheus-stack."),
    ] = {}
    quota_percent: Annotated[
        int,
        Meta(
            ge=1,
            le=100,
            description="Percent of a quota stated in the spec from which on it alerts. A computed one (quota: auto) "
            "is as large as its VMs need, and alerts when nothing is left.",
        ),
    ] = 90


class Dashboards(Model, frozen=True, kw_only=True):
    """Grafana dashboards in ConfigMaps, one per phase with `performance`."""

    namespace: Annotated[
        Name, Meta(description="Their namespace, which exists already and Grafana's sidecar looks at.")
    ]
    labels: Annotated[
        Labels,
        Meta(
            description='Labels that Grafana\'s sidecar looks for. Default: grafana_dashboard: "1", as in '
            "kube-prometheus-stack."
        ),
    ] = {}
    annotations: Annotated[
        Labels,
        Meta(description="Annotations for the sidecar, as in grafana_folder: Migration (its folderAnnotation)."),
    ] = {}


class FluxNotifications(Model, frozen=True, kw_only=True):
    """An Alert of Flux' notification controller."""

    provider: Annotated[
        Subdomain,
        Meta(description="Name of a Provider in Flux' namespace, which exists already: it holds address and token."),
    ]


class ArgoCdNotifications(Model, frozen=True, kw_only=True):
    """A subscription of Argo CD's notifications controller."""

    service: Annotated[_Service, Meta(description="A service that argocd-notifications-cm configures.")]
    recipients: Annotated[tuple[_Recipient, ...], Meta(min_length=1, description="Recipients, such as channels.")]
    triggers: Annotated[
        tuple[_Trigger, ...], Meta(min_length=1, description="Triggers that argocd-notifications-cm has.")
    ] = ("on-sync-failed", "on-health-degraded")


class Notifications(Model, frozen=True, kw_only=True):
    """Who hears of failed syncs: the engine's own notifications, by reference."""

    flux: Annotated[FluxNotifications, Meta(description="With engine flux.")] | None = None
    argocd: Annotated[ArgoCdNotifications, Meta(description="With engine argocd.")] | None = None


class Monitoring(Model, frozen=True, kw_only=True):
    """What watches the migration. Nothing is compiled that is not stated here."""

    prometheus_rules: Annotated[PrometheusRules, Meta(description="Alerts, for the Prometheus Operator.")] | None = None
    dashboards: Annotated[Dashboards, Meta(description="Dashboards, for Grafana's sidecar.")] | None = None
