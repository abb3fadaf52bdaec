"""VirtualMachines as Forklift makes them from vSphere, and KubeVirt's webhook stores them: written down from its code.

Lines are those of pkg/controller/plan/adapter/vsphere/builder.go (b) and pkg/controller/plan/kubevirt.go (k) of
kubev2v/forklift at tags v2.10.6 / v2.12.5 / main (d42511bb); `stored` adds what KubeVirt's mutating webhook does.
"""

import copy
import hashlib
from pathlib import Path
from typing import Any

import yaml

Data = dict[str, Any]

RELEASES = ("2.10", "2.12", "main")
NAMESPACE = "web"

SPEC = """\
apiVersion: vmferry.dev/v1alpha1
kind: MigrationSpec
metadata: {{name: acme}}
sources:
  - name: vc1
    vcenter:
      url: https://vc1.example.com/sdk
      credentials: {{secretRef: {{name: vc1-vcenter}}}}
      conversionCredentials: {{secretRef: {{name: vc1-conversion}}}}
      thumbprint: "5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A"
      vddkImage: registry.example.com/vddk:8.0.3
target:
  cluster:
    name: prod-a
    cni: cilium
    v2vImage: quay.io/kubev2v/forklift-virt-v2v:v2.9.0
    smokeImage: quay.io/containerdisks/fedora:41
    versions: {{forklift: "{release}"}}
  gitops: {{engine: flux, repoURL: "https://git.example.com/platform/gitops"}}
networks:
  - {{source: {{portGroup: vlan-7, vlan: 7}}, target: {{type: bridge, bridge: br-vm, vlan: 7}}}}
  - {{source: {{portGroup: vlan-8, vlan: 8}}, target: {{type: bridge, bridge: br-vm, vlan: 8}}}}
  - {{source: {{portGroup: VM Network, vlan: 9}}, target: {{type: pod}}}}
storage:
  classes:
    - {{name: ceph-block, provisioner: rook-ceph.rbd.csi.ceph.com, tier: gold, snapshots: true}}
  map: [{{source: {{datastore: ds1}}, tier: gold}}]
namespaces: [{{name: web}}]
phases: [{{name: first, kind: dev-test}}]
defaults: {{phase: first, namespace: web, path: forklift, method: cold, staticIP: none}}
groups:
  first-01: {{stage: planned}}
vms:
  - name: lin-01
    id: vm-11
    uuid: 42301f6e-1c5d-4c6e-9d3a-000000000011
    powerState: poweredOn
    datacenter: DC1
    host: esx1.example.com
    hardwareVersion: vmx-19
    os: linux
    firmware: bios
    vtpm: false
    cpu: {{count: 4, coresPerSocket: 2}}
    memory: 8Gi
    disks:
      - {{size: 40Gi, datastore: ds1, key: 2000, controller: scsi, unit: "scsi0:0"}}
      - {{size: 80Gi, datastore: ds1, key: 2001, controller: scsi, unit: "scsi0:1"}}
    nics:
      - {{network: vlan-7, mac: "00:50:56:9a:10:01"}}
      - {{network: vlan-8, mac: "00:50:56:9a:10:02"}}
  - name: win-01
    id: vm-12
    uuid: 42301f6e-1c5d-4c6e-9d3a-000000000012
    powerState: poweredOn
    datacenter: DC1
    host: esx1.example.com
    hardwareVersion: vmx-19
    os: windows
    firmware: efi
    secureBoot: true
    vtpm: true
    cpu: {{count: 2, coresPerSocket: 2}}
    memory: 4Gi
    disks: [{{size: 60Gi, datastore: ds1, key: 2000, controller: scsi, unit: "scsi0:0"}}]
    nics: [{{network: vlan-7, mac: "00:50:56:9a:10:03"}}]
  - name: pod-01
    id: vm-13
    uuid: 42301f6e-1c5d-4c6e-9d3a-000000000013
    powerState: poweredOn
    datacenter: DC1
    host: esx1.example.com
    hardwareVersion: vmx-19
    os: linux
    firmware: bios
    vtpm: false
    cpu: {{count: 1, coresPerSocket: 1}}
    memory: 2Gi
    disks: [{{size: 20Gi, datastore: ds1, key: 2000, controller: scsi, unit: "scsi0:0"}}]
    nics: [{{network: VM Network, mac: "00:50:56:9a:10:04"}}]
  - name: cat-01
    id: vm-14
    instancetype: {{name: u1.large}}
    uuid: 42301f6e-1c5d-4c6e-9d3a-000000000014
    powerState: poweredOn
    datacenter: DC1
    host: esx1.example.com
    hardwareVersion: vmx-19
    os: linux
    firmware: bios
    vtpm: false
    cpu: {{count: 2, coresPerSocket: 2}}
    memory: 8Gi
    disks: [{{size: 20Gi, datastore: ds1, key: 2000, controller: scsi, unit: "scsi0:0"}}]
    nics: [{{network: vlan-7, mac: "00:50:56:9a:10:05"}}]
"""

