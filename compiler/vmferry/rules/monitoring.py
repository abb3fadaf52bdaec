"""Monitoring: alerts that Prometheus does not find or cannot raise, and notifications that nobody sends."""

from collections.abc import Iterator

from vmferry.kube import versions
from vmferry.model.review import Problem, Review
from vmferry.rules.registry import rule


@rule(
    "VMF151",
    "warning",
    "no label for Prometheus to select the alerts by",
    source="prometheus-operator Documentation/api-reference/api.md (PrometheusSpec.ruleSelector); "
    "prometheus-community/helm-charts kube-prometheus-stack values.yaml (ruleSelectorNilUsesHelmValues)",
    blueprint=True,
)
def unselected(review: Review) -> Iterator[Problem]:
    """The Prometheus Operator only loads PrometheusRules that its Prometheus selects by label.

    Others are accepted by the API server and never evaluated: no alert fires, and nothing says so. With
    kube-prometheus-stack, the label is `release` with the name of the Helm release, unless its values say otherwise.
    OpenShift's Prometheus selects namespaces, and any rule in them.
    """
    rules = review.spec.target.monitoring.prometheus_rules
    if rules is not None and not rules.labels and review.spec.target.cluster.distribution != "openshift":
        yield Problem(
            "the PrometheusRules have no labels: a Prometheus that selects rules by label never loads them",
            "copy the labels of `kubectl get prometheus -A -o jsonpath='{.items[*].spec.ruleSelector}'`; if that is "
            "`{}`, which selects all, suppress this with that reason",
            review.at("target", "monitoring", "prometheusRules"),
        )


@rule("VMF152", "error", "notifications of the other GitOps engine", blueprint=True)
def wrong_engine(review: Review) -> Iterator[Problem]:
    """Flux and Argo CD each notify of their own syncs: what is stated for the other one is never sent."""
    notifications, engine = review.spec.target.gitops.notifications, review.spec.target.gitops.engine
    if notifications is None:
        return
    stated = {"flux": notifications.flux, "argocd": notifications.argocd}
    for other, settings in stated.items():
        if settings is not None and other != engine:
            yield Problem(
                f"notifications.{other} has no effect: the engine is {engine}",
                f"state notifications.{engine} instead",
                review.at("target", "gitops", "notifications", other),
            )


@rule(
    "VMF153",
    "warning",
    "no alert for failed Plans with this Forklift",
    source=versions.PLAN_ALERTS.source,
    blueprint=True,
)
def unnamed_plans(review: Review) -> Iterator[Problem]:
    """Forklift before 2.11 counts failed Plans and does not name them: an alert could not say whose group failed.

    It is left out. Flux' and Argo CD's health checks still report failed Migrations.
    """
    monitoring, here = review.spec.target.monitoring, review.blueprint.cluster.versions
    plans = any(group.path == "forklift" for group in review.blueprint.groups)
    if monitoring.prometheus_rules is not None and plans and not versions.certain(here, versions.PLAN_ALERTS):
        yield Problem(
            f"Forklift {here.forklift} has no metric that names failed Plans: VmferryPlanFailed is left out",
            f"{versions.PLAN_ALERTS.since} has it: update Forklift and target.cluster.versions.forklift",
            review.at("target", "monitoring", "prometheusRules"),
        )
