"""Whatever is compiled is complete: each VM with all its NICs and disks, once, and nothing refers to nothing."""

import posixpath
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.properties.estates import DATASTORES, NETWORKS, Estate, Output, build, estates, staged

from vmferry.backends import argocd_health
from vmferry.compile import write
from vmferry.kube.limits import MAX_OF_ROOT
from vmferry.kube.quantity import format_size, parse_size
from vmferry.layout.objects import Key, is_object, key_of, parse
from vmferry.load.project import load
from vmferry.model.blueprint import Group, Machine
from vmferry.verify.references import Graph
from vmferry.verify.run import verify

Object = dict[str, Any]


class Tree:
    """The files of an output, read."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files
        self.manifests = {
            path: parse(content)
            for path, content in files.items()
            if path.endswith(".yaml") and posixpath.basename(path) != "kustomization.yaml"
        }

    @cached_property
    def objects(self) -> list[Object]:
        return [obj for _, obj in self.placed()]

    def placed(self) -> Iterator[tuple[str, Object]]:
        """Yield each object with its file."""
        for path, documents in self.manifests.items():
            yield from ((path, obj) for obj in documents if is_object(obj))

    def of_kind(self, kind: str, group: Group | None = None) -> list[Object]:
        """Return the objects of a kind, in the base of a group if one is given."""
        prefix = f"bases/{group.phase}/{group.name}/" if group else ""
        return [obj for path, obj in self.placed() if path.startswith(prefix) and obj["kind"] == kind]

    def resources(self, directory: str) -> Iterator[str]:
        """Yield the files that a kustomization is made of in the end."""
        kustomization = parse(self.files[f"{directory}/kustomization.yaml"])[0]
        for entry in kustomization.get("resources", ()):
            path = posixpath.normpath(posixpath.join(directory, entry))
            if path in self.manifests:
                yield path
            else:
                yield from self.resources(path)


def compiled(estate: Estate, directory: Path, dice: Any) -> tuple[Estate, Output]:
    """Return the estate with stages, and what it compiles to."""
    first = build(estate, directory / "first")
    moved_on = staged(estate, first, dice)
    return moved_on, build(moved_on, directory / "second", assignments=first.assignments)


ANY = given(estates(), st.randoms(use_true_random=False))
OFTEN = settings(max_examples=20, deadline=None)


def entry_of(estate: Estate, machine: Machine) -> Object:
    """Return what the spec says of a machine."""
    [found] = [vm for vm in estate.vms if vm["name"] == machine.name and vm.get("id") == machine.id]
    return found


def mac(text: str) -> str:
    return text.lower().replace("-", ":")


def network_of(text: str) -> str:
    return next(name for name, row in NETWORKS.items() if text in (name, row["source"].get("id")))


@ANY
@OFTEN
def test_every_vm_is_in_exactly_one_group(estate: Estate, dice: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        estate, output = compiled(estate, Path(name), dice)
    blueprint, tree = output.checked.resolution.blueprint, Tree(output.files)
    keys = [machine.key for group in blueprint.groups for machine in group.machines]
    moving = {f"vc1/{vm.get('id', vm['name'])}" for vm in estate.vms if "phase" in vm}
    assert Counter(keys) == Counter(moving)
    assert {left.key for left in blueprint.left} == {
        f"vc1/{vm.get('id', vm['name'])}" for vm in estate.vms if "phase" not in vm
    }
    homes = Counter(
        (machine.namespace, machine.target_name) for group in blueprint.groups for machine in group.machines
    )
    assert set(homes.values()) <= {1}
    for group in blueprint.groups:
        assert {path.split("/")[2] for path in _mentioning(tree, group)} <= {group.name}


def _mentioning(tree: Tree, group: Group) -> Iterator[str]:
    """Yield the bases in which objects carry the name of one of the group's VMs."""
    names = {(machine.namespace, machine.target_name) for machine in group.machines}
    for path, obj in tree.placed():
        runs = path.startswith("bases/") and obj["kind"] in ("VirtualMachine", "Deployment", "StatefulSet")
        if runs and (obj["metadata"]["namespace"], obj["metadata"]["name"]) in names:
            yield path