NAMES = ("lin-01", "win-01", "pod-01", "cat-01")


def write_spec(directory: Path, release: str, stage: str = "planned", *, path: str = "forklift") -> Path:
    """Write the spec of the four VMs for a release of Forklift, with their group at a stage."""
    directory.mkdir(parents=True, exist_ok=True)
    text = SPEC.format(release=release).replace("stage: planned", f"stage: {stage}")
    if path == "virt-v2v":
        text = text.replace(
            "path: forklift, method: cold", "path: virt-v2v, method: job, windowsTimezone: Europe/Vienna"
        )
    (directory / "spec.yaml").write_text(text, encoding="utf-8")
    return directory


def facts(name: str) -> Data:
    """Return the entry of a VM in the spec."""
    [found] = [vm for vm in yaml.safe_load(SPEC.format(release="main"))["vms"] if vm["name"] == name]
    return dict(found)


def live(name: str, release: str, plan_labels: Data, claims: list[str], nads: list[str | None]) -> Data:
    """Return the VM that Forklift makes. ``plan_labels`` are the Plan's targetLabels; None in ``nads``: pod."""
    vm = facts(name)
    spec: Data = {
        "runStrategy": "Always",  # determineRunStrategy, targetPowerState on
        "template": {
            # virtualMachine (k 1533 / 2824 / 2912): targetLabels, then app; empty annotations that templates lack
            "metadata": {
                "labels": {**plan_labels, "app": name},
                "annotations": {
                    "vm.kubevirt.io/flavor": "",
                    "vm.kubevirt.io/os": "",
                    "vm.kubevirt.io/workload": "",
                },
            },
            "spec": {
                "domain": {
                    "devices": {
                        "disks": [_disk(vm, index, release) for index in range(len(claims))],
                        "inputs": [{"bus": "virtio", "name": "tablet", "type": "tablet"}],  # mapInput (b 835/875/1006)
                        "interfaces": [_interface(vm, index, nad, release) for index, nad in enumerate(nads)],
                        # mapTpm (b 1031 / 1088 / 1212)
                        "tpm": {"persistent": True} if vm["vtpm"] else {"enabled": False},
                    },
                    "clock": {"timezone": "UTC"},  # mapClock, of the ESXi host (b 848 / 888 / 1019)
                    "firmware": _firmware(vm),
                },
                # mapNetworks (b 736 / 760 / 887), networkNameTemplate nic-{{.NetworkIndex}}
                "networks": [
                    {"name": f"nic-{index}", "pod": {}}
                    if nad is None
                    else {"name": f"nic-{index}", "multus": {"networkName": nad}}
                    for index, nad in enumerate(nads)
                ],
                # mapDisks (b 915 / 956 / 1087), volumeNameTemplate disk-{{.VolumeIndex}}
                "volumes": [
                    {"name": f"disk-{index}", "persistentVolumeClaim": {"claimName": claim}}
                    for index, claim in enumerate(claims)
                ],
            },
        },
    }
    domain = spec["template"]["spec"]["domain"]
    if vm.get("secureBoot"):  # mapFirmware (b 892 / 932 / 1063)
        domain["features"] = {"smm": {"enabled": True}}
    if vm["os"] == "windows":  # vmPreference (k 1651 / 2967 / 3055): names from a ConfigMap, kinds in singular
        spec["preference"] = {"kind": "virtualmachineclusterpreference", "name": "windows.2k22.virtio"}
    if "instancetype" in vm:  # setInstanceType (k 1675 / 2991 / 3079); then neither CPU nor memory
        spec["instancetype"] = {"kind": "virtualmachineclusterinstancetype", "name": vm["instancetype"]["name"]}
    else:  # mapCPU, mapMemory (b 864, 858 / 904, 898 / 1035, 1029)
        cpu = vm["cpu"]
        domain["cpu"] = {"cores": cpu["coresPerSocket"], "sockets": cpu["count"] // cpu["coresPerSocket"]}
        domain["memory"] = {"guest": vm["memory"]}
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": _labels(vm, release)},
        "spec": spec,
    }


