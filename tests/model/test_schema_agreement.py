"""The JSON Schema that editors use and the types that vmferry reads with accept the same documents."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from vmferry.load.schema import KINDS, file_name
from vmferry.load.validate import convert
from vmferry.model.finding import Where

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    path
    for pattern in ("examples/minimal/spec.yaml", "compiler/vmferry/cli/template/*.yaml", "tests/negative/_base/*.yaml")
    for path in ROOT.glob(pattern)
)
RICH: dict[str, Any] = yaml.safe_load(
    """
apiVersion: vmferry.dev/v1alpha1
kind: VirtualMachineSet
metadata: {name: team}
vms:
  - name: db-01
    id: vm-1
    firmware: efi
    secureBoot: true
    cpu: {count: 4, coresPerSocket: 2}
    memory: 8Gi
    tags: [prod]
    customAttributes: {owner: dba}
    disks: [{size: 10Gi, datastore: ds1, controller: nvme, rdm: virtual, iops: 500, source: {http: {url: "http://x/y"}}}]
    nics: [{network: lan, mac: "00:50:56:9a:10:01", addresses: [10.0.0.1/24], origin: static, nameservers: ["::1"]}]
    gpus: [{deviceName: nvidia.com/T4}]
    dependsOn: [web-01, {external: "db.example.com:5432"}]
    readdress: {lan: {addresses: [10.0.0.2/24]}}
    tolerations: [{key: gpu, effect: NoSchedule}]
    labels: {team: dba}
    ports: [{name: http, port: 80, targetPort: 8080}]
    application:
      image: registry.example.com/db:1
      env: [{name: MODE, value: fast}, {name: HOST, configMapKeyRef: {name: db, key: host}}]
      state: [{name: data, mountPath: /data, size: 1Gi}]
      readiness: {port: 80, path: /}
      resources: {cpu: 500m, memory: 1Gi}
"""
)
SPEC: dict[str, Any] = yaml.safe_load(
    """
apiVersion: vmferry.dev/v1alpha1
kind: MigrationSpec
metadata: {name: demo}
sources:
  - name: vc1
    vcenter:
      url: https://vcenter.example.com/sdk
      credentials: {externalSecret: {storeRef: {name: vault}, key: vc1}}
      hosts: [{name: esx1, ipAddress: 10.0.0.1, credentials: {file: secrets/esx1.yaml}}]
target:
  cluster:
    name: prod
    versions: {kubevirt: "1.6"}
    nodes: [{name: a, count: 3, cpu: 64, memory: 512Gi, resources: {nvidia.com/T4: 2}}]
    bridges: [{name: br-vm, port: bond0, mtu: 9000, nodeSelector: {zone: a}}]
  gitops: {engine: flux, repoURL: "https://git.example.com/gitops", applier: {name: flux, namespace: flux-system}}
networks:
  - {source: {portGroup: a}, target: {type: bridge, bridge: br-vm, trunk: ["1-9"]}, layer: 3, subnet: 10.0.0.0/24}
  - {source: {segment: b, transportZone: overlay}, target: {type: ovn-layer2}}
  - {source: {portGroup: c}, target: {type: sriov, resourceName: intel.com/vf}}
  - {source: {portGroup: d}, target: {type: nad, name: existing.nad}}
  - {source: {portGroup: e}, target: {type: pod}}
  - source: {portGroup: f}
    target: {type: ovn-localnet, physicalNetwork: phys, vlan: 7}
    smokeTest: {addresses: [10.0.0.1/24, 10.0.0.2/24], namespace: web}
storage:
  classes: [{name: ceph, provisioner: rbd.csi.ceph.com, accessModes: [ReadWriteMany], parameters: {pool: a}}]
  map: [{source: {datastore: ds1}, storageClass: ceph}]
