"""Pre-flight tests: on which nodes they run, which hosts they reach, what their Jobs are called, and who needs them."""

import json
from collections.abc import Iterable, Iterator

import msgspec

from vmferry.estate.history import History
from vmferry.estate.methods import METHODS
from vmferry.estate.state import keeps_state
from vmferry.kube.dns import digest, suffixed
from vmferry.kube.nodes import vm_nodes
from vmferry.model.base import Labels
from vmferry.model.blueprint import Machine, PreflightPlan, PreflightTest
from vmferry.model.evidence import Entry
from vmferry.model.inventory import Inventory
from vmferry.model.keys import Reference, name_of
from vmferry.model.spec import Cluster, ExistingNad, MigrationSpec, Network, NodePool, Source

ZONE = "topology.kubernetes.io/zone"


def nodes_of(pool: NodePool, cluster: Cluster) -> Labels | None:
    """Return the labels by which the nodes of a pool are found; None if no label distinguishes them."""
    if pool.node_selector:
        return pool.node_selector
    if pool.zone is not None and sum(each.zone in (pool.zone, None) for each in cluster.nodes) == 1:
        return {ZONE: pool.zone}
    return vm_nodes(cluster.distribution) if len(cluster.nodes) == 1 else None


def hosts_of(source: Source, spec: MigrationSpec, inventories: Iterable[Inventory]) -> tuple[str, ...]:
    """Return the ESXi hosts behind a vCenter: those of the inventory, those to copy from, and those that are listed."""
    listed = spec.target.preflight.hosts if spec.target.preflight is not None else ()
    found = {host.name for part in inventories if part.source.name == source.name for host in part.hosts}
    found |= {host.ip_address for host in source.vcenter.hosts}
    found |= {name for each in listed if each.source == source.name for name in each.names}
    return tuple(sorted(found))


def unattachable(network: Network) -> str | None:
    """Return why no pod can attach to a network for a test; None if one can."""
    target = network.target
    if not isinstance(target, ExistingNad):
        return None
    if target.namespace is None:
        return f"NetworkAttachmentDefinition {target.name} is in the namespaces of VMs"
    if target.binding != "bridge":
        return f"the node resource of NetworkAttachmentDefinition {target.name} is unknown"
    return None


def job_name(migration: str, plan: PreflightPlan, test: PreflightTest) -> str:
    """Return the name of a test's Job: another one for whatever it is made from, since a Job cannot be changed."""
    made = (test, plan.image, plan.user, plan.max_clock_skew, plan.tolerations)
    content = json.dumps(msgspec.to_builtins(made), sort_keys=True)
    return suffixed(f"{migration}-preflight-{test.name}", digest(content))


def shown_by(migration: str, plan: PreflightPlan, test: PreflightTest) -> str:
    """Return what evidence of a test is about. A test that changed has to pass again."""
    return f"Job {plan.namespace}/{job_name(migration, plan, test)}"


def needed(
    migration: str, plan: PreflightPlan | None, machines: tuple[Machine, ...], transfer: Reference | None
) -> tuple[str, ...]:
    """Return the objects of the tests that have to pass before the VMs of a group move."""
    if plan is None:
        return ()
    return tuple(shown_by(migration, plan, test) for test in plan.tests if _concerns(test, machines, transfer))


def failed(migration: str, plan: PreflightPlan | None, history: History) -> Iterator[Entry]:
    """Yield the last results of tests that failed or wait, as far as the tests are those of today."""
    for test in plan.tests if plan is not None else ():
        entry = history.tests.get(shown_by(migration, plan, test)) if plan is not None else None
        if entry is not None and entry.cause is not None:
            yield entry


def _concerns(test: PreflightTest, machines: tuple[Machine, ...], transfer: Reference | None) -> bool:
    """Return whether VMs need what a test tries."""
    moving = [machine for machine in machines if machine.path != "rebuild"]
    if test.vcenter is not None:
        return any(machine.source == test.source and _reads_vsphere(machine) for machine in moving)
    if test.claim is not None:
        name = test.claim.storage_class
        if name is None:
            return any(map(keeps_state, moving))
        return any(disk.storage_class == name for machine in moving for disk in machine.disks)
    used = {nic.nad for machine in moving for nic in machine.nics} | {transfer}
    return any(_is_copy(nad, each.name) or nad == each.nad for nad in used if nad for each in test.networks)


def _is_copy(nad: Reference, network: str) -> bool:
    """Return whether a NAD is that of a network in some namespace, or a further one (network_map, copy_name)."""
    return name_of(nad) == network or name_of(nad).startswith(f"{network}-")


def _reads_vsphere(machine: Machine) -> bool:
    """Return whether pods read the disks of a VM from vSphere."""
    if machine.path == "forklift" or METHODS[machine.method].converts:
        return True
    return any(disk.source.vddk is not None for disk in machine.disks)
