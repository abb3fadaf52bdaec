"""Tests of `vmferry.resolve.target`: who applies, what the target's releases lack, priorities."""

from typing import Any, get_args

import pytest
from tests.resolve.projects import Data, resolved, vm

from vmferry.kube.versions import features
from vmferry.model.blueprint import TargetPlan
from vmferry.model.spec import PhaseKind

ACCOUNT = {"name": "tenant", "namespace": "tenants"}


def planned(engine: str = "flux", *, gitops: Data | None = None, **target: Any) -> TargetPlan:
    section = {"engine": engine, "repoURL": "https://git.example.com/platform/gitops"} | (gitops or {})
    cluster = {"name": "prod-a"} | target.pop("cluster", {})
    return resolved(vm(), target={"cluster": cluster, "gitops": section, **target}).blueprint.target


@pytest.mark.parametrize(
    ("engine", "gitops", "namespace", "applier"),
    [
        ("flux", {}, "flux-system", "flux-system/kustomize-controller"),
        ("argocd", {}, "argocd", "argocd/argocd-application-controller"),
        (
            "argocd",
            {"namespace": "openshift-gitops"},
            "openshift-gitops",
            "openshift-gitops/argocd-application-controller",
        ),
        ("argocd", {"applier": ACCOUNT}, "argocd", "tenants/tenant"),
        ("flux", {"applier": ACCOUNT, "namespace": "tenants"}, "tenants", "tenants/tenant"),
    ],
)
def test_the_engines_controller_applies_unless_the_spec_names_another(
    engine: str, gitops: Data, namespace: str, applier: str
) -> None:
    found = planned(engine, gitops=gitops)
    assert (found.engine_namespace, f"{found.applier.namespace}/{found.applier.name}") == (namespace, applier)


@pytest.mark.parametrize(("stated", "name"), [({}, "acme--host"), ({"forklift": {"provider": "host"}}, "host")])
def test_the_provider_of_the_target_is_vmferrys_own_or_the_one_that_is_there(stated: Data, name: str) -> None:
    assert planned(**stated).host_provider == name


def test_fields_that_some_patch_of_a_release_lacks_are_withheld() -> None:
    # virtV2vImage is in 2.10.6 and in 2.11.1, and not in 2.11.0
    lacking = {
        version: planned(cluster={"versions": {"forklift": version}}).withheld
        for version in ("2.10", "2.10.6", "2.11", "2.11.1", "main")
    }
    withheld = {version for version, fields in lacking.items() if "Plan.spec.virtV2vImage" in fields}
    assert withheld == {"2.10", "2.11"}
    known = {field for feature in features() for field in feature.fields}
    assert all(fields <= known for fields in lacking.values())


def test_kueue_is_asked_where_the_cluster_has_a_queue() -> None:
    assert not planned().queued
    assert planned(cluster={"kueueQueue": "conversions"}).queued


def test_priorities_are_what_they_have_been_for_no_server_lets_anybody_change_one() -> None:
    phases = [{"name": kind, "kind": kind} for kind in get_args(PhaseKind)]
    found = resolved(vm(phase="stateless"), phases=phases).blueprint.phases
    assert {phase.kind: phase.priority for phase in found} == {
        "decommission": 100,
        "dev-test": 1_000,
        "migrate": 10_000,
        "stateless": 20_000,
        "stateful": 30_000,
    }