@ANY
@OFTEN
def test_every_nic_is_in_the_output_once(estate: Estate, dice: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        estate, output = compiled(estate, Path(name), dice)
    tree = Tree(output.files)
    found: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    for group in output.checked.resolution.blueprint.groups:
        for machine in group.machines:
            nics = entry_of(estate, machine).get("nics", ())
            if group.path == "virt-v2v" and not machine.golden:
                nics = [nic for nic in nics if destination(nic)["type"] != "ignored"]
                wanted.update(mac(nic["mac"]) for nic in nics)
                [vm] = [
                    v for v in tree.of_kind("VirtualMachine", group) if v["metadata"]["name"] == machine.target_name
                ]
                _assert_attached(vm, nics, machine.namespace)
            elif group.path == "forklift":
                _assert_mapped(tree, group, nics, machine.namespace)
    for vm in tree.of_kind("VirtualMachine"):
        devices = vm["spec"]["template"]["spec"]["domain"]["devices"]
        found.update(interface["macAddress"] for interface in devices.get("interfaces", ()))
    assert found == wanted
    assert set(found.values()) <= {1}


def destination(nic: Object) -> Object:
    """Return what the network map says of a NIC's network."""
    target: Object = NETWORKS[network_of(nic["network"])]["target"]
    return target


def _assert_attached(vm: Object, nics: list[Object], namespace: str) -> None:
    inner = vm["spec"]["template"]["spec"]
    networks = {network["name"]: network for network in inner["networks"]}
    interfaces = inner["domain"]["devices"].get("interfaces", [])
    assert [interface["macAddress"] for interface in interfaces] == [mac(nic["mac"]) for nic in nics]
    for interface, nic in zip(interfaces, nics, strict=True):
        target = destination(nic)
        network = networks[interface["name"]]
        assert ("pod" in network) == (target["type"] == "pod")
        if target["type"] != "pod":
            home, _, _ = network["multus"]["networkName"].rpartition("/")
            assert home == target.get("namespace", namespace)


def _assert_mapped(tree: Tree, group: Group, nics: list[Object], namespace: str) -> None:
    """Assert that Forklift finds a row for each NIC, and never gives two NICs of a VM one definition."""
    [table] = tree.of_kind("NetworkMap", group)
    taken: set[tuple[str, str]] = set()
    for nic in nics:
        name, target = network_of(nic["network"]), destination(nic)
        rows = [row["destination"] for row in table["spec"]["map"] if row["source"]["name"] == name]
        if target["type"] in ("pod", "ignored"):
            assert rows == [{"type": target["type"]}]
            continue
        assert {(row["type"], row["namespace"]) for row in rows} == {("multus", target.get("namespace", namespace))}
        free = [(row["namespace"], row["name"]) for row in rows if (row["namespace"], row["name"]) not in taken]
        assert free, f"Forklift has no definition left for {name}"
        taken.add(free[0])


@ANY
@OFTEN
def test_every_disk_is_in_the_output_once(estate: Estate, dice: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        estate, output = compiled(estate, Path(name), dice)
    tree = Tree(output.files)
    blueprint = output.checked.resolution.blueprint
    made = Counter((dv["metadata"]["namespace"], dv["metadata"]["name"]) for dv in tree.of_kind("DataVolume"))
    sizes = {
        (dv["metadata"]["namespace"], dv["metadata"]["name"]): dv["spec"]["storage"]["resources"]["requests"]["storage"]
        for dv in tree.of_kind("DataVolume")
    }
    used: set[tuple[str, str]] = set()
    for group in blueprint.groups:
        for machine in group.machines:
            disks = entry_of(estate, machine).get("disks", [])
            if group.path == "forklift":
                _assert_planned(tree, group, machine, disks)
            elif group.path == "virt-v2v":
                claims = _claims(tree, group, machine)
                assert len(set(claims)) == len(claims) == len(disks)
                if machine.clone_of is None:
                    used.update((machine.namespace, claim) for claim in claims)
                    assert Counter(sizes[machine.namespace, claim] for claim in claims) == Counter(
                        format_size(parse_size(disk["size"])) for disk in disks
                    )
    assert set(made) == used
    assert set(made.values()) <= {1}
    claims_of = Counter(
        (machine.namespace, disk.claim)
        for group in blueprint.groups
        for machine in group.machines
        for disk in machine.disks
        if disk.owner
    )
    assert set(claims_of.values()) <= {1}


def _assert_planned(tree: Tree, group: Group, machine: Machine, disks: list[Object]) -> None:
    """A Plan names the VM once and its claims exactly; the StorageMap has each of its datastores once."""
    entries = [(plan, vm) for plan in tree.of_kind("Plan") for vm in plan["spec"]["vms"]]
    [(plan, entry)] = [(plan, vm) for plan, vm in entries if (vm.get("id"), vm["name"]) == (machine.id, machine.name)]
    assert plan["metadata"]["name"] == group.full_name
    assert plan["spec"]["pvcNameTemplateUseGenerateName"] is False
    assert entry["targetName"] == machine.target_name
    assert _named(entry["pvcNameTemplate"], len(disks)) == [disk.claim for disk in machine.disks]
    assert len({disk.claim for disk in machine.disks}) == len(disks)
    [table] = tree.of_kind("StorageMap", group)
    for disk in disks:
        [row] = [row for row in table["spec"]["map"] if row["source"]["name"] == disk["datastore"]]
        tiers = {"ceph-block": "gold", "ceph-fs": "silver", "hostpath": "scratch"}
        assert tiers[row["destination"]["storageClass"]] == DATASTORES[disk["datastore"]]


def _named(template: str, count: int) -> list[str]:
    """Return what Forklift makes of a pvcNameTemplate: the name of each disk, or one of its cases for some."""
    cases = dict(re.findall(r"if eq \.DiskIndex ([0-9]+)}}([^{]+)", template))
    usual = template.split("{{else}}")[-1].removesuffix("{{end}}")
    return [cases.get(str(index), usual.replace("{{.DiskIndex}}", str(index))) for index in range(count)]


def _claims(tree: Tree, group: Group, machine: Machine) -> list[str]:
    if machine.golden:
        return [
            source["metadata"]["name"]
            for source in tree.of_kind("DataSource", group)
            if source["metadata"]["name"] in {disk.claim for disk in machine.disks}
        ]
    [vm] = [v for v in tree.of_kind("VirtualMachine", group) if v["metadata"]["name"] == machine.target_name]
    volumes = vm["spec"]["template"]["spec"]["volumes"]
    if machine.clone_of is not None:
        templates = [each["metadata"]["name"] for each in vm["spec"]["dataVolumeTemplates"]]
        assert templates == [v["dataVolume"]["name"] for v in volumes if "dataVolume" in v]
        return templates
    return [v["persistentVolumeClaim"]["claimName"] for v in volumes if "persistentVolumeClaim" in v]


@ANY
@OFTEN
def test_no_reference_dangles_and_no_object_is_there_twice(estate: Estate, dice: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        _, output = compiled(estate, Path(name), dice)
    tree, graph = Tree(output.files), Graph()
    keys: Counter[Key] = Counter()
    for path, obj in tree.placed():
        graph.add(obj)
        keys[key_of(obj)] += path.startswith(("bases/", "infra/", "clusters/"))
    external = frozenset(tuple(line.split()) for line in output.files["locks/external.txt"].decode().splitlines())
    issues, _ = graph.check(external)
    assert [issue.message for issue in issues] == []
    assert {key: count for key, count in keys.items() if count > 1} == {}


@ANY
@OFTEN
def test_no_root_holds_more_than_it_can_build(estate: Estate, dice: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        _, output = compiled(estate, Path(name), dice)
    tree = Tree(output.files)
    listed: Counter[str] = Counter()
    for path in output.files:
        directory, _, file = path.rpartition("/")
        if file == "kustomization.yaml" and not directory.startswith(("components/",)) and "/local" not in directory:
            found = list(tree.resources(directory))
            assert sum(len(tree.manifests[each]) for each in found) <= MAX_OF_ROOT
            if not directory.startswith("overlays/"):
                listed.update(p for p in found if posixpath.dirname(p) == directory)
    assert set(listed) == set(tree.manifests) - {argocd_health.PATH}  # which an administrator applies


@ANY
@OFTEN
def test_assignments_are_read_as_they_were_written_and_every_vm_is_explained(estate: Estate, dice: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        estate, output = compiled(estate, Path(name), dice)
        spec = estate.write(Path(name, "read"), assignments=output.assignments)
        assert load(spec).assignments == output.checked.resolution.assignments
    decisions = output.checked.resolution.blueprint.decisions
    for vm in estate.vms:
        subjects = {decision.subject for decision in decisions[f"vc1/{vm.get('id', vm['name'])}"]}
        assert subjects >= (
            {"path", "method", "phase", "group", "namespace", "target name"} if "phase" in vm else set()
        )
        assert subjects
    assert bool(output.checked.resolution.blueprint.groups) == any("phase" in vm for vm in estate.vms)


@pytest.mark.kustomize
@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("kustomize") and not shutil.which("kubectl"), reason="kustomize is not installed")
@ANY
@settings(max_examples=2, deadline=None)
def test_what_is_written_passes_verify(estate: Estate, dice: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        _, output = compiled(estate, Path(name), dice)
        write(output.compiled)
        report = verify(output.compiled.root, [])
    assert [f"{finding.code} {finding.message}" for finding in report.findings] == []
