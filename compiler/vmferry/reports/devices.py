"""Nodes with GPUs and other passed-through devices: what prepares them, as text to copy."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from vmferry.model.report import Snippet
from vmferry.model.review import Subject
from vmferry.model.spec import Distribution

_ID = re.compile(r"pci ([0-9a-f]{4}:[0-9a-f]{4})(?![^ ])")
"""How a device in an inventory begins: vendor and device."""

_UNKNOWN = "VENDOR:DEVICE"
_HINT = "  # as `lspci -nn` shows it on the node"


def snippets(distribution: Distribution, resources: Mapping[str, Sequence[str]]) -> Iterator[Snippet]:
    """Yield what prepares nodes and KubeVirt for devices; with each resource name the ids that are known for it.

    Source: kubevirt/user-guide docs/compute/host-devices.md; linux drivers/vfio/pci/vfio_pci.c (ids).
    """
    ids = sorted({each for known in resources.values() for each in known})
    title, text = _node(distribution, ["intel_iommu=on", "iommu=pt", f"vfio-pci.ids={','.join(ids) or _UNKNOWN}"])
    before = (
        "# In the BIOS: VT-d (Intel) or AMD-Vi (AMD). Leave out intel_iommu=on with AMD.\n"
        "# Afterwards `lspci -nnk` says on the node: Kernel driver in use: vfio-pci.\n"
    )
    yield Snippet(f"IOMMU and vfio-pci: {title}", before + text)
    yield Snippet("permittedHostDevices: the KubeVirt resource", _permitted(resources))


def _node(distribution: Distribution, arguments: list[str]) -> tuple[str, str]:
    """Return where kernel arguments are set and the text there."""
    match distribution:
        case "openshift":
            return "a MachineConfig", (
                "apiVersion: machineconfiguration.openshift.io/v1\n"
                "kind: MachineConfig\n"
                "metadata:\n"
                "  name: 100-worker-iommu\n"
                "  labels:\n"
                "    machineconfiguration.openshift.io/role: worker\n"
                "spec:\n"
                "  config: {ignition: {version: 3.2.0}}\n"
                "  kernelArguments:\n" + "".join(f'    - "{each}"\n' for each in arguments)
            )
        case "talos":
            return "the machine configuration", (
                "machine:\n"
                "  install:\n"
                "    extraKernelArgs:\n"
                + "".join(f'      - "{each}"\n' for each in arguments)
                + "  kernel:\n    modules:\n      - name: vfio_pci\n"
            )
    return "/etc/default/grub", (
        f'GRUB_CMDLINE_LINUX="... {" ".join(arguments)}"\n'
        "# then: grub2-mkconfig -o /boot/grub2/grub.cfg (Debian, Ubuntu: update-grub)\n"
        "#       echo vfio-pci > /etc/modules-load.d/vfio-pci.conf\n"
        "#       reboot\n"
    )


def _permitted(resources: Mapping[str, Sequence[str]]) -> str:
    lines = ["spec:", "  configuration:", "    permittedHostDevices:", "      pciHostDevices:"]
    for name, ids in sorted(resources.items()):
        for each in ids or [_UNKNOWN]:
            lines.append(f'        - pciVendorSelector: "{each.upper()}"{"" if ids else _HINT}')
            lines.append(f'          resourceName: "{name}"')
    lines += [
        "# A vGPU goes under mediatedDevices, with mdevNameSelector: what the node has in the file",
        "# /sys/bus/pci/devices/ADDRESS/mdev_supported_types/TYPE/name.",
        "# Where a device plugin such as NVIDIA's offers the resource, add externalResourceProvider: true.",
    ]
    return "\n".join(lines) + "\n"


def device_ids(subjects: Iterable[Subject]) -> dict[str, list[str]]:
    """Return the ids of the devices behind each resource name; none where the VMs that have it leave that open."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    unsure: set[str] = set()
    for subject in subjects:
        names = {each.device_name for each in (*subject.vm.gpus, *subject.vm.host_devices)}
        ids = {match[1] for each in subject.vm.passthrough or () if (match := _ID.match(each))}
        for name in names:
            found[name] |= ids
            if len(names) != 1 or len(ids) != 1:
                unsure.add(name)
    return {name: [] if name in unsure else sorted(ids) for name, ids in sorted(found.items())}
