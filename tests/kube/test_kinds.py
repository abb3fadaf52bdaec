"""Whatever depends on the kind of an object comes from one table, and nothing is emitted that it lacks."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.cluster import crds

from vmferry import backends
from vmferry.backends import namespaces
from vmferry.backends.metadata import head
from vmferry.backends.networks import SMOKE_LABEL
from vmferry.backends.preflight import LABEL as PREFLIGHT_LABEL
from vmferry.compile import assignments_path, check
from vmferry.kube import kinds
from vmferry.kube.kinds import UnlistedKindError
from vmferry.model.blueprint import Blueprint
from vmferry.model.manifest import Item, KubeObject, Resource

EXAMPLES = Path(__file__).parents[2] / "examples"


def acme() -> Blueprint:
    return check(EXAMPLES / "acme", assignments_path(EXAMPLES / "acme")).resolution.blueprint


def thing(api_version: str, kind: str, **place: str) -> KubeObject:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "web", **place}}


def test_no_kind_is_listed_twice() -> None:
    listed = [kind.key for kind in (*kinds.EMITTED, *kinds.REFERRED)]
    assert len(listed) == len(set(listed))


def test_a_kind_is_found_by_its_group_not_by_its_name_alone() -> None:
    assert (
        kinds.emitted(thing("kustomize.toolkit.fluxcd.io/v1", "Kustomization", namespace="flux-system")).keeps is False
    )
    with pytest.raises(UnlistedKindError, match=r"kustomize\.config\.k8s\.io/Kustomization is emitted"):
        kinds.emitted(thing("kustomize.config.k8s.io/v1beta1", "Kustomization"))


def test_an_object_of_the_cluster_is_in_no_namespace_and_any_other_is() -> None:
    with pytest.raises(UnlistedKindError, match=r"Namespace web: .* it is of the cluster"):
        kinds.emitted(thing("v1", "Namespace", namespace="web"))
    with pytest.raises(UnlistedKindError, match=r"Service web: .* it is in a namespace"):
        kinds.emitted(thing("v1", "Service"))


def test_a_backend_that_emits_an_unlisted_kind_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def leases(blueprint: Blueprint) -> Iterator[Item]:
        yield Resource(directory="infra/cluster", object=thing("coordination.k8s.io/v1", "Lease", namespace="web"))

    monkeypatch.setitem(backends.BACKENDS, "leases", backends.Backend(leases))
    with pytest.raises(UnlistedKindError, match=r"coordination\.k8s\.io/Lease is emitted"):
        list(backends.emit(acme()))


def test_what_holds_data_carries_what_keeps_both_engines_from_deleting_it() -> None:
    blueprint = acme()
    protected = head(kinds.NAMESPACE, blueprint, "web", keep=True)["metadata"]["annotations"]
    found = [item.object for item in backends.emit(blueprint) if isinstance(item, Resource)]
    tests = {SMOKE_LABEL, PREFLIGHT_LABEL}  # nothing of theirs is worth keeping
    held = [obj for obj in found if kinds.emitted(obj).keeps and not tests & obj["metadata"]["labels"].keys()]
    assert held
    for obj in held:
        assert protected.items() <= obj["metadata"]["annotations"].items()


def test_nobody_may_delete_what_holds_the_data_of_a_vm() -> None:
    for kind in (kinds.NAMESPACE, kinds.CLAIM, kinds.DATA_VOLUME, kinds.VIRTUAL_MACHINE, kinds.PLAN, kinds.MIGRATION):
        assert kind.keeps
        assert "delete" not in kind.verbs


def test_rights_are_those_of_the_table_unless_others_are_stated() -> None:
    own, told = namespaces.rules_of([kinds.SERVICE, kinds.Right(kinds.CLAIM, ("get",), ("web-disk-0",))])[::-1]
    assert (own["resources"], own["verbs"]) == (["services"], [*kinds.PRUNE])
    assert told == {
        "apiGroups": [""],
        "resources": ["persistentvolumeclaims"],
        "resourceNames": ["web-disk-0"],
        "verbs": ["get"],
    }


_OTHERS = ("externaldns.k8s.io", "gateway.networking.k8s.io")
"""Groups below k8s.io that no API server has by itself."""


def test_the_definitions_that_the_server_of_the_tests_gets_say_the_same() -> None:
    told = {
        (*kind.api_version.split("/"), kind.name, kind.plural or f"{kind.name.lower()}s", kind.scope == "Namespaced")
        for kind in crds.KINDS
    }
    custom = {
        (kind.group, kind.version, kind.name, kind.plural, kind.namespaced)
        for kind in kinds.EMITTED
        if "." in kind.group
        and (kind.group in _OTHERS or not kind.group.endswith((".k8s.io", ".authorization.k8s.io")))
    }
    assert custom == told
