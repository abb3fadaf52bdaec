"""Effect of a node drain on a VM: live migration, or shutdown."""

from vmferry.estate.state import keeps_state, shared_state, state_class
from vmferry.kube.versions import STATE_VOLUME_PINS, possible
from vmferry.model.blueprint import EvictionStrategy, Machine
from vmferry.model.rule import declare
from vmferry.model.spec import Cluster, Storage
from vmferry.resolve.notes import Noting, decide
from vmferry.resolve.selection import Candidate

_REMEDY = (
    "update KubeVirt to 1.4 or later, or give its state a class with ReadWriteMany file systems "
    "(target.cluster.vmStateStorageClass); or set liveMigration: preferred"
)


def _pinned_by_state(machine: Machine, cluster: Cluster, storage: Storage) -> tuple[str, ...]:
    """Return why the state of a machine ties it to its node; nothing from KubeVirt 1.4 on."""
    if not keeps_state(machine) or not possible(cluster.versions, STATE_VOLUME_PINS):
        return ()
    if shared_state(state_class(cluster, storage)):
        return ()
    what = "vTPM state is" if machine.vtpm else "EFI variables are"
    return (f"its {what} kept on a volume that KubeVirt {cluster.versions.kubevirt} makes ReadWriteOnce",)


NO_PREFERRED_LIVE_MIGRATION = declare(
    "VMF304",
    "warning",
    "live migration is preferred and not possible",
    why="vMotion was taken for granted. In the target, a VM with a disk that only one node can mount, a GPU or a "
    "macvtap NIC is shut down when its node is drained or upgraded; whoever plans maintenance should know which "
    "VMs those are.",
    source="kubevirt/kubevirt pkg/virt-handler/vm.go (calculateLiveMigrationCondition)",
)


NO_REQUIRED_LIVE_MIGRATION = declare(
    "VMF502",
    "error",
    "live migration is required and not possible",
    why="KubeVirt accepts LiveMigrate on a VM that cannot live-migrate, and then refuses every drain of its node: one "
    "such VM blocks an upgrade of the cluster.",
    source="kubevirt/kubevirt pkg/virt-handler/vm.go (calculateLiveMigrationCondition), pod-eviction-admitter.go",
)


def eviction(candidate: Candidate, machine: Machine, cluster: Cluster, storage: Storage) -> Noting[EvictionStrategy]:
    """Return the eviction strategy by KubeVirt's rule (virt-handler vm.go calculateLiveMigrationCondition).

    LiveMigrate on a VM that cannot migrate would block every node drain, and admission does not notice.
    """
    wanted, vm = candidate.decisions.live_migration or "preferred", candidate.vm
    where = candidate.origin("live_migration")
    disks, nics = machine.disks, machine.nics
    hindrances = [f"{disk.name} is {disk.access_mode}" for disk in disks if disk.access_mode != "ReadWriteMany"]
    hindrances += [f"{disk.name} is a LUN with reservations" for disk in disks if disk.lun]
    hindrances += ["GPU"] * bool(vm.gpus) + ["passed-through device"] * bool(vm.host_devices)
    hindrances += [f"{nic.name} is macvtap" for nic in nics if nic.binding == "macvtap"]
    hindrances += [f"{nic.name} bridges the pod network" for nic in nics if nic.nad is None and nic.binding == "bridge"]
    pinned = _pinned_by_state(machine, cluster, storage)
    hindrances += pinned
    if wanted == "none":
        yield decide(candidate.key, "live migration", "None", "the spec says so", where=where)
        return "None"
    if not hindrances:
        yield decide(candidate.key, "live migration", "LiveMigrate", "every disk is ReadWriteMany", where=where)
        return "LiveMigrate"
    because = "; ".join(hindrances)
    if wanted == "required":
        yield NO_REQUIRED_LIVE_MIGRATION.finding(
            f"VM {vm.name} must live-migrate and cannot: {because}",
            _REMEDY if pinned else "remove what prevents it, or set liveMigration: preferred",
            where=where,
            vms=(vm.name,),
        )
    else:
        yield NO_PREFERRED_LIVE_MIGRATION.finding(
            f"VM {vm.name} cannot live-migrate: {because}",
            "it is shut down when its node is drained; set liveMigration: none if that is acceptable",
            where=where,
            vms=(vm.name,),
        )
    yield decide(candidate.key, "live migration", "LiveMigrateIfPossible", because, where=where)
    return "LiveMigrateIfPossible"
