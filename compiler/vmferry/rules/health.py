"""Whether the GitOps engine notices a failed migration."""

from collections.abc import Iterator

from vmferry.model.review import Problem, Review
from vmferry.rules.registry import rule


@rule(
    "VMF440",
    "info",
    "health of Plans and Migrations is unknown to Argo CD",
    source="argoproj/argo-cd resource_customizations/: nothing of forklift.konveyor.io; docs/operator-manual/health.md",
)
def argocd(review: Review) -> Iterator[Problem]:
    """Argo CD has no health check for Forklift's Plans and Migrations: one that failed would be as green as the others.

    Flux gets its expressions with each Kustomization. Argo CD has them in its own configuration, which belongs to the
    cluster and not to a migration.
    """
    gitops = review.spec.target.gitops
    if gitops.engine == "argocd" and any(group.path == "forklift" for group in review.blueprint.groups):
        yield Problem(
            "Argo CD does not notice by itself that a Plan was refused or a Migration failed",
            f"add the checks of {gitops.path}/infra/argocd/argocd-cm.yaml to ConfigMap argocd-cm, once per cluster",
            review.at("target", "gitops", "engine"),
        )
