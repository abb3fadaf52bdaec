"""Generated specs that are valid: VMs of every path and method, with whatever vSphere lets people write."""

import random
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

from vmferry.check import Checked, check
from vmferry.compile import Compiled, compile_tree
from vmferry.model.spec import Stage
from vmferry.yaml.write import dump

API = "vmferry.dev/v1alpha1"
STAGES: tuple[Stage, ...] = ("planned", "prepared", "migrating", "cutover")
WINDOW = "2027-01-11T20:00:00Z"
NAMESPACES = ("web", "db", "legacy-apps")
KINDS = ("warm", "cold", "job", "image", "template", "clone", "rebuild", "retire")

Data = dict[str, Any]

ANY_WAY = {"rule": "VMF850", "reason": "it does not matter how the groups came here"}

# name in vSphere -> what becomes of it; the pod network comes first
NETWORKS: dict[str, Data] = {
    "VM Network": {"source": {"portGroup": "VM Network", "id": "network-7"}, "target": {"type": "pod"}},
    "VLAN 120 (prod)": {
        "source": {"portGroup": "VLAN 120 (prod)", "vlan": 120},
        "target": {"type": "bridge", "bridge": "br-vm"},
    },
    "trunk": {
        "source": {"portGroup": "trunk", "trunk": ["100-110", "200"]},
        "target": {"type": "bridge", "bridge": "br-vm", "mtu": 9000},
    },
    "web/overlay": {
        "source": {"segment": "web/overlay", "id": "dvportgroup-43", "transportZone": "overlay"},
        "target": {"type": "ovn-layer2"},
    },
    "dmz": {
        "source": {"segment": "dmz", "id": "dvportgroup-42", "transportZone": "vlan", "vlan": 30},
        "target": {"type": "ovn-localnet", "physicalNetwork": "physnet"},
    },
    "fast": {
        "source": {"portGroup": "fast"},
        "target": {"type": "sriov", "resourceName": "intel.com/nic", "vlan": 7},
    },
    "macvtap": {"source": {"portGroup": "macvtap"}, "target": {"type": "macvtap", "resource": "eth1"}},
    "there-already": {
        "source": {"portGroup": "there-already"},
        "target": {
            "type": "nad",
            "name": "storage",
            "namespace": "default",
            "pool": ["storage-b", "storage-a", "storage-c"],  # as many as a VM has NICs
        },
    },
    "old backup": {
        "source": {"portGroup": "old backup"},
        "target": {"type": "ignored", "reason": "backups are taken from the storage now"},
    },
}
DATASTORES = {"vsan gold": "gold", "nfs-01": "silver", "local": "scratch"}
CLASSES: list[Data] = [
    {"name": "ceph-block", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold", "snapshots": True},
    {"name": "ceph-fs", "provisioner": "rook-ceph.cephfs.csi.ceph.com", "tier": "silver"},
    {
        "name": "hostpath",
        "provisioner": "kubevirt.io.hostpath-provisioner",
        "tier": "scratch",
        "waitForFirstConsumer": True,
    },
]


WAYS: tuple[Data, ...] = (
    {},
    {"conversion": "skip"},
    {"conversion": "skip", "devices": "virtio"},
    {"forklift": {"serviceAccount": "mover", "nestedVirtualization": False}},
    {"forklift": {"conversionStorage": {"storageClass": "ceph-block", "size": "100Gi"}, "convertor": {"spread": True}}},
    {"forklift": {"tags": ["prod"], "legacyDrivers": True}},
)
"""What a VM may ask of Forklift; each is another Plan."""


class Estate(NamedTuple):
    """A spec as data: the MigrationSpec without VMs, and the VMs."""

    spec: Data
    vms: list[Data]

    def copy(self) -> "Estate":
        """Return an estate that can be changed without changing this one."""
        return deepcopy(self)

    def write(self, directory: Path, *, dice: random.Random | None = None, assignments: bytes | None = None) -> Path:
        """Write the spec: as one file, or over files as ``dice`` fall, its VMs in any order.

        One that was written there before as one file is replaced.
        """
        directory.mkdir(parents=True, exist_ok=dice is None)
        vms, parts = list(self.vms), [list(self.vms)]
        if dice is not None:
            dice.shuffle(vms)
            cuts = sorted(dice.choices(range(len(vms) + 1), k=dice.randrange(4)))
            parts = [vms[start:end] for start, end in zip([0, *cuts], [*cuts, len(vms)], strict=True)]
        names = [f"{chr(ord('a') + i)}-{i}" for i in range(1, len(parts))]
        if dice is not None:
            dice.shuffle(names)
        spec = self.spec | {"vms": parts[0]} | ({"include": ["teams/**/*.yaml"]} if names else {})
        (directory / f"{'spec' if dice is None else 'zz-migration'}.yaml").write_bytes(dump(spec))
        for name, part in zip(names, parts[1:], strict=True):
            path = directory / "teams" / name / "vms.yaml"
            path.parent.mkdir(parents=True)
            head = {"apiVersion": API, "kind": "VirtualMachineSet", "metadata": {"name": name}}
            path.write_bytes(dump(head | {"vms": part}))
        if assignments is not None:
            (directory / "assignments.yaml").write_bytes(assignments)
        return directory


class Output(NamedTuple):
    """What an estate compiles to."""

    checked: Checked
    compiled: Compiled
    files: Mapping[str, bytes]
    assignments: bytes

    @property
    def groups(self) -> dict[str, str]:
        """Return the group of each VM by key."""
        return {m.key: group.name for group in self.checked.resolution.blueprint.groups for m in group.machines}


def build(
    estate: Estate, directory: Path, *, dice: random.Random | None = None, assignments: bytes | None = None
) -> Output:
    """Return what an estate compiles to; nothing but the spec is written."""
    spec = estate.write(directory, dice=dice, assignments=assignments)
    checked = check(spec)
    errors = [f"{f.code} {f.message}" for f in checked.findings if f.is_error]
    assert not errors, "\n".join(errors)
    compiled = compile_tree(checked, directory / "out", spec / "assignments.yaml")
    assert compiled.changes.conflicts == ()
    return Output(checked, compiled, compiled.changes.contents, compiled.assignments_content)


@st.composite
def estates(draw: st.DrawFn, *, max_vms: int = 14, offload: bool = True) -> Estate:
    """Return a spec that compiles; ``offload``: a storage array may copy disks, which then may not move anywhere."""
    phases = draw(st.sampled_from((1, 2, 3)))
    vms = [draw(_machines(index, phases)) for index in range(draw(st.integers(1, max_vms)))]
    _add_templates(draw, vms)
    _add_shared_disk(draw, vms, phases)
    _add_dependencies(draw, vms)
    draw(st.randoms(use_true_random=False)).shuffle(vms)
    spec = _spec(draw, phases)
    if offload:
        _add_offload(draw, spec)
    return Estate(spec, vms)


def _spec(draw: st.DrawFn, phases: int) -> Data:
    vcenter: Data = {
        "url": "https://vc1.example.com/sdk",
        "credentials": {"secretRef": {"name": "vc1-vcenter"}},
        "conversionCredentials": {"secretRef": {"name": "vc1-conversion"}},
        "thumbprint": ":".join(["5A"] * 20),
        "vddkImage": "registry.example.com/vddk:8.0.3",
    }
    quota = draw(st.sampled_from(("auto", "none")))
    kinds = ("dev-test", "stateless", "stateful")
    return {
        "apiVersion": API,
        "kind": "MigrationSpec",
        "metadata": {"name": "acme"},
        "sources": [{"name": "vc1", "vcenter": vcenter}],
        "target": {
            "cluster": {"name": "prod-a", "cni": "ovn-kubernetes"},
            "gitops": {
                "engine": draw(st.sampled_from(("flux", "argocd"))),
                "repoURL": "https://git.example.com/platform/gitops",
            },
        },
        "networks": list(NETWORKS.values()),
        "storage": {
            "classes": CLASSES,
            "map": [{"source": {"datastore": name}, "tier": tier} for name, tier in DATASTORES.items()],
        },
        "namespaces": [
            {"name": name, "source": {"folder": f"/Prod/{name}"}, "quota": quota, "networkPolicy": policy}
            for name, policy in zip(NAMESPACES, ("none", "isolate", "none"), strict=True)
        ],
        "phases": [
            {"name": f"p{rank}", "kind": kinds[rank], "windows": [{"start": WINDOW, "duration": "6h"}]}
            | ({"after": [f"p{rank - 1}"]} if rank else {})
            for rank in range(phases)
        ],
        "access": [
            {"group": "oidc:team", "role": role, "namespaces": list(NAMESPACES[:1])}
            for role in sorted(draw(st.sets(st.sampled_from(("view", "operate", "edit")))))
        ],
        "settings": {"grouping": {"maxVms": draw(st.sampled_from((1, 2, 3, 40)))}},
    }


_NAMES = st.one_of(
    st.from_regex(r"\A[a-z][a-z0-9-]{0,9}[a-z0-9]\Z"),
    st.text("abyzABÄéß日本🦀 ._-()'#&+,;!/0189", min_size=1, max_size=12),
    st.text("ab-", min_size=60, max_size=80),
)


_DIGITS = ("0123456789", "⓪①②③④⑤⑥⑦⑧⑨")


@st.composite
def _machines(draw: st.DrawFn, index: int, phases: int) -> Data:
    kind = draw(st.sampled_from(KINDS[:4] + KINDS[6:]))
    return draw(machines(index, kind, phase=draw(st.integers(0, phases - 1))))


@st.composite
def machines(draw: st.DrawFn, index: int, kind: str, *, phase: int = 0, namespace: str | None = None) -> Data:
    """Return a VM that moves in a certain way; ``index`` makes it unlike all others."""
    home = namespace or draw(st.sampled_from(NAMESPACES))
    firmware = draw(st.sampled_from(("bios", "efi")))
    # the number keeps names apart, but not always for Kubernetes, which takes no circled ones
    vm: Data = {
        "name": draw(_NAMES) + "".join(draw(st.sampled_from(_DIGITS))[int(digit)] for digit in f"{index}"),
        "uuid": f"42301f6e-1c5d-4c6e-9d3a-{index:012x}",
        "datacenter": "DC1",
        "host": "esx1.example.com",
        "powerState": draw(st.sampled_from(("poweredOn", "poweredOff", "suspended"))),
        "os": draw(st.sampled_from(("linux", "windows", "other"))),
        "firmware": firmware,
        "secureBoot": firmware == "efi" and draw(st.booleans()),
        "vtpm": firmware == "efi" and draw(st.booleans()),
        "cpu": {"count": 4, "coresPerSocket": draw(st.sampled_from((1, 2, 4)))},
        "memory": draw(st.sampled_from(("512Mi", "8Gi", "1536Mi"))),
    }
    told_by_name = kind in ("warm", "cold") and "/" in vm["name"]  # Forklift would take the name for a path
    if told_by_name or draw(st.booleans()):
        vm["id"] = f"vm-{1000 + index}"
    if draw(st.booleans()):
        vm["namespace"] = home
    else:
        vm["folder"] = f"/Prod/{home}" + draw(st.sampled_from(("", "/deeper")))
    if kind == "retire":
        return vm | {"disposition": "retire", "reason": "nobody has used it for a year"}
    vm["phase"] = f"p{phase}"
    if kind == "rebuild":
        vm |= {"disposition": "rebuild", "application": _application(draw)}
        # a StatefulSet's name is a label of its pods, with a digest: it has to be short
        return vm | ({"targetName": f"app-{index}"} if vm["application"]["kind"] == "StatefulSet" else {})
    vm |= {
        "path": "forklift" if kind in ("warm", "cold") else "virt-v2v",
        "method": kind if kind in ("warm", "cold", "job") else "image",
    }
    vm["nics"] = _nics(draw, index, kind)
    datastores = st.sampled_from(tuple(DATASTORES))
    vm["disks"] = [
        {
            "size": draw(st.sampled_from(("20Gi", "40Gi", "999Mi"))),
            "datastore": draw(datastores),
            "controller": draw(st.sampled_from(("scsi", "nvme", "sata", "ide"))),
        }
        for _ in range(draw(st.integers(1, 3)))
    ]
    if kind in ("warm", "cold") and draw(st.booleans()):
        vm["labels"] = {"tier": draw(st.sampled_from(("a", "b")))}
    if kind in ("warm", "cold"):
        vm |= deepcopy(draw(st.sampled_from(WAYS)))
        if len({disk["datastore"] for disk in vm["disks"]}) > 1:  # where the array copies one of them, not the other
            vm["forklift"] = vm.get("forklift", {}) | {"offload": False}
    if draw(st.booleans()):
        vm["ports"] = [{"name": "http", "port": 80}]
        vm["targetName"] = f"vm-{index}"  # a Service's name begins with a letter
    return vm


def _application(draw: st.DrawFn) -> Data:
    application: Data = {
        "image": "registry.example.com/app:1.4.2",
        "kind": draw(st.sampled_from(("Deployment", "StatefulSet"))),
        "ports": [],
    }
    if draw(st.booleans()):
        application["config"] = {"app.ini": "[main]\ncolour = blue\n"}
    if draw(st.booleans()):
        application["state"] = [{"name": "data", "mountPath": "/data", "size": "5Gi", "tier": "gold"}]
    return application


def _nics(draw: st.DrawFn, index: int, kind: str) -> list[Data]:
    networks = draw(st.lists(st.sampled_from(tuple(NETWORKS)), max_size=4))
    if networks.count("VM Network") > 1:
        networks = [name for name in networks if name != "VM Network"]
    if kind in ("warm", "cold"):  # Forklift binds bridges only
        networks = [name for name in networks if name not in ("fast", "macvtap")]
    result = []
    for number, name in enumerate(networks):
        mac = f"00:50:56:{index:02x}:{kind == 'clone':02x}:{number:02x}"
        spelled = draw(st.sampled_from((mac, mac.upper(), mac.replace(":", "-"))))
        by_id = NETWORKS[name]["source"].get("id", name)
        result.append({"network": draw(st.sampled_from((name, by_id))), "mac": spelled})
    return result


def _add_templates(draw: st.DrawFn, vms: list[Data]) -> None:
    if not draw(st.booleans()):
        return
    template = draw(machines(200, "template")) | {"template": True}
    template.pop("ports", None)
    vms.append(template)
    for number in range(draw(st.integers(0, 2))):
        vms.append(clone(draw(machines(201 + number, "clone")), template))


def clone(vm: Data, template: Data) -> Data:
    """Return a VM as a clone of a template: with disks of its own, as large."""
    return vm | {"cloneOf": template["name"], "disks": [{"size": "40Gi", "tier": "gold"} for _ in template["disks"]]}


def _add_shared_disk(draw: st.DrawFn, vms: list[Data], phases: int) -> None:
    if not draw(st.booleans()):
        return
    phase, home = draw(st.integers(0, phases - 1)), draw(st.sampled_from(NAMESPACES))
    for number in range(draw(st.integers(2, 3))):
        member = draw(machines(210 + number, "image", phase=phase, namespace=home))
        member["disks"].append({"size": "10Gi", "datastore": "vsan gold", "controller": "scsi", "shared": "quorum"})
        vms.append(member)


def _add_offload(draw: st.DrawFn, spec: Data) -> None:
    """Let the storage array copy one datastore."""
    for row in spec["storage"]["map"] if draw(st.booleans()) else ():
        if row["source"]["datastore"] == "vsan gold":
            row["offload"] = {"xcopy": {"secretRef": "array", "storageVendorProduct": "vantara"}}


def _add_dependencies(draw: st.DrawFn, vms: list[Data]) -> None:
    """Have VMs need others of their phase or an earlier one."""
    moving = [vm for vm in vms if "phase" in vm]
    for vm in moving:
        needed = [other["name"] for other in moving if other is not vm and other["phase"] < vm["phase"]]
        if needed and draw(st.booleans()):
            vm["dependsOn"] = [draw(st.sampled_from(needed)), {"external": "smtp.example.com:25"}]
    if draw(st.booleans()):  # a circle: the two are one
        pair = [draw(machines(220 + n, "job", namespace="web")) for n in range(2)]
        for vm, other in zip(pair, reversed(pair), strict=True):
            vm["dependsOn"] = [other["name"]]
        vms += pair


def staged(estate: Estate, output: Output, dice: random.Random) -> Estate:
    """Return the estate with each group at a stage as ``dice`` fall; VMs only need what is in earlier phases."""
    groups: Data = {}
    running: dict[str, bool] = {}  # whether all of a phase does
    images: set[str] = set()  # golden images at cutover
    for group in output.checked.resolution.blueprint.groups:
        waits = not all(runs for phase, runs in running.items() if phase < group.phase)
        waits = waits or not {m.clone_of for m in group.machines if m.clone_of} <= images
        stage = dice.choice(STAGES[:-1] if waits else STAGES)
        running[group.phase] = running.get(group.phase, True) and stage == "cutover"
        images |= {m.target_name for m in group.machines if m.golden and stage == "cutover"}
        groups[group.name] = {"stage": stage, "attempt": dice.choice((1, 2))}
        if group.method == "warm" and stage == "cutover":
            groups[group.name]["cutover"] = WINDOW
    return Estate(estate.spec | {"groups": groups, "suppress": [ANY_WAY]}, estate.vms)
