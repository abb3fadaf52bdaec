"""The guests that are proved: what runs in each, and the migration spec that moves them."""

from typing import Any, Literal, NamedTuple

from vmferry.yaml.write import dump

Stack = Literal["ifupdown", "networkd", "netplan", "NetworkManager"]


class Nic(NamedTuple):
    """A NIC as it was in vSphere: its name in the guest, and its addresses; none: it asks by DHCP."""

    mac: str
    interface: str
    addresses: tuple[str, ...] = ()
    gateway: str | None = None


class Guest(NamedTuple):
    """A Debian guest: ``lvm`` has its root on a volume over two disks, a template is cloned by ``clones``."""

    name: str
    stack: Stack
    nics: tuple[Nic, ...]
    firmware: Literal["bios", "efi"] = "bios"
    method: Literal["job", "image"] = "job"
    lvm: bool = False
    clones: tuple[str, ...] = ()
    cheap: bool = False

    @property
    def uuid(self) -> str:
        """Return config.uuid, in vCenter's order of bytes."""
        return f"42301122-3344-5566-7788-{int.from_bytes(self.name.encode()[-6:], 'big'):012x}"

    @property
    def disks(self) -> tuple[int, ...]:
        """Return the sizes of its disks, in MiB."""
        return (300, 900) if self.lvm else (1000,)


GUESTS = (
    Guest(
        name="ifup-01",
        stack="ifupdown",
        nics=(Nic("00:50:56:91:5d:01", "ens192", ("10.99.0.20/24",), "10.99.0.1"),),
        cheap=True,
    ),
    Guest(
        name="netplan-01",
        stack="netplan",
        firmware="efi",
        method="image",
        nics=(
            Nic("00:50:56:91:5d:11", "ens160", ("10.99.1.20/24", "2001:db8:1::20/64"), "10.99.1.1"),
            Nic("00:50:56:91:5d:12", "ens192", ("10.98.1.20/24",)),
        ),
        cheap=True,
    ),
    Guest(
        name="networkd-01",
        stack="networkd",
        nics=(
            Nic("00:50:56:91:5d:21", "ens192", ("10.99.2.20/24",), "10.99.2.1"),
            Nic("00:50:56:91:5d:22", "ens224"),
        ),
    ),
    Guest(
        name="nm-01",
        stack="NetworkManager",
        firmware="efi",
        nics=(Nic("00:50:56:91:5d:31", "ens192", ("10.99.3.20/24",), "10.99.3.1"),),
    ),
    Guest(
        name="lvm-01",
        stack="ifupdown",
        lvm=True,
        nics=(
            Nic("00:50:56:91:5d:41", "ens224", ("10.99.4.20/24",), "10.99.4.1"),
            Nic("00:50:56:91:5d:42", "ens192", ("10.98.4.20/24",)),
        ),
    ),
    Guest(
        name="golden-01",
        stack="ifupdown",
        method="image",
        nics=(Nic("00:50:56:91:5d:51", "ens192"),),
        clones=("clone-01", "clone-02"),
    ),
)


def spec() -> dict[str, bytes]:
    """Return the files of a migration of all guests, as somebody would write it who has imported their facts."""
    migration = {
        "apiVersion": "vmferry.dev/v1alpha1",
        "kind": "MigrationSpec",
        "metadata": {"name": "guests"},
        "sources": [
            {
                "name": "vc1",
                "vcenter": {
                    "url": "https://vc1.example.com/sdk",
                    "credentials": {"secretRef": {"name": "vc1"}},
                    "conversionCredentials": {"secretRef": {"name": "vc1"}},
                    "thumbprint": ":".join(["5A"] * 20),
                    "vddkImage": "registry.example.com/vddk:8.0.3",
                },
            }
        ],
        "target": {
            "cluster": {"name": "prod-a", "cni": "cilium", "v2vImage": "quay.io/kubev2v/forklift-virt-v2v:v2.9.0"},
            "gitops": {"engine": "flux", "repoURL": "https://git.example.com/gitops"},
        },
        "networks": [
            {"source": {"portGroup": f"vlan-{vlan}", "vlan": vlan}, "target": {"type": "bridge", "bridge": "br-vm"}}
            for vlan in (7, 8)
        ],
        "storage": {
            "classes": [{"name": "ceph", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold"}],
            "map": [{"source": {"datastore": "ds1"}, "tier": "gold"}],
        },
        "namespaces": [{"name": "guests"}],
        "phases": [{"name": "first"}],
        "defaults": {"phase": "first", "namespace": "guests", "path": "virt-v2v", "liveMigration": "preferred"},
        "vms": [vm for guest in GUESTS for vm in _vms(guest)],
    }
    return {"spec.yaml": dump(migration)}


def _vms(guest: Guest) -> list[dict[str, Any]]:
    vm = _facts(guest, guest.name, guest.uuid) | {
        "nics": [_nic(index, nic) for index, nic in enumerate(guest.nics)],
        "disks": [_disk(guest, number, size) for number, size in enumerate(guest.disks)],
    }
    if not guest.clones:
        return [vm]
    clones = [
        _facts(guest, name, guest.uuid[:-2] + f"{number:02x}")
        | {"cloneOf": guest.name, "nics": [_nic(0, Nic(f"00:50:56:91:5e:{number:02x}", "ens192"))]}
        for number, name in enumerate(guest.clones, start=1)
    ]
    return [vm | {"template": True}, *clones]


def _facts(guest: Guest, name: str, uuid: str) -> dict[str, Any]:
    return {
        "name": name,
        "id": f"vm-{sum(name.encode())}",
        "uuid": uuid,
        "datacenter": "DC",
        "host": "esx1.example.com",
        "powerState": "poweredOn",
        "os": "linux",
        "guestId": "debian12_64Guest",
        "hardwareVersion": "vmx-19",
        "hostname": name,
        "firmware": guest.firmware,
        "secureBoot": False,
        "vtpm": False,
        "cpu": {"count": 1},
        "memory": "1Gi",
        "method": guest.method,
    }


def _nic(index: int, nic: Nic) -> dict[str, Any]:
    facts = {"network": f"vlan-{7 + index}", "mac": nic.mac, "adapter": "vmxnet3"}
    if not nic.addresses:
        return facts | {"origin": "dhcp"}
    gateway = {"gateway": nic.gateway} if nic.gateway else {}
    return facts | {"origin": "static", "addresses": list(nic.addresses)} | gateway


def _disk(guest: Guest, number: int, size: int) -> dict[str, Any]:
    suffix = f"_{number}" if number else ""
    facts = {"size": f"{size}Mi", "datastore": "ds1", "file": f"[ds1] {guest.name}/{guest.name}{suffix}.vmdk"}
    facts |= {"controller": "scsi", "unit": f"scsi0:{number}"}
    if guest.method == "image":
        facts["source"] = {"http": {"url": f"https://images.example.com/{guest.name}-{number}.qcow2"}}
    return facts
