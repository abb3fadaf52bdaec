"""Faults that could be in a backend, or in what reads and writes, one at a time: which part of the net catches each.

Each fault is an exact replacement in a copy of the sources. Every layer then runs as it would for a change of that
kind: the unit tests, `vmferry compile` with its rules, `vmferry verify` over what it wrote, and the API server of
`make e2e`. The golden outputs are left out: they find every change, right or wrong.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parents[2]
SCHEMAS = Path(os.environ.get("VMFERRY_SCHEMAS", CHECKOUT.parent / "shared" / "crds")).absolute()
TABLE = CHECKOUT / "docs" / "mutations.md"
EXAMPLES = ("acme", "acme-argocd", "dns", "dual-run", "minimal")
LEFT_OUT = (".git", ".venv", ".tools", "build", "*.egg-info", "__pycache__", ".*_cache")


class Mutation(NamedTuple):
    """A fault: in one file of compiler/vmferry, a text that is there once becomes another."""

    what: str
    file: str
    before: str
    after: str


KUBEVIRT, CDI, FORKLIFT = "backends/kubevirt.py", "backends/cdi.py", "backends/forklift.py"
FORKLIFT_PLAN, KEPT, CONVERSIONS = "backends/forklift_plan.py", "resolve/forklift.py", "resolve/conversions.py"
NETWORKS, NAMESPACES, REBUILD = "backends/networks.py", "backends/namespaces.py", "backends/rebuild.py"
VIRT_V2V, FLUX, ARGOCD = "backends/virt_v2v.py", "backends/flux.py", "backends/argocd.py"
OVERLAYS, METADATA, CREDENTIALS = "backends/overlays.py", "backends/metadata.py", "backends/credentials.py"
ENTRY_POINTS, VCENTER = "backends/entry_points.py", "backends/vcenter.py"
ALIAS, ROUTES, ROUTED = "backends/alias.py", "backends/client_routes.py", "estate/client_routes.py"
ADOPTED, SOURCES_BACK, SNAPSHOTS = "backends/adopted.py", "backends/sources_back.py", "backends/snapshots.py"
CLOUD_INIT, PERFORMANCE = "estate/cloud_init.py", "estate/performance.py"
CHECKS, CHECKED, CHECK_SCRIPT = "backends/checks.py", "estate/checks.py", "backends/scripts/check.sh"
TRIALS, INTEGRITY, SAME = "backends/trials.py", "estate/integrity.py", "backends/scripts/same.sh"
BEFORE, TOLERATIONS = "backends/before.py", "backends/tolerations.py"
BEFORE_SCRIPT, MEASURE = "backends/scripts/before.sh", "backends/scripts/measure.sh"
OBSERVED_CHECKS, OBSERVED_PREFLIGHT, COMPARED = "observe/checks.py", "observe/preflight.py", "observe/prometheus.py"
ADDRESS_PLAN = "reports/address_plan.py"
PREFLIGHT, PREFLIGHT_SCRIPT = "backends/preflight.py", "backends/scripts/preflight.sh"
VCENTER_ROLES, ACCOUNT = "backends/vcenter_roles.py", "importers/vcenter/account.py"
PREFLIGHT_PLAN, PREFLIGHT_JOBS = "resolve/preflight.py", "estate/preflight.py"
GUEST_NETWORK, CONVERT = "backends/guest_network.py", "backends/scripts/convert.sh"
FILES, GIT = "files.py", "load/git.py"
SECRECY, RVTOOLS, IMPORTED = "estate/words/secrecy.py", "importers/rvtools/read.py", "importers/rvtools/machines.py"
NETWORK_MAP, SELECTION, SEGMENTS = "estate/network_map.py", "resolve/selection.py", "estate/segments.py"
HISTORY, RENDER, PLACED = "load/history.py", "output/render.py", "placed.py"
TRAIL, RECORD, STANDING = "load/trail.py", "record.py", "output/standing.py"
OWN_FACTS, WHOLE = "resolve/own_facts.py", "verify/whole.py"
OWN_GROUPS, RECHECK, RULES = "resolve/own_groups.py", "recheck.py", "rules/__init__.py"
DNS, DNS_SCRIPT, RECORDS, DUAL_RUN = "backends/dns.py", "backends/scripts/dns.sh", "estate/dns.py", "estate/dual_run.py"
INTERFACES, BASTION = "backends/scripts/interfaces.sh", "backends/scripts/bastion.sh"

MUTATIONS = (
    # VirtualMachines and their Services
    Mutation(
        "a volume names its claim in a field that does not exist",
        KUBEVIRT,
        '"persistentVolumeClaim": {"claimName": disk.claim}}',
        '"persistentVolumeClaim": {"claim": disk.claim}}',
    ),
    Mutation(
        "a volume names a claim that nothing makes",
        KUBEVIRT,
        '{"claimName": disk.claim}}',
        '{"claimName": f"{disk.claim}-0"}}',
    ),
    Mutation(
        "two disks have the same boot order",
        KUBEVIRT,
        '    if disk.boot_order is not None:\n        result["bootOrder"] = disk.boot_order',
        '    result["bootOrder"] = 1',
    ),
    Mutation(
        "cloud-init's data is on a bus that kernels for clouds have no driver for",
        KUBEVIRT,
        '{"disk": {"bus": "virtio"}} if _paravirtual(machine)',
        '{"cdrom": {"bus": "sata"}} if _paravirtual(machine)',
    ),
    Mutation(
        "only the disk that boots has a boot order",
        KUBEVIRT,
        '    if disk.boot_order is not None:\n        result["bootOrder"] = disk.boot_order',
        '    if disk.boot_order == 1:\n        result["bootOrder"] = disk.boot_order',
    ),
    Mutation(
        "the guest reads vCenter's UUID",
        KUBEVIRT,
        '"uuid": machine.guest_uuid or machine.uuid}',
        '"uuid": machine.uuid}',
    ),
    Mutation(
        "CPUs that are to be dedicated are shared",
        KUBEVIRT,
        'cpu["dedicatedCpuPlacement"] = True',
        'cpu["dedicatedCpuPlacement"] = False',
    ),
    Mutation(
        "a clone keeps the SSH host keys of its image",
        CLOUD_INIT,
        "ssh_deletekeys: true",
        "ssh_deletekeys: false",
    ),
    Mutation(
        "an interface with new addresses has a name that no device has",
        CLOUD_INIT,
        "    if nic.set_name is not None:",
        "    if nic.set_name is None:",
    ),
    # The guest's network
    Mutation(
        "an IPv6 address of Windows gets the IPv4 gateway",
        GUEST_NETWORK,
        "gateway = of_family(given.gateways, address)[:1] if first else ()",
        "gateway = given.gateways[:1] if first else ()",
    ),
    Mutation(
        "every address of a NIC brings the gateway, which Windows takes once",
        GUEST_NETWORK,
        "gateway = of_family(given.gateways, address)[:1] if first else ()",
        "gateway = of_family(given.gateways, address)[:1]",
    ),
    Mutation(
        "a static address that stays is not given to Windows",
        GUEST_NETWORK,
        "given = nic.readdress or nic.kept",
        "given = nic.readdress",
    ),
    Mutation(
        "a Linux Job does not know the addresses of its NICs",
        GUEST_NETWORK,
        'addresses = ",".join((*kept.addresses, *kept.seen))',
        'addresses = ""',
    ),
    Mutation(
        "a converted Linux guest gets no names for its NICs",
        CONVERT,
        "if [[ ${#interfaces[@]} -gt 0 ]]; then",
        "if false; then",
    ),
    Mutation(
        "images of a bastion get no names for their NICs",
        BASTION,
        "if [[ ${#interfaces[@]} -gt 0 ]]; then",
        "if false; then",
    ),
    Mutation(
        "an image is published over that of another VM",
        BASTION,
        "if [[ -e $place || -L $place ]]; then",
        "if false; then",
    ),
    Mutation(
        "the rule that names a NIC names its VLANs, too",
        INTERFACES,
        'DRIVERS=="?*", ATTR{address}',
        "ATTR{address}",
    ),
    Mutation(
        "the last NIC of a VM is dropped",
        KUBEVIRT,
        "return sorted(machine.nics, key=lambda nic: nic.index)",
        "return sorted(machine.nics, key=lambda nic: nic.index)[:1]",
    ),
    Mutation(
        "an interface has no network",
        KUBEVIRT,
        'spec["networks"] = [_network(nic) for nic in _nics(machine)]',
        'spec["networks"] = [_network(nic) for nic in _nics(machine)][:1]',
    ),
    Mutation(
        "a disk has no volume",
        KUBEVIRT,
        "volumes = [_volume(machine, disk) for disk in machine.disks]",
        "volumes = [_volume(machine, disk) for disk in machine.disks[:1]]",
    ),
    Mutation(
        "a disk and its volume are dropped",
        KUBEVIRT,
        "return made(blueprint, group, machine)",
        "return made(blueprint, group, __import__('msgspec').structs.replace(machine, disks=machine.disks[:1]))",
    ),
    Mutation(
        "a MAC address without its colons",
        KUBEVIRT,
        'result["macAddress"] = nic.mac',
        'result["macAddress"] = nic.mac.replace(":", "")',
    ),
    Mutation(
        "a MAC address is not kept",
        KUBEVIRT,
        "if nic.mac is not None:\n        result",
        "if nic.mac is None:\n        result",
    ),
    Mutation(
        "a VM names a NAD of another namespace as if it were in its own",
        KUBEVIRT,
        '{"networkName": nic.nad}',
        '{"networkName": nic.nad.partition("/")[2]}',
    ),
    Mutation(
        "a VM runs before its disks are converted",
        KUBEVIRT,
        '{"runStrategy": adopted.HALTED}',
        '{"runStrategy": "Always"}',
    ),
    Mutation(
        "memory is no quantity",
        KUBEVIRT,
        '{"guest": format_size(machine.memory)}',
        '{"guest": f"{machine.memory // 2**20}MB RAM"}',
    ),
    Mutation(
        "secure boot is left to KubeVirt's default, which is on",
        KUBEVIRT,
        '{"persistent": True, "secureBoot": machine.secure_boot}',
        '{"persistent": True}',
    ),
    Mutation(
        "a shared disk is not shareable",
        KUBEVIRT,
        '{"cache": "none", "shareable": True}',
        '{"cache": "none"}',
    ),
    Mutation(
        "a VM without NICs gets one",
        KUBEVIRT,
        '"autoattachPodInterface": False,',
        '"autoattachPodInterface": True,',
    ),
    Mutation(
        "a VM with a ReadWriteOnce disk is to be live-migrated",
        KUBEVIRT,
        '"evictionStrategy": machine.eviction_strategy,',
        '"evictionStrategy": "LiveMigrate",',
    ),
    Mutation(
        "two disks of a VM have one serial number",
        KUBEVIRT,
        "if not serial or serial in used:",
        "if not serial:",
    ),
    Mutation(
        "a VM can be pruned",
        KUBEVIRT,
        "**head(\n            kinds.VIRTUAL_MACHINE,",
        "**head(\n            kinds.VIRTUAL_MACHINE._replace(keeps=False),",
    ),
    Mutation(
        "a Service selects no pod of a VM that Forklift makes",
        KUBEVIRT,
        'selector = {"app" if group.path == "forklift" else VM_LABEL: machine.target_name}',
        "selector = {VM_LABEL: machine.target_name}",
    ),
    Mutation(
        "what a snapshot holds is deleted with it",
        SNAPSHOTS,
        '"deletionPolicy": "Retain",',
        '"deletionPolicy": "Delete",',
    ),
    Mutation(
        "another attempt has the snapshot of the one before",
        SNAPSHOTS,
        "snapshot_name(machine, group.attempt),",
        "snapshot_name(machine, 1),",
    ),
    Mutation(
        "the Service of a check leads to no pod of a VM that Forklift makes",
        CHECKS,
        '"selector": {"app" if group.path == "forklift" else VM_LABEL: machine.target_name},',
        '"selector": {VM_LABEL: machine.target_name},',
    ),
    Mutation(
        "the pod that checks VMs has a token",
        TRIALS,
        '"automountServiceAccountToken": False,',
        '"automountServiceAccountToken": True,',
    ),
    Mutation(
        "the pod of a check is not on the network that it checks from",
        CHECKS,
        'template["annotations"] = {NETWORKS: _attached(group, segment)}',
        "pass",
    ),
    Mutation(
        "the pod of a check has no address on its network",
        NETWORKS,
        '"ipam": {"type": "static", "addresses": [{"address": address}]}',
        '"ipam": {}',
    ),
    Mutation(
        "a check from a network is on another VLAN than its VMs",
        NETWORKS,
        'if key != "disableContainerInterface"}',
        'if key not in ("disableContainerInterface", "vlan")}',
    ),
    Mutation(
        "checks from a network run from the pod network as well",
        CHECKED,
        "if each.segment == segment)",
        "if segment in (None, each.segment))",
    ),
    Mutation(
        "what a check from a network shows is recorded for the checks from the pod network",
        OBSERVED_CHECKS,
        "_each(group, jobs(group).get(name), _results(message), times, view)",
        "_each(group, None, _results(message), times, view)",
    ),
    Mutation(
        "nobody may prune the definition of a check's pod",
        NAMESPACES,
        "yield Right(kinds.NAD, kinds.PRUNE)  # of the pods of checks alone",
        "yield kinds.NAD",
    ),
    Mutation(
        "checks of a warm migration begin before its cutover",
        CHECKS,
        "    begins = str(int(datetime.fromisoformat(start).timestamp()))\n",
        '    begins = "0"\n',
    ),
    Mutation(
        "a page without the text passes",
        CHECK_SCRIPT,
        '      [[ $content != *"$4"* ]] || return 0\n',
        "      return 0\n",
    ),
    Mutation(
        "a VM that comes up late has failed",
        CHECK_SCRIPT,
        "    [[ $SECONDS -lt $deadline ]] || break\n",
        "    break\n",
    ),
    Mutation(
        "a changed script is checked by the Job that ran before",
        CHECKED,
        "sorted(group.check_scripts.items())",
        "[]",
    ),
    Mutation(
        "an address by DHCP counts as known",
        CHECKED,
        'if fact is not None and fact.origin != "dhcp" else []',
        "if fact is not None else []",
    ),
    Mutation(
        "a check that failed is recorded as passed",
        OBSERVED_CHECKS,
        "        if why is not None:\n",
        "        if why is not None and not results.whole:\n",
    ),
    Mutation(
        "the target is asked for what its source has",
        BEFORE,
        'each.source or ""',
        'each.address or ""',
    ),
    Mutation(
        "a pod tolerates every taint with the key, whatever its effect",
        TOLERATIONS,
        "    if entry.effect is not None:\n",
        "    if entry.effect is None:\n",
    ),
    Mutation(
        "a source is asked after its cutover, when the target may answer",
        BEFORE_SCRIPT,
        "  if [[ -n $5 && $(date +%s) -ge $5 ]]; then\n",
        "  if false; then\n",
    ),
    Mutation(
        "a script that prints nothing proves that data are the same",
        MEASURE,
        "  elif [[ $size -eq 0 ]]; then\n",
        "  elif false; then\n",
    ),
    Mutation(
        "the script of a source is there once it is off",
        INTEGRITY,
        "TABLE[group.stage].next[:1] == (stop,)",
        "rank(group.stage) > 0",
    ),
    Mutation(
        "what another script printed at the source is compared",
        INTEGRITY,
        "{machine.target_name}, {each.made_of}",
        "{machine.target_name}",
    ),
    Mutation(
        "data that differ count as the same",
        INTEGRITY,
        "    if before.value == entry.value:\n",
        "    if before.value:\n",
    ),
    Mutation(
        "another address of a source is another Job",
        CHECKED,
        "(machine.target_name, _in_target(each)) for",
        "(machine.target_name, each) for",
    ),
    Mutation(
        "digests that do not fit into a pod's message take the room of failures",
        SAME,
        "  left=$((ROOM - 40 * ${#values[@]}))\n",
        "  left=$ROOM\n",
    ),
    Mutation(
        "the pod lacks the Secret of a check",
        CHECKS,
        "for n, name in secrets),\n        ],\n",
        "for n, name in secrets[1:]),\n        ],\n",
    ),
    Mutation(
        "pods of the pre-flight may share a node",
        PREFLIGHT,
        "    if test.nodes > 1:\n",
        "    if test.nodes > 1000:\n",
    ),
    Mutation(
        "a renewed certificate passes the pre-flight",
        PREFLIGHT_SCRIPT,
        '  elif [[ $found != "$3" ]]; then\n',
        "  elif [[ -z $3 ]]; then\n",
    ),
    Mutation(
        "a node whose clock is behind passes the pre-flight",
        PREFLIGHT_SCRIPT,
        "  if [[ ${off#-} -gt $2 ]]; then\n",
        "  if [[ $off -gt $2 ]]; then\n",
    ),
    Mutation(
        "a network that only some nodes have is attached on all of them",
        PREFLIGHT_PLAN,
        "    return labels.items() <= pool.labels.items() and",
        "    return bool(pool) and",
    ),
    Mutation(
        "another VDDK image is tested by the Job that ran before",
        PREFLIGHT_JOBS,
        "    made = (test, plan.image, plan.user, plan.max_clock_skew, plan.tolerations)\n",
        "    made = (test.name, plan.image, plan.user, plan.max_clock_skew, plan.tolerations)\n",
    ),
    Mutation(
        "the role of Forklift in vCenter lacks snapshots for warm migrations",
        VCENTER_ROLES,
        '{"warm" if group.method == "warm" else "cold"}',
        '{"cold"}',
    ),
    Mutation(
        "a privilege that some datacenters lack counts as there",
        ACCOUNT,
        "            if privilege not in found[place]:\n",
        "            if not any(privilege in its for its in found.values()) and privilege == place:\n",
    ),
    Mutation(
        "a VM that was recorded loses its instance type and its preference",
        ADOPTED,
        '"spec": {**spec, "runStrategy": HALTED},',
        '"spec": {"template": spec["template"], "runStrategy": HALTED},',
    ),
    Mutation(
        "a VM that was recorded may be deleted with its manifest",
        ADOPTED,
        "kinds.VIRTUAL_MACHINE,\n",
        "kinds.VIRTUAL_MACHINE._replace(keeps=False),\n",
    ),
    Mutation(
        "a source that did not run before is started by a roll-back",
        SOURCES_BACK,
        'return _WAS_OFF if machine.run_strategy in ("Halted", "Manual") else None',
        "return None",
    ),
    Mutation(
        "the Service of an adopted VM is pruned when the VM is handed over",
        KUBEVIRT,
        "keep=group.stage in OWNED,",
        "keep=False,",
    ),
    Mutation(
        "Services of VMs that were handed over are still synced",
        KUBEVIRT,
        "if not group.graduated and has_service(machine):",
        "if has_service(machine):",
    ),
    Mutation(
        "an interface lists its ports, and KubeVirt drops all others",
        KUBEVIRT,
        'result: dict[str, Any] = {"name": nic.name}\n    if nic.binding',
        'result: dict[str, Any] = {"name": nic.name, "ports": [{"port": 22}]}\n    if nic.binding',
    ),
    # DataVolumes
    Mutation(
        "a DataVolume names its StorageClass in a field that does not exist",
        CDI,
        '"storageClassName": disk.storage_class,',
        '"storageClass": disk.storage_class,',
    ),
    Mutation(
        "a DataVolume leaves the StorageClass to the cluster",
        CDI,
        '        "storageClassName": disk.storage_class,\n',
        "",
    ),
    Mutation(
        "access modes are no list",
        CDI,
        '"accessModes": [disk.access_mode],',
        '"accessModes": disk.access_mode,',
    ),
    Mutation(
        "every volume is ReadWriteOnce",
        CDI,
        '"accessModes": [disk.access_mode],',
        '"accessModes": ["ReadWriteOnce"],',
    ),
    Mutation(
        "a volume is smaller than the disk",
        CDI,
        "format_size(disk.size)",
        "format_size(disk.size // 2)",
    ),
    Mutation(
        "a size in bytes with a unit of its own",
        CDI,
        "format_size(disk.size)",
        'f"{disk.size}B"',
    ),
    Mutation(
        "a volume that holds data can be pruned",
        CDI,
        "kinds.DATA_VOLUME,",
        "kinds.DATA_VOLUME._replace(keeps=False),",
    ),
    Mutation(
        "every disk of a VM comes from its first VMDK",
        CDI,
        "backingFile=disk.file,",
        "backingFile=machine.disks[0].file,",
    ),
    # Plans
    Mutation(
        "a Plan has no storage map",
        FORKLIFT,
        '"map": {"network": itself, "storage": dict(itself)},',
        '"map": {"network": itself},',
    ),
    Mutation(
        "a Plan refers to a map that nothing makes",
        FORKLIFT,
        '"map": {"network": itself, "storage": dict(itself)},',
        '"map": {"network": itself, "storage": _reference(namespace, f"{group.full_name}-storage")},',
    ),
    Mutation(
        "a network map sends NICs to a NAD without its namespace",
        FORKLIFT,
        'destination = {"type": "multus", "namespace": namespace, "name": name}',
        'destination = {"type": "multus", "name": name}',
    ),
    Mutation(
        "a network map has no row for the last network",
        FORKLIFT,
        "for pair in group.networks:",
        "for pair in group.networks[:-1]:",
    ),
    Mutation(
        "a Plan leaves its last VM out",
        FORKLIFT,
        "[_machine(blueprint, group, machine) for machine in _planned(group)]",
        "[_machine(blueprint, group, machine) for machine in _planned(group)[:-1]]",
    ),
    Mutation(
        "a VM that served is deleted when its PostHook fails",
        FORKLIFT,
        '"deleteVmOnFailMigration": None if machine.key in group.kept_on_failure else True,',
        '"deleteVmOnFailMigration": True,',
    ),
    Mutation(
        "a Windows VM that Forklift started and waits for is deleted when the wait fails",
        KEPT,
        "if waits_for_reboot(machine, here) or any(",
        "if any(",
    ),
    Mutation(
        "a VM that shall stay off is taken for one that is waited for",
        KEPT,
        "windows and machine.run_strategy in _STARTS and possible(",
        "windows and possible(",
    ),
    Mutation(
        "a Windows that nobody converts is taken for one that is waited for",
        KEPT,
        'machine.path == "forklift" and not machine.raw',
        'machine.path == "forklift"',
    ),
    Mutation(
        "default limits, which would cap the pods that run the VMs, beside a quota",
        NAMESPACES,
        '"defaultRequest": plan.default_requests}',
        '"default": plan.default_requests, "defaultRequest": plan.default_requests}',
    ),
    Mutation(
        "a further definition of an overlay is a network of its own",
        NETWORKS,
        "{migration}_{nad.first or nad.name}",
        "{migration}_{nad.name}",
    ),
    Mutation(
        "a quota refuses the pods that tell a storage array to copy",
        KEPT,
        "waits_for_reboot(each, here) or _by_xcopy(each)",
        "waits_for_reboot(each, here)",
    ),
    Mutation(
        "the applier may not apply what lies in one root with its Roles",
        "backends/applier.py",
        "yield from beside_roles(blueprint)",
        "pass",
    ),
    Mutation(
        "the applier has no right on LimitRanges",
        NAMESPACES,
        "rights.append(kinds.LIMIT_RANGE)",
        'rights.append(kinds.LIMIT_RANGE._replace(plural="limits"))',
    ),
    Mutation(
        "an old Forklift finds no CA in the Secret of its Provider",
        CREDENTIALS,
        '"password": "password", "cacert": "cacert", "ca.crt": "cacert"}',
        '"password": "password", "ca.crt": "cacert"}',
    ),
    Mutation(
        "CDI is told an instance UUID that it does not look for",
        CONVERSIONS,
        "uuid=(machine.instance_uuid if by_instance else None) or machine.uuid",
        "uuid=machine.instance_uuid or machine.uuid",
    ),
    Mutation(
        "a Plan is archived, and never runs",
        FORKLIFT,
        '"archived": False,',
        '"archived": True,',
    ),
    Mutation(
        "the volumes of a VM all get one name",
        FORKLIFT,
        "{{{{.DiskIndex}}}}",
        "0",
    ),
    Mutation(
        "a running migration can be pruned",
        FORKLIFT,
        "**head(kinds.MIGRATION,",
        "**head(kinds.MIGRATION._replace(keeps=False),",
    ),
    Mutation(
        "every group migrates cold",
        FORKLIFT,
        '"warm": group.method == "warm",\n        "type": group.method,',
        '"warm": False,\n        "type": "cold",',
    ),
    Mutation(
        "a field of Plan that an older Forklift lacks",
        FORKLIFT,
        'f"{path}.{key}" not in withheld',
        '(key == "type" or f"{path}.{key}" not in withheld)',
    ),
    Mutation(
        "a guest that nobody shall convert is converted",
        FORKLIFT,
        '"skipGuestConversion": options.raw,',
        '"skipGuestConversion": False,',
    ),
    Mutation(
        "a guest without drivers gets virtio devices",
        FORKLIFT,
        '"useCompatibilityMode": options.emulated,',
        '"useCompatibilityMode": not options.raw,',
    ),
    Mutation(
        "disks that the storage array shall copy are copied by VDDK",
        FORKLIFT_PLAN,
        'return {"offloadPlugin": plugins} if plugins else {}',
        "return {}",
    ),
    Mutation(
        "the size of the scratch volume is left out",
        FORKLIFT_PLAN,
        '"conversionTempStorageSize": storage.size if storage else None,',
        '"conversionTempStorageSize": None,',
    ),
    Mutation(
        "where no tag shall become a label, every tag does",
        FORKLIFT_PLAN,
        'return {"disabled": True}',
        'return {"labelTags": []}',
    ),
    Mutation(
        "scripts are looked for under the name that the spec gives them",
        FORKLIFT_PLAN,
        '"name": found.config_map}',
        '"name": found.name}',
    ),
    Mutation(
        "raw device mappings become plain disks",
        FORKLIFT_PLAN,
        '"rdmAsLun": machine.rdm_as_lun or None,',
        '"rdmAsLun": None,',
    ),
    Mutation(
        "the token of an AAP hook is looked for nowhere",
        FORKLIFT,
        'found["tokenSecret"] = _reference(blueprint.forklift.namespace, job.token_secret)',
        'found["tokenSecret"] = {"name": job.token_secret}',
    ),
    Mutation(
        "a VM's own cutover goes to another VM",
        OVERLAYS,
        '[{"id": each.id, "cutover": _utc(each.time)} for each in group.vm_cutover]',
        '[{"id": group.machines[-1].id, "cutover": _utc(each.time)} for each in group.vm_cutover]',
    ),
    Mutation(
        "who applies the tree may not write its scripts",
        NAMESPACES,
        "scripts = [kinds.CONFIG_MAP] if any(forklift_plan.made(blueprint)) else []",
        "scripts: list[Kind] = []",
    ),
    # Networks
    Mutation(
        "a NAD is in the next VLAN",
        NETWORKS,
        'vlan["vlan"] = target.vlan\n',
        'vlan["vlan"] = target.vlan + 1\n',
    ),
    Mutation(
        "a NAD's configuration is no text",
        NETWORKS,
        "json.dumps(nad_config(nad, namespace, blueprint.name))",
        "nad_config(nad, namespace, blueprint.name)",
    ),
    Mutation(
        "a NAD is missing",
        NETWORKS,
        "for nad in plan.nads:\n            if not isinstance",
        "for nad in plan.nads[1:]:\n            if not isinstance",
    ),
    Mutation(
        "a NAD hands out addresses to guests that have theirs",
        NETWORKS,
        '**_mtu(target.mtu),\n        "ipam": {},',
        '**_mtu(target.mtu),\n        "ipam": {"type": "dhcp"},',
    ),
    Mutation(
        "a network that disks are copied over takes Forklift's pods off the cluster's network",
        NETWORKS,
        "        annotations[TRANSFER_ROUTE] = nad.route\n",
        "        pass\n",
    ),
    Mutation(
        "a bridge is made on every node",
        NETWORKS,
        "dict(sorted(plan.node_selector.items()))",
        "{}",
    ),
    Mutation(
        "a bridge does not filter VLANs",
        NETWORKS,
        '    return {"name": plan.bridge.port, "vlan": vlan}\n',
        '    return {"name": plan.bridge.port}\n',
    ),
    Mutation(
        "a network that is not to be connected is connected to the pod network",
        FORKLIFT,
        'destination = {"type": "ignored"}',
        'destination = {"type": "pod"}',
    ),
    # Namespaces and rights
    Mutation(
        "a namespace can be pruned with all that is in it",
        NAMESPACES,
        "head(kinds.NAMESPACE,",
        "head(kinds.NAMESPACE._replace(keeps=False),",
    ),
    Mutation(
        "the applier may not patch what it applies",
        "kube/kinds.py",
        'APPLY = ("get", "list", "watch", "create", "patch")',
        'APPLY = ("get", "list", "watch", "create")',
    ),
    Mutation(
        "a role binding refers to no role",
        NAMESPACES,
        '"kind": role.name, "name": called},',
        '"kind": role.name, "name": f"{called}-role"},',
    ),
    # Applications rebuilt as containers
    Mutation(
        "a workload runs before its cutover",
        REBUILD,
        '"replicas": 0,',
        '"replicas": self.application.replicas,',
    ),
    Mutation(
        "a selector that is not the pods' label",
        REBUILD,
        "return {VM_LABEL: self.name}",
        'return {"app": self.name}',
    ),
    Mutation(
        "a container lists a port twice",
        REBUILD,
        "in sorted({(port.target_port or port.port, port.protocol) for port in ports})",
        "in [(port.target_port or port.port, port.protocol) for port in ports] * 2",
    ),
    Mutation(
        "a mount has no volume",
        REBUILD,
        'volumes.append({"name": SCRATCH_VOLUME, "emptyDir": {}})',
        "pass",
    ),
    # Conversions
    Mutation(
        "a Job restarts its pods for ever",
        VIRT_V2V,
        '"restartPolicy": "Never",',
        '"restartPolicy": "Always",',
    ),
    Mutation(
        "a conversion writes all disks into the first volume",
        VIRT_V2V,
        '{"name": f"disk-{index}", "persistentVolumeClaim": {"claimName": disk.claim}}',
        '{"name": f"disk-{index}", "persistentVolumeClaim": {"claimName": machine.disks[0].claim}}',
    ),
    Mutation(
        "names from vCenter are commands of the bastion's shell",
        VIRT_V2V,
        "{' '.join(map(quote, command))}",
        "{' '.join(command)}",
    ),
    Mutation(
        "a Job's pods are not told apart from the VM's",
        VIRT_V2V,
        '"conversion"} | stamps(blueprint, group)}',
        '"conversion"} | identity["metadata"]["labels"]}',
    ),
    Mutation(
        "a VM that is converted is converted once more",
        CONVERT,
        "\nfinish_if_converted\n",
        "\n",
    ),
    Mutation(
        "half a converted VM counts as done",
        CONVERT,
        "if [[ ${#rest[@]} -eq 0 ]]; then",
        "if [[ ${#marked[@]} -gt 0 ]]; then",
    ),
    Mutation(
        "a volume that came back from a backup is overwritten",
        CONVERT,
        "\nrefuse_unknown_data\n",
        "\n",
    ),
    Mutation(
        "OpenShift does not admit a conversion's pod",
        VIRT_V2V,
        'if blueprint.cluster.distribution == "openshift":',
        "if False:",
    ),
    Mutation(
        "the applier on OpenShift grants a right that it lacks",
        NAMESPACES,
        'if method.converts and blueprint.cluster.distribution == "openshift":',
        "if False:",
    ),
    Mutation(
        "a conversion reads from vSphere without a place",
        CONVERT,
        "\ntake_place\n",
        "\n",
    ),
    Mutation(
        "a place that another conversion has is taken",
        CONVERT,
        "[[ -n $holder ]] || place=${place:-$number}",
        "place=${place:-$number}",
    ),
    Mutation(
        "a conversion keeps its place",
        CONVERT,
        "trap release_place EXIT",
        ":",
    ),
    Mutation(
        "a guest that nobody converts is converted on the bastion",
        VIRT_V2V,
        "    if machine.raw:\n",
        "    if machine.raw and machine.golden:\n",
    ),
    Mutation(
        "a guest that nobody converts is converted by a Job",
        "resolve/paths.py",
        "if is_raw(candidate) and any(",
        "if candidate.vm.template and is_raw(candidate) and any(",
    ),
    Mutation(
        "a conversion may fill the node's disk",
        VIRT_V2V,
        '"emptyDir": {"sizeLimit": format_size(_scratch_limit(machine))} if origin.conversion.sized else {}',
        '"emptyDir": {}',
    ),
    Mutation(
        "a quota leaves no room for the scratch volumes of conversions",
        "estate/sizing.py",
        "return Load() if scratch is None else",
        "return Load() if scratch is None or scratch.size else",
    ),
    Mutation(
        "a quota leaves no room for the scratch volumes of Forklift's conversions",
        "estate/sizing.py",
        "converts else of_plan",
        "converts else None",
    ),
    Mutation(
        "conversions of each namespace have places of their own",
        "resolve/turns.py",
        "found[machine.source] = min(option, found.get(machine.source, option))",
        "found[machine.source] = max(option, found.get(machine.source, option))",
    ),
    Mutation(
        "nobody tells which kinds of the cluster the applier needs",
        "backends/applier.py",
        "(kinds.NAMESPACE, kinds.PRIORITY_CLASS)",
        "(kinds.PRIORITY_CLASS,)",
    ),
    Mutation(
        "a group of people gets its role in every namespace",
        "resolve/access.py",
        "granted[name][entry.role].add(entry.group)",
        "[granted[each][entry.role].add(entry.group) for each in known]",
    ),
    Mutation(
        "who only operates VMs gets the role to edit them",
        "backends/access.py",
        "kinds.CLUSTER_ROLE, CLUSTER_ROLES[role], subjects)\n    else:",
        'kinds.CLUSTER_ROLE, CLUSTER_ROLES["edit"], subjects)\n    else:',
    ),
    Mutation(
        "the applier may not bind the ClusterRoles that people get",
        "backends/applier.py",
        'Right(kinds.CLUSTER_ROLE, ("bind",), bound)',
        'Right(kinds.CLUSTER_ROLE, ("use",), bound)',
    ),
    Mutation(
        "alerts do not have the label that Prometheus selects",
        "backends/monitoring.py",
        "labels = dict(rules.labels)",
        "labels: dict[str, str] = {}",
    ),
    Mutation(
        "an alert needs a metric that this Forklift does not have",
        "backends/alerts.py",
        "(PLAN_FAILED, *ALERTS) if plans else ALERTS",
        "(PLAN_FAILED, *ALERTS)",
    ),
    Mutation(
        "alerts are about every migration in the cluster",
        "backends/alerts.py",
        """f'migration="{migration}"'""",
        "'migration!=\"\"'",
    ),
    Mutation(
        "a warm VM is missed before Forklift makes it",
        "backends/monitoring.py",
        'return "once made" if',
        'return "now" if',
    ),
    Mutation(
        "a VM that its guest may shut down has to run",
        "backends/monitoring.py",
        'if machine.run_strategy != "Always":',
        'if machine.run_strategy == "Halted":',
    ),
    Mutation(
        "groups wait for the alerts",
        "backends/entry_points.py",
        'for directory in ("infra/cluster", *needed) if directory in infra)',
        'for directory in ("infra/cluster", "infra/alerts", *needed) if directory in infra)',
    ),
    Mutation(
        "an alert for the first attempt's Job is all that there is",
        "backends/monitoring.py",
        "job_name(machine, group.attempt)",
        "job_name(machine, 1)",
    ),
    Mutation(
        "a group is still watched after it was rolled back",
        "backends/monitoring.py",
        'WATCHED: tuple[Stage, ...] = ("migrating", "cutover", "adopted", "validated")',
        'WATCHED: tuple[Stage, ...] = ("migrating", "cutover", "adopted", "validated", "rolled-back")',
    ),
    Mutation(
        "Flux' Alert is about nothing of the migration's",
        "backends/monitoring.py",
        '"matchLabels": {MIGRATION_LABEL: blueprint.name}',
        '"matchLabels": {MIGRATION_LABEL: blueprint.cluster.name}',
    ),
    Mutation(
        "latency counts without load",
        PERFORMANCE,
        "now.get((count, disk), 0) >= how.settings.iops_at_least",
        "now.get((count, disk), 0) > 0",
    ),
    Mutation(
        "a VM that does less work is slower",
        PERFORMANCE,
        "and (why := _held_up(bound, now, machine, how)):",
        'and (why := _held_up(bound, now, machine, how) or "it does less"):',
    ),
    Mutation(
        "a VM is judged after its first minutes",
        "observe/prometheus.py",
        "if covered < _ENOUGH * period:",
        "if covered <= 0:",
    ),
    Mutation(
        "alerts take averages for the highest that a VM was",
        "backends/performance.py",
        "peaks=True",
        "peaks=False",
    ),
    Mutation(
        "a comparison by other margins still counts",
        PERFORMANCE,
        "msgspec.to_builtins((machine.baseline, group.performance))",
        "msgspec.to_builtins(machine.baseline)",
    ),
    Mutation(
        "a group is accepted although nobody compared its VMs",
        "estate/gates.py",
        "(_CHECK, PERFORMANCE, _SNAPSHOT, _SIGN_OFF)",
        "(_CHECK, _SNAPSHOT, _SIGN_OFF)",
    ),
    Mutation(
        "Grafana finds no dashboard by its label",
        "backends/dashboards.py",
        "labels=dict(stated.labels) or LABELS",
        "labels=dict(stated.labels)",
    ),
    Mutation(
        "a VM that is to stay moves on with its group",
        "resolve/staying.py",
        "if not moves(stage) or started(recorded):",
        "if True:",
    ),
    Mutation(
        "a frozen VM whose record is lost is planned anew",
        "resolve/freeze.py",
        "        if len(items) >= was:\n",
        "        if items:\n",
    ),
    Mutation(
        "a Migration that failed is healthy for Flux",
        FLUX,
        "c.type in ['Failed', 'Canceled', ",
        "c.type in ['Canceled', ",
    ),
    Mutation(
        "a Migration that failed is healthy for Argo CD",
        "backends/argocd_health.py",
        'if c.type == "Failed" or c.type == "Canceled"',
        'if c.type == "Canceled"',
    ),
    Mutation(
        "Argo CD stops what Kueue lets go",
        ARGOCD,
        "[_QUEUED] if blueprint.target.queued else []",
        "[]",
    ),
    Mutation(
        "CDI collects a DataVolume that the engine makes again",
        CDI,
        "return _KEEP if",
        "return {} if",
    ),
    Mutation(
        "a Job that has begun follows what the spec says by now",
        CONVERSIONS,
        "origin(machine, machine.conversion or now, now.secret)",
        "origin(machine, now, now.secret)",
    ),
    Mutation(
        "a conversion reads from a host that is in no cluster",
        VCENTER,
        "(machine.datacenter, machine.cluster, machine.host)",
        "(machine.datacenter, machine.host)",
    ),
    # Engines
    Mutation(
        "what a Kustomization applied goes with it",
        FLUX,
        '"deletionPolicy": "Delete" if holds_roots else "Orphan",',
        '"deletionPolicy": "Delete",',
    ),
    Mutation(
        "Flux makes anew what it cannot change",
        FLUX,
        '"force": False,',
        '"force": True,',
    ),
    Mutation(
        "Flux is sent to a directory that is not there",
        FLUX,
        '"path": f"./{gitops.path}/{directory}",',
        '"path": f"./{directory}",',
    ),
    Mutation(
        "Flux waits for a Job that nothing makes",
        FLUX,
        "_object(_JOB, virt_v2v.job_name(each, group.attempt), group.namespace)",
        "_object(_JOB, each.target_name, group.namespace)",
    ),
    Mutation(
        "steps of a group come in no order",
        ENTRY_POINTS,
        "after=tuple(called[other] for other in step.after) or ground,",
        "after=ground,",
    ),
    Mutation(
        "Argo CD deletes what an Application applied when that goes",
        ARGOCD,
        "point, _root(blueprint, point))",
        'point, (obj := _root(blueprint, point)) | {"metadata": obj["metadata"] | {"finalizers": [FINALIZER]}})',
    ),
    Mutation(
        "an Application belongs to a project that nothing makes",
        ARGOCD,
        '"project": blueprint.name,',
        '"project": f"{blueprint.name}-project",',
    ),
    Mutation(
        "Argo CD may delete what holds data, if not prune it",
        METADATA,
        '"Prune=false,Delete=false"',
        '"Prune=false"',
    ),
    Mutation(
        "what holds data can be pruned by Flux",
        METADATA,
        '{"kustomize.toolkit.fluxcd.io/prune": "disabled"}',
        '{"kustomize.toolkit.fluxcd.io/prune": "false"}',
    ),
    # Stages
    Mutation(
        "a cutover starts a VM in a field that is not there",
        OVERLAYS,
        '"/spec/runStrategy", machine',
        '"/spec/running", machine',
    ),
    Mutation(
        "a cutover starts no VM",
        OVERLAYS,
        "yield _start(machine)",
        "pass",
    ),
    Mutation(
        "the time of a cutover is not in UTC",
        OVERLAYS,
        '"/spec/cutover", _utc(group.cutover),',
        '"/spec/cutover", group.cutover,',
    ),
    Mutation(
        "VMs start as soon as a group migrates",
        OVERLAYS,
        "if not (group.running or (",
        "if not (group.steps or (",
    ),
    # Files that others may have put something else in the place of
    Mutation(
        "a link is read for the file that it leads to",
        FILES,
        "os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)",
        "os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)",
    ),
    Mutation(
        "a new file is written through a link that lies there",
        FILES,
        "os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW",
        "os.O_CREAT",
    ),
    Mutation(
        "a file that git lacks is left out of the spec of an earlier commit",
        GIT,
        'raise self._unreadable(commit, answer.stderr or os.fsencode("it lacks ") + blob.path)',
        "continue",
    ),
    Mutation(
        "what replaces an object of git is read in its place",
        GIT,
        '"--no-replace-objects", ',
        "",
    ),
    # What imports and drafts take over
    Mutation(
        "a NIC is looked for by the name of its network alone, whatever switch it is on",
        IMPORTED,
        'key = (network, facts.get("switch"))',
        "key = (network, None)",
    ),
    Mutation(
        "a row of the network map that is for another datacenter or switch is taken",
        NETWORK_MAP,
        "if _there(row.network.source, datacenter, switch)]",
        "]",
    ),
    Mutation(
        "rules look at the row of the same name in another datacenter",
        SEGMENTS,
        "datacenter=subject.vm.datacenter, switch=switch)",
        "datacenter=None, switch=None)",
    ),
    Mutation(
        "of two exports of one vCenter the older counts",
        RVTOOLS,
        'key=lambda part: part.export.taken or "", reverse=True)',
        'key=lambda part: part.export.taken or "")',
    ),
    Mutation(
        "a custom attribute with a password in its value is taken over",
        SECRECY,
        "        and not secret_text(text)\n",
        "",
    ),
    Mutation(
        "an attribute whose name holds a word nobody knows is taken over",
        SECRECY,
        "return bool(words) and all(",
        "return bool(words) and any(",
    ),
    Mutation(
        "a word beside a password in a note is taken for a product",
        SECRECY,
        "if not (secret_text(clause) or secret_name(clause))",
        "if clause",
    ),
    Mutation(
        "a fact stated for many VMs hides what the inventory knows of one",
        SELECTION,
        "if field in facts and getattr(vm, field) is None}",
        "if field in facts}",
    ),
    Mutation(
        "a branch is compared with what the other one is by now",
        GIT,
        "        return bases[0]\n",
        "        return commit\n",
    ),
    Mutation(
        "a spec with another name where one has gone is taken for a new one",
        HISTORY,
        "bool(named)) if named or gone else None",
        "bool(named)) if named else None",
    ),
    # The tree and what is around it
    Mutation(
        "what a stage patches comes after what the user says",
        RENDER,
        "*([STAGE] if root.patches else []), *([LOCAL] if root.local else [])]",
        "*([LOCAL] if root.local else []), *([STAGE] if root.patches else [])]",
    ),
    Mutation(
        "the tree of one cluster is compiled over for another",
        RENDER,
        "if served and cluster not in served:",
        "if served and not cluster:",
    ),
    Mutation(
        "an edit by hand is overwritten because git merged something else",
        PLACED,
        "for version in versions}) > 1",
        "for version in versions}) > 0",
    ),
    # Credentials
    Mutation(
        "a Secret goes with its ExternalSecret",
        CREDENTIALS,
        '"creationPolicy": "Orphan",',
        '"creationPolicy": "Owner",',
    ),
    # What is remembered from one run to the next
    Mutation(
        "a changed file of the spec is not seen by a compile that follows the last one's trail",
        TRAIL,
        "            found.changed[path] = digest[_SIZE:]\n",
        "            pass\n",
    ),
    Mutation(
        "a new file beside the spec is not seen by a compile that follows the last one's trail",
        TRAIL,
        "                if _listing(folder, entries) != listing:\n                    return None\n",
        "                pass\n",
    ),
    Mutation(
        "a changed tree is taken for the one on record", RECORD, "    if digest != record.tree:\n", "    if False:\n"
    ),
    Mutation(
        "other trees are not looked at where nothing else changed",
        RECORD,
        "        if any(around(known.root, run.out, known.record.home, _unknown())):\n            return None\n",
        "        pass\n",
    ),
    Mutation(
        "files of a group count as standing without a look at their content",
        STANDING,
        "            notes.digest(file).hex() == digest for file, digest in lock.files.items()\n",
        "            lock.files\n",
    ),
    Mutation(
        "a VM's networks count as a fact that concerns nobody else",
        OWN_FACTS,
        '        "annotation",\n',
        '        "annotation",\n        "nics",\n',
    ),
    Mutation(
        "the quota stays as it was when the memory of a VM changed",
        OWN_FACTS,
        "structs.replace(decided, namespaces=namespaces)",
        "decided",
    ),
    Mutation("what rules say about a VM whose facts changed is not added", RECHECK, "            new += now\n", ""),
    Mutation(
        "a group that starts alone does not wait for what its VMs need",
        OWN_GROUPS,
        " or _start(own, again, after)",
        "",
    ),
    Mutation(
        "one finding about several groups is found twice after one of them moved on",
        RULES,
        "if check.groups and (before or rule.code in known):",
        "if False:",
    ),
    Mutation(
        "what a move makes untrue is still found",
        RULES,
        "            gone += before\n",
        "",
    ),
    Mutation(
        "advance compares with what is here, although HEAD is something else",
        GIT,
        "            and not changes.stdout\n",
        "",
    ),
    Mutation(
        "roots are not compared again when one of them holds other objects",
        WHOLE,
        "            if _face(card) != roots[root].face:\n",
        "            if False:\n",
    ),
    Mutation(
        "a worker's groups are not counted again",
        "emission.py",
        "    ledger.check(blueprint, [group])\n",
        "",
    ),
    # records in DNS
    Mutation(
        "a DNSEndpoint may be pruned, and ExternalDNS deletes its records",
        "kube/kinds.py",
        "    keeps=True,  # ExternalDNS deletes the records of one that is gone\n",
        "",
    ),
    Mutation(
        "records lead to the target while disks are copied", RECORDS, "switched=weight == 100", "switched=begun(stage)"
    ),
    Mutation(
        "the TTL stays low for ever",
        RECORDS,
        'lowered=TABLE[stage].ttl == "lowered",',
        "lowered=begun(stage),",
    ),
    Mutation(
        "an address that is left keeps leading back to its VM",
        RECORDS,
        "[(text, (own,), ()) for text in change.before",
        "[(text, (), ()) for text in change.before",
    ),
    Mutation(
        "a key that kubectl read for one zone stays behind once there is another one",
        DNS_SCRIPT,
        'secret_keys+=("$file")',
        'secret_keys=("$file")',
    ),
    Mutation("a DNSEndpoint lacks a record", DNS, "_held_at(change, 0, change.lowered_ttl)", "()"),
    Mutation(
        "the weights of a parallel run are those of the other side",
        DNS,
        '("source", change.before, 100 - weight), ("target", change.after, weight)',
        '("source", change.before, weight), ("target", change.after, 100 - weight)',
    ),
    Mutation("the source stays in a record when it may be gone", DNS, "in sides[change.ended :]", "in sides[0:]"),
    Mutation(
        "the records of a parallel run have one identifier", DNS, '"setIdentifier": side', '"setIdentifier": "vmferry"'
    ),
    Mutation(
        "a step of a parallel run has no effect on records",
        DNS,
        "if all(change.lowered and not (change.switched or change.weight) for change in changes):",
        "if all(change.lowered and not change.switched for change in changes):",
    ),
    Mutation(
        "clients stay at the target of a parallel run that is rolled back",
        DUAL_RUN,
        "if not running(stage):",
        'if stage == "planned":',
    ),
    Mutation(
        "a clone that runs beside its source has the MAC of its source",
        "resolve/machines.py",
        "nics = tuple(replace(nic, mac=own_mac(machine.key, nic.index)) for nic in machine.nics)",
        "nics = tuple(replace(nic, mac=nic.mac) for nic in machine.nics)",
    ),
    Mutation(
        "all NICs that run beside their sources have one MAC",
        DUAL_RUN,
        'f"{key}/{index}".encode()',
        'b"vmferry"',
    ),
    Mutation("a replica does not run while its source serves", OVERLAYS, "METHODS[group.method].replicates)", "False)"),
    Mutation("every clone runs while its source serves", OVERLAYS, "METHODS[group.method].replicates)", "True)"),
    Mutation("an alias leads to the target before it is promoted", ALIAS, "if group.weight != 100:", "if False:"),
    Mutation("an alias leads to the target for ever", ALIAS, 'externalName", after)', 'externalName", alias.before)'),
    Mutation(
        "a Service that clients know can be pruned",
        ALIAS,
        "layer=LAYER, labels=labels, keep=True",
        "layer=LAYER, labels=labels",
    ),
    Mutation("source and target of a route change places", ROUTES, "100, None)}", "None, 100)}"),
    Mutation(
        "a route names its target before that has a Service",
        ROUTED,
        "    if reached is None or not running(reached):\n        return 100, None\n",
        "",
    ),
    Mutation(
        "the weights of a route are those of the other side",
        ROUTED,
        "else 100 - group.weight), group.weight",
        "else group.weight), 100 - group.weight",
    ),
    Mutation("a route names a source that is gone", ROUTED, 'TABLE[group.stage].source == "gone"', "False"),
    Mutation(
        "the endpoint of a source belongs to no Service",
        ROUTES,
        '"kubernetes.io/service-name": source_service(machine)',
        '"kubernetes.io/service-name": machine.target_name',
    ),
    Mutation(
        "the way to a source is pruned while clients are there", ROUTES, 'keep=group.stage != "validated"', "keep=False"
    ),
    Mutation(
        "the port of a source is that of its target's Service",
        ROUTES,
        "(source_service(machine), route.source_port, source)",
        "(source_service(machine), route.number, source)",
    ),
    Mutation(
        "the way to a source stays in the sync for ever",
        "estate/methods/traits.py",
        'ROUTE_SOURCE = Layer(("prepared", *MOVING, "adopted", "validated")',
        "ROUTE_SOURCE = Layer(DNS.stages",
    ),
    Mutation("the applier may not apply routes", NAMESPACES, 'if "route" in group.layers', 'if "route" in group.steps'),
    Mutation(
        "a group that was rolled back begins again with clients",
        "advance.py",
        '("reason", state.reason), ("weight", state.weight))',
        '("reason", state.reason))',
    ),
    Mutation(
        "a target beside its source is given the address of its source by DHCP",
        ADDRESS_PLAN,
        "if nic.fact.mac is not None and nic.mac != _lower(nic.fact.mac):",
        "if False:",
    ),
    Mutation(
        "an address is reserved for two guests at once",
        ADDRESS_PLAN,
        "if times[each.address] > 1 or times[each.mac] > 1:",
        "if False:",
    ),
    Mutation(
        "a test of the pre-flight that failed is recorded as passed",
        OBSERVED_PREFLIGHT,
        'yield _entry(test, object_, "failed", times, cause, found or',
        'yield _entry(test, object_, "succeeded", times, None, found or',
    ),
    Mutation(
        "a VM that was measured for a minute counts as compared",
        COMPARED,
        "if covered < _ENOUGH * period:",
        "if False:",
    ),
    Mutation(
        "a sign-off of the stage proves that a replica caught up",
        "estate/gates.py",
        'the source takes no writes", signed=True)',
        'the source takes no writes")',
    ),
    Mutation(
        "sources of a parallel run, which are on, are to be started",
        SOURCES_BACK,
        ' and group.dual_run != "parallel"',
        "",
    ),
    Mutation(
        "an alias in a script is a name below its zone",
        DNS,
        "{'.' if kind in ('CNAME', 'PTR') else ''}",
        "",
    ),
    Mutation(
        "a script overwrites a record that somebody changed",
        DNS_SCRIPT,
        'update "${known[@]}" "${lines[@]}" || code=$?',
        'update "${lines[@]}" || code=$?',
    ),
    Mutation(
        "a script leaves an old address beside the new one",
        DNS_SCRIPT,
        'lines+=("update delete $name. A" "update delete $name. AAAA"',
        'lines+=("update delete $name. AAAA"',
    ),
    Mutation(
        "the applier may not apply DNSEndpoints", NAMESPACES, 'if "dns" in group.layers', 'if "dns" in group.steps'
    ),
    Mutation(
        "OVN assigns addresses that the spec excludes",
        NETWORKS,
        "if target.subnets and target.exclude_subnets:",
        "if not target.subnets and target.exclude_subnets:",
    ),
    # hosts leave vSphere
    Mutation(
        "a host empties although a VM finds no place when another fails",
        "estate/decommission/reserve.py",
        "margins = Margins(0, 1, per_zone=False",
        "margins = Margins(0, 0, per_zone=False",
    ),
    Mutation(
        "sources of a dual run do not count while a later phase cuts over",
        "estate/decommission/solver.py",
        "            elif start < release:\n                last = later",
        "            elif start < release:\n                last = number",
    ),
    Mutation(
        "a host may go in a window in which a phase cuts over",
        "estate/decommission/solver.py",
        "if date is not None and start <= date < end:",
        "if date is not None and end <= date < start:",
    ),
    Mutation(
        "a vCenter that is gone keeps its Provider in the sync",
        FORKLIFT,
        "return [source for source in known_sources(blueprint) if not source.gone]",
        "return known_sources(blueprint)",
    ),
    Mutation(
        "Services leave the sync with the Plans of a vCenter that is gone",
        "resolve/steps.py",
        '"plan": not gone or (not graduated and any(map(has_service, machines))),',
        '"plan": not gone,',
    ),
    Mutation(
        "conversion credentials of a vCenter that is gone stay in the sync",
        NAMESPACES,
        "for credential in (each for each in plan.credentials if not each.gone):",
        "for credential in plan.credentials:",
    ),
    Mutation(
        "a VM that grows is decided alone while hosts are taken, and their reserve is not looked at",
        OWN_FACTS,
        "    if any(begun(project.spec)):\n        return None",
        "    if any(begun(project.spec)) and not project.spec:\n        return None",
    ),
)


class Layer(NamedTuple):
    """A part of the net: tells what it caught in a mutated copy, or nothing."""

    name: str
    title: str
    catches: Callable[[Path, str], str]  # the copy, and the file that the fault is in


_TESTED = {
    SNAPSHOTS: ("adoption/test_snapshots.py",),
    TRIALS: ("backends/test_checks.py", "backends/test_preflight.py"),
    CHECK_SCRIPT: ("backends/test_checks.py",),
    PREFLIGHT_SCRIPT: ("backends/test_preflight.py",),
    PREFLIGHT_JOBS: ("rules/test_gates.py",),
    ACCOUNT: ("importers/vcenter/test_account.py",),
    OBSERVED_CHECKS: ("rules/test_gates.py",),
    CHECKS: ("cli/test_integrity.py", "backends/test_before.py"),
    CHECKED: ("cli/test_integrity.py",),
    BEFORE_SCRIPT: ("cli/test_integrity.py",),
    INTEGRITY: ("cli/test_integrity.py",),
    MEASURE: ("backends/test_before.py",),
    SAME: ("backends/test_before.py",),
    OBSERVED_PREFLIGHT: ("rules/test_gates.py", "observe/test_causes.py"),
    ADDRESS_PLAN: ("reports/test_addresses.py",),
    "advance.py": ("cli/test_dual_run.py",),
    TRAIL: ("test_record.py",),
    ADOPTED: ("adoption/test_adopt.py",),
    STANDING: ("properties/test_incremental.py",),
    OWN_FACTS: ("test_recheck.py",),
    OWN_GROUPS: ("test_moved_groups.py",),
    PERFORMANCE: ("observe/test_prometheus.py",),
    "estate/gates.py": ("observe/test_prometheus.py", "rules/test_replicas.py"),
    RECHECK: ("test_recheck.py", "test_moved_groups.py"),
    RULES: ("test_moved_groups.py",),
    GIT: ("test_moved_groups.py",),
    WHOLE: ("verify/test_incremental.py",),
    "emission.py": ("test_cores.py",),
    IMPORTED: ("importers/rvtools/test_read.py",),
    RVTOOLS: ("importers/rvtools/test_read.py",),
    SECRECY: ("importers/rvtools/test_read.py",),
    NETWORK_MAP: ("resolve/test_networks.py",),
    SELECTION: ("resolve/test_machines.py",),
    SEGMENTS: ("rules/test_dual_run.py",),
    "resolve/machines.py": ("rules/test_dual_run.py",),
    OVERLAYS: ("backends/test_alias.py",),
}
"""Tests of files that no test is called after."""


def known(copy: Path, test: str) -> str:
    """Run the test that caught a fault when the page was written, if it is there; return it if it fails."""
    name, _, function = test.partition("::")
    there = [path for path in copy.glob(f"tests/**/{name}") if f"def {function.partition('[')[0]}(" in path.read_text()]
    return _pytest(copy, *(f"{path.relative_to(copy)}::{function}" for path in there)) if function and there else ""


def unit(copy: Path, file: str) -> str:
    """Run the unit tests, first those of the file with the fault, and the properties; return the first that fails."""
    stem = "virt_v2v" if file.endswith(".sh") or file == GUEST_NETWORK else Path(file).stem
    found = (*copy.glob(f"tests/test_{stem}*.py"), *copy.glob(f"tests/[belmor]*/test_{stem}*.py")) if file else ()
    nearest = sorted(
        {str(path.relative_to(copy)) for path in found} | {f"tests/{name}" for name in _TESTED.get(file, ())}
    )
    others = ("backends", "estate", "load", "model", "properties", "resolve", "output")
    # By themselves: collecting the others takes longer than running these.
    return (_pytest(copy, *nearest) if nearest else "") or _pytest(copy, *(f"tests/{folder}" for folder in others))


def rules(copy: Path, _file: str) -> str:
    """Compile the examples; return the code of the first finding that stops one, or that something is lost."""
    for name in EXAMPLES:
        done = _vmferry(copy, "compile", f"examples/{name}", "--out", f"examples/{name}", "--format", "json")
        if done.returncode:
            lost = "in no manifest" in done.stderr
            return _codes(done.stdout) or ("nothing written" if lost else f"exit code {done.returncode}")
    return ""


def verify(copy: Path, _file: str) -> str:
    """Verify what the examples were compiled to, by sources without the fault; return the codes of what is found."""
    found = set()
    for name in EXAMPLES:
        schemas = ("--schemas", str(SCHEMAS)) if SCHEMAS.is_dir() else ()
        done = _vmferry(CHECKOUT, "verify", str(copy / "examples" / name), *schemas, "--format", "json")
        if done.returncode:
            found.add(_codes(done.stdout) or f"exit code {done.returncode}")
    return ", ".join(sorted({code for codes in found for code in codes.split(", ")}))


def e2e(copy: Path, file: str) -> str:
    """Apply what was compiled to a real API server, again, and the smallest example through all stages."""
    suite = "tests/e2e/cluster/test_examples.py"
    example = "acme-argocd" if file == ARGOCD else "dual-run" if file in _CLIENTS else "acme"
    tests = (
        f"{suite}::test_every_object_is_accepted_without_a_warning[{example}]",
        f"{suite}::test_applying_again_changes_nothing[{example}]",
        f"{suite}::test_the_stages_lose_nothing_that_holds_data[minimal]",
    )
    return _pytest(copy, *tests, VMFERRY_E2E="1")


_CLIENTS = (ALIAS, DNS, DUAL_RUN, RECORDS, ROUTED, ROUTES)
"""What leads clients to VMs: only the example of dual runs has all of it."""

LAYERS = (
    Layer("rules", "compile", rules),  # compiles: what comes after it reads what it wrote
    Layer("verify", "verify", verify),
    Layer("unit", "unit tests", unit),
    Layer("e2e", "API server", e2e),
)


def _pytest(copy: Path, *arguments: str, **environment: str) -> str:
    command = (sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *arguments)
    done = _run(command, copy, copy, environment)
    if done.returncode == 0 or ("::" in arguments[0] and done.returncode in (4, 5)):  # that test is not there any more
        return ""
    failed = [line.split(" ")[1] for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if not failed:
        raise RuntimeError(f"pytest did not run: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return failed[0]


def _vmferry(sources: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return _run((sys.executable, "-m", "vmferry", *arguments), sources, sources, {})


def _run(
    command: Iterable[str], where: Path, sources: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    inherited = {
        **os.environ,
        "PATH": f"{CHECKOUT / '.tools' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(sources / "compiler"),
        # A copy lies where the one before it lay, so what does not have the fault is compiled already.
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(where.parent / "pycache" if where != CHECKOUT else CHECKOUT / "build" / "pycache"),
        "VMFERRY_SCHEMAS": str(SCHEMAS),
    }
    return subprocess.run(
        [*command], cwd=where, env=inherited | environment, capture_output=True, text=True, check=False
    )


def _codes(output: str) -> str:
    """Return the codes of the errors in vmferry's JSON, or nothing where it is none."""
    try:
        findings = json.loads(output)["findings"]
    except (ValueError, KeyError):
        return ""
    return ", ".join(sorted({each["code"] for each in findings if each["severity"] == "error"}))


