"""What a team without vmferry writes: a script that prints the VMs of a sheet through Jinja2 templates.

It is what vmferry is measured against, so it is written to be fast: C or Rust reads the YAML, templates are compiled
once, there is one file per VM and few per group, and every file is written once. It decides nothing (the group of each
VM comes in `groups.csv`), checks nothing, and overwrites whatever is there. A test holds its objects against those that
vmferry compiles.
"""

import csv
import hashlib
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
import yaml_rs
from jinja2 import Environment, FileSystemLoader, Template

Reader = Callable[[str], Any]
_READERS: dict[str, Reader] = {
    "pyyaml": lambda text: yaml.load(text, yaml.CSafeLoader),
    "yaml-rs": lambda text: yaml_rs.loads(text, parse_datetime=False),
}
_WAYS = ("warm", "cold", "job", "image", "rebuild")
_STORES = {
    "ds-gold": ("ceph-block", "Block"),
    "ds-silver": ("ceph-fs", "Filesystem"),
    "ds-local": ("local", "Filesystem"),
}


def main(spec: Path, sheet: Path, out: Path, reader: str) -> None:
    """Print the VMs of ``spec`` into ``out``; ``sheet`` has the group of each VM, and the conversion script."""
    environment = Environment(  # noqa: S701 - it prints YAML
        loader=FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    templates = {name: environment.get_template(f"{name}.yaml.j2") for name in (
        "converted", "rebuilt", "plan", "access", "kustomization", "overlay", "flux",
    )}  # fmt: skip
    script = (sheet / "convert.sh").read_text()
    for group in groups(machines(spec, _READERS[reader]), sheet):
        print_group(templates, group, script, out)


def machines(spec: Path, read: Reader) -> dict[str, dict[str, Any]]:
    """Return what the spec's files say of each VM, by its id."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for path in sorted((spec / "vms").iterdir()):
        for vm in read(path.read_text())["vms"]:
            found[vm["id"]].update(vm)
    return found


def groups(found: dict[str, dict[str, Any]], sheet: Path) -> list[dict[str, Any]]:
    """Return the groups of the sheet, with what the templates ask of their VMs."""
    members: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with (sheet / "groups.csv").open(newline="") as file:
        for key, group in csv.reader(file):
            members[group].append(described(found[key], group))
    return [
        {
            "name": name,
            "vms": sorted(vms, key=lambda vm: vm["id"]),
            "phase": vms[0]["phase"],
            "namespace": vms[0]["namespace"],
            "way": vms[0]["way"],
            "networks": sorted({nic["network"] for vm in vms for nic in vm["nics"]}),
            "stores": [(name, *_STORES[name]) for name in sorted({d["datastore"] for vm in vms for d in vm["disks"]})],
        }
        for name, vms in members.items()
    ]


def described(vm: dict[str, Any], group: str) -> dict[str, Any]:
    """Return a VM with what follows from its facts."""
    target = vm["name"].lower().replace(".", "-").replace("_", "-")
    digits = vm["uuid"].replace("-", "")
    pairs = [digits[at : at + 2] for at in range(0, 32, 2)]
    disks = []
    for index, disk in enumerate(vm["disks"]):
        storage_class, mode = _STORES[disk["datastore"]]
        disks.append(
            {
                "name": f"disk-{index}",
                "claim": f"{target}-disk-{index}",
                "size": disk["size"],
                "datastore": disk["datastore"],
                "class": storage_class,
                "mode": mode,
                "device": f"/dev/block{index}" if mode == "Block" else f"/mnt/disks/disk{index}/disk.img",
                "serial": hashlib.sha256(f"vc1/{vm['id']}:{index}".encode()).hexdigest()[:20],
            }
        )
    return vm | {
        "target": target,
        "group": group,
        "phase": vm["customAttributes"]["phase"],
        "namespace": vm["customAttributes"]["owner"],
        "way": next(way for way in _WAYS if f"way-{way}" in vm["tags"]),
        "windows": vm["os"] == "windows",
        "sockets": vm["cpu"]["count"] // vm["cpu"]["coresPerSocket"],
        "disks": disks,
        "scratch": max(int(disk["size"].removesuffix("Gi")) for disk in disks),
        "serial": f"VMware-{' '.join(pairs[:8])}-{' '.join(pairs[8:])}",
        "guest_uuid": "-".join(
            ("".join(pairs[3::-1]), "".join(pairs[5:3:-1]), "".join(pairs[7:5:-1]), "".join(pairs[8:10]), digits[20:])
        ),
    }


def print_group(templates: dict[str, Template], group: dict[str, Any], script: str, out: Path) -> None:
    """Write the files of one group: its own, and one per VM where the VMs have objects of their own."""
    printed: dict[str, str] = {}
    if group["way"] in ("warm", "cold"):
        printed["plan.yaml"] = templates["plan"].render(group=group)
    else:
        kind = templates["rebuilt" if group["way"] == "rebuild" else "converted"]
        for vm in group["vms"]:
            printed[f"{vm['target']}.yaml"] = kind.render(vm=vm)
    if group["way"] == "job":
        printed["access.yaml"] = templates["access"].render(group=group, script=script)
    printed["kustomization.yaml"] = templates["kustomization"].render(files=sorted(printed))
    base = out / "bases" / group["phase"] / group["name"]
    overlay = out / "overlays" / group["phase"] / group["name"]
    cluster = out / "clusters" / "prod-a" / group["phase"]
    for directory in (base, overlay, cluster):
        directory.mkdir(parents=True, exist_ok=True)
    for name, text in printed.items():
        (base / name).write_text(text)
    (overlay / "kustomization.yaml").write_text(templates["overlay"].render(group=group))
    (cluster / f"{group['name']}.yaml").write_text(templates["flux"].render(group=group))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]), sys.argv[4])
