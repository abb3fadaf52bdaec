"""How VMs are restored to their snapshots from before their acceptance: by hand, while nothing syncs them."""

from collections.abc import Iterator
from shlex import quote

from msgspec import Struct

from vmferry.backends import entry_points
from vmferry.estate.snapshots import snapshot_name, snapshotted
from vmferry.kube import kinds
from vmferry.model.blueprint import Blueprint, Group, Machine
from vmferry.rules.adoption import command as adoption
from vmferry.yaml.write import dump


class Step(Struct, frozen=True):
    """Something to do by hand, in order. ``kind`` says who knows about it."""

    kind: str  # git, target, power, network or dns
    what: str
    command: str | None = None  # of one or more lines


AT = ("adopted", "validated")
"""The stages at which there may be snapshots, and VMs whose records can follow a restore."""


def restore(blueprint: Blueprint, group: Group, spec: str) -> Iterator[Step]:
    """Yield the steps that restore VMs of a group; none where it has no snapshots.

    A VirtualMachineRestore gives a VM new claims with new names, and the next sync would put the old ones back: it is
    safe only while the sync is suspended, and until git has the new names. KubeVirt only restores a VM that is halted
    (kubevirt pkg/storage/snapshot/restore.go, Ready; up to 1.3, its run strategy too).
    """
    machines = list(snapshotted(group)) if group.stage in AT else []
    if not machines:
        return
    first, space = machines[0], quote(group.namespace)
    name = quote(first.target_name)
    others = ", ".join(f"{each.target_name}: {snapshot_name(each, group.attempt)}" for each in machines[1:])
    yield Step(
        "target",
        f"look which snapshots are ready; the steps below restore {first.target_name}"
        + (f", and the others likewise ({others})" if others else ""),
        f"kubectl get vmsnapshot --namespace {space}",
    )
    suspend, resume = _engine(blueprint, group)
    yield Step("git", "suspend the sync: it would put the names of the present claims back", suspend)
    halt = '{"spec":{"runStrategy":"Halted"}}'
    yield Step(
        "target",
        "stop the VM, and wait until it is off",
        f"kubectl patch vm {name} --namespace {space} --type merge --patch '{halt}'\n"
        f"kubectl wait vmi/{name} --namespace {space} --for delete --timeout 10m",
    )
    yield Step("target", _restored(machines), f"kubectl create --filename - <<'EOF'\n{_manifest(group, first)}EOF")
    yield Step(
        "target",
        "wait until COMPLETE is true; a claim that stays Pending may exceed the namespace's quota",
        f"kubectl get vmrestore,pvc --namespace {space}",
    )
    yield Step("git", "record the VM with its new claims, compile, commit, and merge", adoption(spec, group))
    yield Step("git", "resume the sync once it is merged: it starts the VM", resume)


def _restored(machines: list[Machine]) -> str:
    clones = [each.target_name for each in machines if each.clone_of is not None]
    kept = f"; KubeVirt deletes those of clones ({', '.join(clones)})" if clones else ""
    return (
        "restore it: what it wrote since the snapshot is lost to it, and stays on its present claims, which are kept"
        f"{kept}"
    )


def _engine(blueprint: Blueprint, group: Group) -> tuple[str, str]:
    """Return the commands that suspend and resume the sync of a group's VMs.

    Both last although the Kustomization or Application is synced itself: git has neither field. Automatic sync that is
    turned off in an Application would be turned on again by its parent's `selfHeal`.
    """
    points = [point for part in entry_points.parts(blueprint) for point in part.points]
    roots = [point for point in points if point.group is not None and point.group.name == group.name]
    name = next(point.name for point in roots if point.step is not None and "machines" in point.step.layers)
    space = quote(blueprint.target.engine_namespace)
    if blueprint.gitops.engine == "flux":
        # kubectl's own changes are undone by Flux (kustomize-controller, ssa.ApplyCleanupOptions); those of `flux` stay
        on = f"kustomization {name} --namespace {space}"
        return f"flux suspend {on}", f"flux resume {on}"
    note = f"kubectl annotate application {name} --namespace {space} argocd.argoproj.io/skip-reconcile"
    return f"{note}=true", f"{note}-"


def _manifest(group: Group, machine: Machine) -> str:
    """Return a VirtualMachineRestore. It runs once, so each gets a name of its own."""
    return dump(
        {
            "apiVersion": kinds.SNAPSHOT.api_version,
            "kind": "VirtualMachineRestore",
            "metadata": {"generateName": f"{machine.target_name[:50]}-restore-", "namespace": group.namespace},
            "spec": {
                "target": {
                    "apiGroup": kinds.VIRTUAL_MACHINE.group,
                    "kind": kinds.VIRTUAL_MACHINE.name,
                    "name": machine.target_name,
                },
                "virtualMachineSnapshotName": snapshot_name(machine, group.attempt),
            },
        }
    ).decode()
