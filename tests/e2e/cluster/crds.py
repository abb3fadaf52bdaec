"""Makes CustomResourceDefinitions of the schemas of the real resources (GROUP/KIND_VERSION.json)."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests import gateway_api
from tests.matrix import releases
from tests.ran import ran

from vmferry.kube.versions import BY_COMPONENT, Component

Object = dict[str, Any]
_CHECKOUT = Path(__file__).resolve().parents[3]


class Kind(NamedTuple):
    """What a schema does not tell of a kind."""

    api_version: str
    name: str
    plural: str = ""  # default: the name with an s
    scope: str = "Namespaced"


KINDS = (
    Kind("argoproj.io/v1alpha1", "Application"),
    Kind("argoproj.io/v1alpha1", "AppProject"),
    Kind("bitnami.com/v1alpha1", "SealedSecret"),
    Kind("cdi.kubevirt.io/v1beta1", "DataSource"),
    Kind("cdi.kubevirt.io/v1beta1", "DataVolume"),
    Kind("external-secrets.io/v1", "ExternalSecret"),
    Kind("externaldns.k8s.io/v1alpha1", "DNSEndpoint"),
    Kind(f"{gateway_api.GROUP}/v1", "HTTPRoute"),
    Kind(f"{gateway_api.GROUP}/v1alpha2", "TCPRoute"),
    Kind("forklift.konveyor.io/v1beta1", "Hook"),
    Kind("forklift.konveyor.io/v1beta1", "Host"),
    Kind("forklift.konveyor.io/v1beta1", "Migration"),
    Kind("forklift.konveyor.io/v1beta1", "NetworkMap"),
    Kind("forklift.konveyor.io/v1beta1", "Plan"),
    Kind("forklift.konveyor.io/v1beta1", "Provider"),
    Kind("forklift.konveyor.io/v1beta1", "StorageMap"),
    Kind("k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition", "network-attachment-definitions"),
    Kind("kubevirt.io/v1", "VirtualMachine"),
    Kind("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
    Kind("monitoring.coreos.com/v1", "PrometheusRule"),
    Kind("nmstate.io/v1", "NodeNetworkConfigurationPolicy", "nodenetworkconfigurationpolicies", "Cluster"),
    Kind("notification.toolkit.fluxcd.io/v1beta3", "Alert"),
    Kind("snapshot.kubevirt.io/v1beta1", "VirtualMachineSnapshot"),
    Kind("source.toolkit.fluxcd.io/v1", "GitRepository", "gitrepositories"),
)
"""The custom resources that vmferry emits. The server refuses any other."""


def definitions() -> list[Object]:
    """Return a definition for each of KINDS; skip the test where the schemas are not at hand."""
    folder = Path(os.environ.get("VMFERRY_SCHEMAS", _CHECKOUT.parent / "shared" / "crds"))
    if not folder.is_dir():
        pytest.skip(f"no schemas of custom resources in {folder}; set VMFERRY_SCHEMAS")
    told = "every object of the examples is stored as it was written"
    newest = releases.FOLDER.is_dir()
    for programs, version in provenance(folder):
        if not newest or programs not in _RELEASED:
            ran(f"Definitions of {programs}", version, told)
    if not newest:
        return [definition(kind, folder) for kind in KINDS]
    for component in releases.GROUPS.values():
        ran(f"Definitions of {component.title}", _newest(component).version, told)
    return [definition(kind, _folder(kind, folder)) for kind in KINDS]


_RELEASED = ("Forklift", "KubeVirt and CDI")
"""Whose definitions are taken of the newest release, where those of each release are at hand."""


def _newest(component: Component) -> releases.Release:
    return releases.of(component, BY_COMPONENT[component].newest)


def _folder(kind: Kind, usual: Path) -> Path:
    component = releases.GROUPS.get(kind.api_version.partition("/")[0])
    return _newest(component).folder if component is not None else usual


_PROGRAMS = {
    "forklift.konveyor.io": "Forklift",
    "kubevirt.io": "KubeVirt and CDI",
    "k8s.cni.cncf.io": "Multus, Flux, Argo CD and External Secrets",
    "nmstate.io": "nmstate",
}


def provenance(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield what the schemas in a folder define, and what they were made of, as its README.md has it."""
    readme, before = folder / "README.md", ""
    for line in readme.read_text(encoding="utf-8").splitlines() if readme.is_file() else ():
        groups, *rest = (cell.strip() for cell in line.strip("|").split("|"))
        programs = _PROGRAMS.get(groups.partition(",")[0])
        if programs is None or len(rest) != 2:
            continue
        source = before if rest[0].startswith("the same") else rest[0]
        version = rest[1].partition(" (")[0]
        before = source
        yield programs, f"{version}, of {source}" if version not in ("", "as there") else source


def definition(kind: Kind, folder: Path) -> Object:
    """Return the definition of one kind: the Gateway API's own, or one of its schema in a folder."""
    group, _, version = kind.api_version.partition("/")
    if group == gateway_api.GROUP:
        return gateway_api.definition(kind.name)
    schema = structural(json.loads((folder / group / f"{kind.name.lower()}_{version}.json").read_text()))
    schema["properties"]["metadata"] = {"type": "object"}  # the server knows better
    served: Object = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    if "status" in schema["properties"]:
        served["subresources"] = {"status": {}}
        # A default is stored with the second write only, as if that had changed something; controllers write theirs.
        schema["properties"]["status"].pop("default", None)
    plural = kind.plural or f"{kind.name.lower()}s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            # groups below k8s.io are refused without it
            "annotations": {"api-approved.kubernetes.io": "unapproved, of a test"},
        },
        "spec": {
            "group": group,
            "scope": kind.scope,
            "names": {"kind": kind.name, "plural": plural, "singular": kind.name.lower()},
            "versions": [served],
        },
    }


def structural(schema: Object) -> Object:
    """Return a schema as a definition takes it.

    The published schemas were made from definitions. Three things were changed for validators that know plain JSON
    Schema: fields that are not named were forbidden, which the server does unasked; a number or text is either; and
    what may be null has two types.
    """
    result = {key: value for key, value in schema.items() if key != "additionalProperties" or value is not False}
    if isinstance(schema.get("type"), list):
        [result["type"]] = (each for each in schema["type"] if each != "null")
        result["nullable"] = True
    either = {branch.get("type") for branch in schema.get("anyOf", schema.get("oneOf", []))}
    if either == {"integer", "string"}:
        result.pop("oneOf", None)
        result["x-kubernetes-int-or-string"] = True
        result["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if "properties" in schema:
        result["properties"] = {name: structural(value) for name, value in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(result.get(key), dict):
            result[key] = structural(result[key])
    return result