# --- running ---------------------------------------------------------------------------------


def copied(folder: Path, mutation: Mutation | None = None) -> Path:
    """Return a copy of this checkout in a folder, with a fault in it. Raises ValueError where its text is not once."""
    copy = folder / "vmferry"
    if not copy.exists():
        shutil.copytree(CHECKOUT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
        (copy / ".tools").symlink_to(CHECKOUT / ".tools")
    if mutation is not None:
        path = copy / "compiler" / "vmferry" / mutation.file
        path.write_text(mutated(mutation, path.read_text()))
        later = time.time() + MUTATIONS.index(mutation)  # bytecode goes by whole seconds
        os.utime(path, (later, later))
    return copy


def mutated(mutation: Mutation, text: str) -> str:
    """Return a source with a fault in it. Raises ValueError where what it replaces is not there once."""
    if text.count(mutation.before) != 1:
        raise ValueError(
            f"{mutation.what}: {mutation.before!r} is {text.count(mutation.before)} times in {mutation.file}"
        )
    return text.replace(mutation.before, mutation.after)


def judge(
    mutation: Mutation | None, layers: Iterable[Layer], folder: Path, *, first: bool, test: str = ""
) -> dict[str, str]:
    """Return what each layer says of a fault; with ``first``, up to the first that catches it, ``test`` before all."""
    told: dict[str, str] = {}
    copy = copied(folder, mutation)
    if mutation and test and (said := known(copy, test)):
        shutil.copy2(CHECKOUT / "compiler/vmferry" / mutation.file, copy / "compiler/vmferry" / mutation.file)
        return {"unit": said}  # nothing else was written: the next fault goes into the same copy
    try:
        for layer in layers:
            told[layer.name] = layer.catches(copy, mutation.file if mutation else "")
            if told[layer.name] and (first or layer.name == "rules"):
                break  # what does not compile cannot be looked at
    finally:
        shutil.rmtree(copy)
    return told


def shown() -> dict[str, dict[str, str]]:
    """Return what the page says already of faults that were caught: by fault and file, what each layer told."""
    rows = (line.strip("| ").split(" | ") for line in TABLE.read_text().splitlines() if line.startswith("| "))
    cells = ([cell.strip().strip("`") for cell in row] for row in rows)
    names = [layer.name for layer in LAYERS]
    return {f"{what}|{file}": dict(zip(names, told, strict=False)) for what, file, *told in cells if any(told)}


def _short(said: str) -> str:
    """Return what a layer told, a test without the folder that it is in."""
    return said.rpartition("/")[2]


def table(judged: dict[Mutation, dict[str, str]]) -> str:
    """Return the page of docs/ that says which layer catches which fault."""
    head = ["Fault", "Where", *(layer.title for layer in LAYERS)]
    rows = [head, ["---"] * len(head)]
    for mutation, told in judged.items():
        cells = [f"`{said}`" if said else "" for said in (_short(told.get(layer.name, "")) for layer in LAYERS)]
        rows.append([mutation.what, f"`{mutation.file}`", *cells])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([HEAD, *lines, ""])


HEAD = """\
# What catches a fault in a backend

`make mutations` puts each of these faults into a copy of the sources, one at a time, and lets every part of the
net look for it: `vmferry compile` with its rules, over the examples; `vmferry verify`, with the schemas of
the real resources, over what that wrote; the unit tests and properties (not the golden outputs, which find every
change); and a real API server, which is given an example twice, and the smallest one through all stages. A cell names
the first test or the codes that told. `nothing written` is `vmferry compile` itself, which counts again what backends
emit and found a VM, a disk or a NIC missing. The other rules judge the spec, before a backend runs: there is nothing
for them here.

A fault that is new since all of them were last tried in full has been shown to the unit tests alone.

This page is written by `make mutations`; a test holds it against the list in `tests/e2e/mutations.py`.
"""


def _quickest(layers: list[Layer], caught: dict[str, str]) -> list[Layer]:
    """Return the layers so that the one which caught a fault before comes early: all unit tests take minutes."""
    return sorted(layers, key=lambda each: each.name != "unit") if caught.get("unit") else layers


def _unsound(layers: Iterable[Layer]) -> bool:
    """Return whether a layer catches something in the sources as they are, and say it."""
    with TemporaryDirectory() as folder:
        told = judge(None, layers, Path(folder), first=False)
    if any(told.values()):
        print(f"the sources have a fault of their own: {told}", file=sys.stderr)
    return any(told.values())


def main() -> int:
    """Judge every fault; exit with 1 if nothing catches one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="only faults with this in their description or file")
    parser.add_argument(
        "--layers", default=",".join(layer.name for layer in LAYERS), help="layers to run (%(default)s)"
    )
    parser.add_argument("--first", action="store_true", help="stop at the first layer that catches a fault")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="faults at a time (%(default)s)")
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.relative_to(CHECKOUT)}")
    parser.add_argument("--new", action="store_true", help="only faults that the page does not have")
    options = parser.parse_args()
    partial = options.only or (options.layers != ",".join(each.name for each in LAYERS) and not options.new)
    if options.write and partial:
        parser.error("--write is for all faults and all layers, or for all new faults")
    layers = [layer for layer in LAYERS if layer.name in options.layers.split(",")]
    page = shown()
    before = page if options.new else {}
    chosen = [each for each in MUTATIONS if options.only in each.what or options.only in each.file]
    chosen = [each for each in chosen if f"{each.what}|{each.file}" not in before]
    # With --first, as CI has it, make test and make e2e have just told: only what catches a fault is tried again.
    late = [layer for layer in layers if options.first and layer.name in ("unit", "e2e")]
    if _unsound([layer for layer in layers if layer not in late]):
        return 1

    top = TemporaryDirectory()
    places: Queue[Path] = Queue()
    for number in range(options.jobs):
        places.put(Path(top.name, str(number)))

    def look(mutation: Mutation) -> dict[str, str]:
        place = places.get()
        caught = page.get(f"{mutation.what}|{mutation.file}", {}) if options.first else {}
        try:
            told = judge(mutation, _quickest(layers, caught), place, first=options.first, test=caught.get("unit", ""))
        finally:
            places.put(place)
        said = "; ".join(f"{name}: {_short(what)}" for name, what in told.items() if what)
        print(f"{mutation.what} ({mutation.file}): {said or 'NOT CAUGHT'}", file=sys.stderr, flush=True)
        return told

    with ThreadPoolExecutor(options.jobs) as pool:
        judged = dict(zip(chosen, pool.map(look, chosen), strict=True))
    with top:
        tests = sorted({told["unit"] for told in judged.values() if told.get("unit")}) if late else []
        sound = copied(Path(top.name, "sound"))
        if tests and (wrong := _pytest(sound, *tests)):
            print(f"the sources have a fault of their own: {wrong}", file=sys.stderr)
            return 1
    if any(told.get("e2e") for told in judged.values()) and _unsound([each for each in late if each.name == "e2e"]):
        return 1
    caught = sum(any(told.values()) for told in judged.values())
    print(f"mutations: {len(judged)} faults, {caught} caught")
    if options.write:
        kept = {each: before.get(f"{each.what}|{each.file}", {}) for each in MUTATIONS}
        TABLE.write_text(table(kept | judged))
    return 0 if caught == len(judged) else 1


if __name__ == "__main__":
    sys.exit(main())