def _labels(vm: Data, release: str) -> Data:
    """Return vmLabels (k 2873 / 3898 / 3968) and setVmLabels (k 1687 / 3003 / 3091)."""
    labels = {"migration": "0f6e-1", "plan": "0f6e-2", "vmID": vm["id"], "guestConverted": "true"}
    if release != "2.10":  # planLabels (k 3852 / 3922); tags of vSphere become labels, too
        labels |= {"plan-name": "acme-first-01", "plan-namespace": "konveyor-forklift", "resource": "vm-config"}
        labels |= {"vsphere.forklift.konveyor.io/backup": "daily"}
    return labels


def _firmware(vm: Data) -> Data:
    """Return mapFirmware (b 892 / 932 / 1063): the serial number is config.uuid."""
    loader: Data = {"bios": {}}
    if vm["firmware"] == "efi":
        loader = {"efi": {"secureBoot": vm["secureBoot"]}}
    return {"bootloader": loader, "serial": vm["uuid"]}


def _disk(vm: Data, index: int, release: str) -> Data:
    """Return a disk of mapDisks (b 915 / 956 / 1087); this VM has disk.EnableUUID on."""
    disk: Data = {"disk": {"bus": "virtio"}, "name": f"disk-{index}"}
    if index == 0:  # rootDisk, or the one that virt-v2v found (from 2.12)
        disk["bootOrder"] = 1
    key = vm["disks"][index]["key"]
    uuid = f"6000C293-0000-0000-0000-{key:012d}"
    disk["serial"] = uuid  # DiskEnableUuid and scsi (b 1003 / 1060)
    if release == "main" and index == 1:  # DiskSerial without a serial number of the source (b 1186)
        disk["serial"] = hashlib.sha256(f"{vm['id']}:{key}".encode()).hexdigest()[:20]
    elif release == "main":
        disk["serial"] = uuid[:20]
    return disk


def _interface(vm: Data, index: int, nad: str | None, release: str) -> Data:
    """Return an interface of mapNetworks (b 736 / 760 / 887)."""
    interface: Data = {
        "macAddress": vm["nics"][index]["mac"],
        "model": "virtio",
        "name": f"nic-{index}",
        **({"masquerade": {}} if nad is None else {"bridge": {}}),
    }
    if release != "2.10":  # from its slot and the bridges of the VM (b 808 / 935)
        interface["pciAddress"] = f"0000:{3 + index * 8:02x}:00.0"
    return interface


def stored(vm: Data) -> Data:
    """Return the VM as the API server has it after KubeVirt's mutating webhook and some time.

    kubevirt/kubevirt pkg/virt-api/webhooks/mutating-webhook/mutators/vm-mutator.go (v1.6): UUID, machine type,
    architecture and Go's form of empty structs; then metadata and status of a running VM.
    """
    result = copy.deepcopy(vm)
    template = result["spec"]["template"]
    template["metadata"]["creationTimestamp"] = None
    template["spec"]["architecture"] = "amd64"
    domain = template["spec"]["domain"]
    domain["firmware"]["uuid"] = "5d307ca9-b3ef-428c-8861-06e72d69f223"
    domain["machine"] = {"type": "pc-q35-rhel9.6.0"}
    domain["resources"] = {}
    domain.setdefault("features", {})["acpi"] = {}
    if "preference" in result["spec"]:
        result["spec"]["preference"]["revisionName"] = "windows.2k22.virtio-v1-1"
    result["metadata"] |= {
        "annotations": {
            "kubevirt.io/latest-observed-api-version": "v1",
            "kubectl.kubernetes.io/last-applied-configuration": '{"token": "s3cr3t"}',
        },
        "creationTimestamp": "2027-01-30T22:40:11Z",
        "generation": 3,
        "resourceVersion": "881234",
        "uid": "a3d2b1c0-0000-4000-8000-000000000001",
        "managedFields": [{"manager": "forklift-controller", "operation": "Update"}],
    }
    result["status"] = {"created": True, "printableStatus": "Running", "ready": True}
    return result


def claim(name: str, phase: str = "Bound") -> Data:
    """Return a claim."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "status": {"phase": phase},
    }