namespaces: [{name: web, quota: {cpu: "4"}}, {name: db, quota: none}]
phases: [{name: first, kind: dev-test, windows: [{start: "2027-01-11T20:00:00Z", duration: 6h}]}]
groups: {first-01: {stage: prepared, attempt: 2}}
hooks: [{name: stop, deadline: 5m}]
assign: [{match: {name: ["a*", b], os: linux, template: false, customAttributes: {owner: "*"}}, set: {phase: first}}]
settings: {auto: {threshold: 5, order: [special, similar]}, grouping: {maxVms: 5}}
"""
)
DOCUMENTS = [SPEC, RICH, *(yaml.safe_load(path.read_text()) for path in FILES)]
VALIDATORS = {
    kind: jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / file_name(kind)).read_text()))
    for kind in KINDS
}
# Not among them: null, which is refused before, and 2.0, which is an integer for JSON Schema alone.
VALUES = st.one_of(
    st.sampled_from(
        ["", "a", "web-01", "Web 01", "8Gi", "6h", "true", "10.0.0.1/24", "a\n", "x" * 64, "x" * 1025, "pod", "warm"]
    ),
    st.sampled_from([-1, 0, 1, 2, 17, 4094, 4095, 65536, 2**40, 1.5, True, False]),
    st.sampled_from([[], {}, ["a"], [1], {"a": "b"}, {"name": "a"}, [{"name": "a"}], {"type": "pod"}]),
)
KEYS = st.sampled_from(["name", "names", "type", "x", "A b", "source", "size", "web-01", "url", "1", "power_state"])


def parents(node: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the paths of all mappings and lists; what is below `settings` of a vCenter has no names in the schema."""
    if not isinstance(node, dict | list) or path[-2:] == ("vcenter", "settings"):
        return []
    items = node.items() if isinstance(node, dict) else enumerate(node)
    return [path, *(found for key, value in items for found in parents(value, (*path, key)))]


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A document that is valid, or was before somebody edited it once or twice."""
    document: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(DOCUMENTS)))
    for _ in range(draw(st.integers(0, 2))):
        node: Any = document
        for step in draw(st.sampled_from(parents(document))):
            node = node[step]
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        action = draw(st.sampled_from(["set", "remove", "add"])) if keys else "add"
        if action == "set":
            node[draw(st.sampled_from(keys))] = copy.deepcopy(draw(VALUES))
        elif action == "remove":
            del node[draw(st.sampled_from(keys))]
        elif isinstance(node, dict):
            node[draw(KEYS)] = copy.deepcopy(draw(VALUES))
        else:
            node.append(copy.deepcopy(draw(VALUES)))
    document["kind"] = (
        kind if (kind := document.get("kind")) in ("MigrationSpec", "VirtualMachineSet") else "MigrationSpec"
    )
    return document


@settings(max_examples=600, deadline=None)
@given(documents())
def test_types_accept_what_the_schema_accepts(document: dict[str, Any]) -> None:
    kind = document["kind"]
    problems = [error.message for error in VALIDATORS[kind].iter_errors(document)]
    value, findings = convert(document, KINDS[kind], Where(file="spec.yaml"), "")
    assert (value is not None) == (not problems), (problems, findings)
    assert bool(findings) == bool(problems)
    for finding in findings:
        assert finding.where is not None
        assert finding.where.path or "lacks" in finding.message
        assert "Expected" not in finding.message, "msgspec's own words: the schema did not see it"


@pytest.mark.parametrize("index", range(len(DOCUMENTS)))
def test_documents_that_are_edited_are_valid_before(index: int) -> None:
    document = DOCUMENTS[index]
    assert convert(document, KINDS[document["kind"]], Where(file="spec.yaml"), "")[1] == []


def test_whole_fraction_is_an_integer_for_the_schema_alone() -> None:
    document = copy.deepcopy(RICH)
    document["vms"][0]["cpu"]["count"] = 4.0
    assert not list(VALIDATORS["VirtualMachineSet"].iter_errors(document))
    _, [finding] = convert(document, KINDS["VirtualMachineSet"], Where(file="spec.yaml"), "")
    assert finding.where is not None
    assert finding.where.path == ("vms", 0, "cpu", "count")
