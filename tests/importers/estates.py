"""Small inventories to draft a spec from."""

from pathlib import Path
from typing import Any

import msgspec

from vmferry.model.facts import Cpu, Disk, Nic
from vmferry.model.inventory import Inventory, InventoryDatastore, InventoryMetadata, InventoryNetwork, Origin
from vmferry.model.spec import VirtualMachine
from vmferry.yaml.write import dump

NETWORK, DATASTORE = "VM Network", "ds-1"
URL = "https://vc1.example.com/sdk"


def disk(size: str = "40Gi", **fields: Any) -> Disk:
    return Disk(**({"size": size, "datastore": DATASTORE} | fields))


def nic(number: int, network: str = NETWORK, **fields: Any) -> Nic:
    return Nic(**({"network": network, "mac": f"00:50:56:00:{number >> 8:02x}:{number & 255:02x}"} | fields))


def vm(number: int, name: str, **fields: Any) -> VirtualMachine:
    """Return a VM of which everything is known, unless ``fields`` say otherwise."""
    known: dict[str, Any] = {
        "id": f"vm-{number}",
        "uuid": f"42301f6e-1c5d-4c6e-9d3a-{number:012x}",
        "datacenter": "DC1",
        "cluster": "C1",
        "host": "esx1",
        "folder": "/Prod/Web",
        "power_state": "poweredOn",
        "os": "linux",
        "guest_id": "rhel9_64Guest",
        "firmware": "bios",
        "cpu": Cpu(count=2, cores_per_socket=2),
        "memory": "4Gi",
        "disks": (disk(),),
        "nics": (nic(number),),
        "change_tracking": False,
        "snapshots": 0,
    }
    return VirtualMachine(name=name, **(known | fields))


def estate(*vms: VirtualMachine, source: str = "vc1", **fields: Any) -> Inventory:
    """Return the inventory of one vCenter, with a network and a datastore."""
    known: dict[str, Any] = {
        "networks": (InventoryNetwork(name=NETWORK, id="dvportgroup-1", kind="distributed", vlan=120),),
        "datastores": (InventoryDatastore(name=DATASTORE, kind="VMFS"),),
    }
    url = f"https://{source}.example.com/sdk"
    return Inventory(
        metadata=InventoryMetadata(name=source),
        source=Origin(name=source, kind="vcenter", url=url),
        vms=vms,
        **(known | fields),
    )


def save(directory: Path, *parts: Inventory) -> Path:
    """Write inventories as `vmferry import` does, and return their directory."""
    for part in parts:
        path = directory / part.source.name / f"{part.metadata.name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dump({"apiVersion": part.api_version, "kind": part.kind, **msgspec.to_builtins(part)}))
    return directory
