"""The applier's rights are written out: those in namespaces by the tree, the others in a root to be applied first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.backends import estate, schemas
from tests.backends.estate import gitops

from vmferry.backends import applier
from vmferry.model.manifest import KubeObject
from vmferry.model.spec import ServiceAccountRef

EXAMPLES = Path(__file__).parents[2] / "examples"
NEEDED = {"get", "list", "watch", "create", "patch"}
_FILES_OF_KUSTOMIZE = "kustomize.config.k8s.io"


def objects(example: str) -> Iterator[KubeObject]:
    """Yield every object of an example's tree that an engine applies, or an administrator before."""
    for path in (EXAMPLES / example / "gitops").rglob("*.yaml"):
        for obj in yaml.safe_load_all(path.read_text()):
            mine = isinstance(obj, dict) and "kind" in obj and not path.match("infra/argocd/*")
            if mine and not obj["apiVersion"].startswith(_FILES_OF_KUSTOMIZE) and "components" not in path.parts:
                yield obj


def plural(kind: str) -> str:
    special = {"NetworkAttachmentDefinition": "network-attachment-definitions"}
    word = kind.lower()
    return special.get(kind) or (word[:-1] + "ies" if word.endswith("y") else word + ("es" if word[-1] == "s" else "s"))


def granted(roles: list[KubeObject], group: str, resource: str, name: str) -> set[str]:
    return {
        verb
        for role in roles
        for rule in role["rules"]
        if group in rule["apiGroups"] and resource in rule["resources"]
        if name in rule.get("resourceNames", [name])
        for verb in rule["verbs"]
    }


@pytest.mark.parametrize("example", ["acme", "acme-argocd", "minimal"])
def test_every_object_of_a_tree_is_covered_by_rights_that_it_states(example: str) -> None:
    found = list(objects(example))
    bindings = [obj for obj in found if obj["kind"].endswith("RoleBinding")]
    mine = {
        (obj["kind"], obj["metadata"].get("namespace"), obj["roleRef"]["name"])
        for obj in bindings
        if any(each["name"].endswith("-controller") for each in obj["subjects"])
    }
    roles = [
        obj
        for obj in found
        if (f"{obj['kind']}Binding", obj["metadata"].get("namespace"), obj["metadata"]["name"]) in mine
    ]
    of_cluster = [role for role in roles if role["kind"] == "ClusterRole"]
    assert of_cluster
    for obj in found:
        group, space = obj["apiVersion"].rpartition("/")[0], obj["metadata"].get("namespace")
        if obj["kind"] in ("ClusterRole", "ClusterRoleBinding") or obj in roles:
            continue
        where = [role for role in roles if role["kind"] == "Role" and role["metadata"].get("namespace") == space]
        held = granted([*of_cluster, *where], group, plural(obj["kind"]), obj["metadata"]["name"])
        assert held >= NEEDED, (obj["kind"], space, obj["metadata"]["name"])


def emitted(**fields: Any) -> list[Any]:
    return list(applier.emit(estate.blueprint(gitops=gitops(**fields))))


def test_every_object_fits_its_schema() -> None:
    for obj in schemas.objects(emitted()):
        schemas.assert_fits(obj)


def test_nothing_syncs_them() -> None:
    paths = [obj["spec"].get("path", "") for obj in objects("minimal") if obj["kind"] == "Kustomization"]
    assert paths
    assert not [path for path in paths if path.endswith(applier.DIRECTORY)]


def test_what_lies_in_a_root_with_its_roles_needs_rights_before_them() -> None:
    rules = schemas.named(emitted(), "ClusterRole", "vmferry-applier-acme")["rules"]
    held = {resource for rule in rules for resource in rule["resources"]}
    beside = {"resourcequotas", "limitranges", "networkpolicies", "configmaps", "network-attachment-definitions"}
    assert beside <= held
    assert "secrets" not in held


def test_roles_may_be_escalated_and_bound_by_name_only() -> None:
    rules = schemas.named(emitted(), "ClusterRole", "vmferry-applier-acme")["rules"]
    [rule] = [each for each in rules if "escalate" in each["verbs"]]
    assert (rule["resources"], rule["verbs"]) == (["roles"], ["escalate", "bind"])
    assert "vmferry-applier" in rule["resourceNames"]


def test_the_rights_are_those_of_the_applier_that_the_spec_names() -> None:
    items = emitted(applier=ServiceAccountRef(name="ci", namespace="apps"), namespace="flux-tenant")
    [subject] = schemas.named(items, "ClusterRoleBinding", "vmferry-applier-acme")["subjects"]
    assert (subject["name"], subject["namespace"]) == ("ci", "apps")
    assert schemas.named(items, "Role", "vmferry-applier-acme-flux")["metadata"]["namespace"] == "flux-tenant"


def test_what_is_of_no_namespace_is_covered_by_the_cluster_role() -> None:
    [role] = [obj for obj in schemas.objects(emitted()) if obj["kind"] == "ClusterRole"]
    for group, resource in (("", "namespaces"), ("scheduling.k8s.io", "priorityclasses")):
        assert granted([role], group, resource, "any") >= NEEDED
    assert "delete" not in granted([role], "", "namespaces", "any")
