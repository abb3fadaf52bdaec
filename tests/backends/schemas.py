"""Holds emitted objects against the schemas of the real resources."""

import functools
import json
import os
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from jsonschema import Draft202012Validator
from tests import gateway_api

from vmferry.kube.versions import BY_COMPONENT, Component
from vmferry.model.manifest import Item, KubeObject, Resource, api_group

CORE = {
    "",
    "apps",
    "batch",
    "discovery.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "scheduling.k8s.io",
}
KUBERNETES = BY_COMPONENT[Component.KUBERNETES].newest
_HERE = Path(__file__).resolve()


def objects(items: list[Item]) -> list[KubeObject]:
    """Return the objects of ``items``."""
    return [item.object for item in items if isinstance(item, Resource)]


def named(items: list[Item], kind: str, name: str) -> KubeObject:
    """Return the one object of this kind and name."""
    [found] = [obj for obj in objects(items) if obj["kind"] == kind and obj["metadata"]["name"] == name]
    return found


def assert_fits(obj: KubeObject) -> None:
    """Fail if the object does not fit its schema; skip where the CRDs' schemas are not at hand."""
    if api_group(obj) in CORE:
        kubernetes_validate.validate(obj, KUBERNETES, strict=True)
        return
    errors = [error.message for error in _validator(obj["apiVersion"], obj["kind"]).iter_errors(obj)]
    assert errors == []


@functools.cache
def _validator(api_version: str, kind: str) -> Draft202012Validator:
    group, _, version = api_version.partition("/")
    if group == gateway_api.GROUP:
        return Draft202012Validator(gateway_api.schema(gateway_api.ROUTES[kind]))
    path = _folder() / group / f"{kind.lower()}_{version}.json"
    schema: dict[str, Any] = json.loads(path.read_text())
    return Draft202012Validator(schema)


def _folder() -> Path:
    folder = Path(os.environ.get("VMFERRY_SCHEMAS", _HERE.parents[3] / "shared" / "crds"))
    if not folder.is_dir():
        pytest.skip(f"no schemas of custom resources in {folder}; set VMFERRY_SCHEMAS")
    return folder
