"""What each VM asks of the nodes: the requests of its pods, and what it was measured to use."""

import math
from collections import Counter
from collections.abc import Callable

from vmferry.estate.capacity import Pod
from vmferry.estate.methods import METHODS
from vmferry.estate.sizing import CONVERSION, guest_load, machine_load, millicores, pod_overhead
from vmferry.kube.quantity import parse_size
from vmferry.model.blueprint import Group, Machine
from vmferry.model.facts import Rate
from vmferry.model.spec import Cluster, VirtualMachine

Of = Callable[[Rate], float]
"""The value of a measurement that counts: its average or its peak, in percent."""

CONVERTING = Pod("", CONVERSION.cpu, CONVERSION.memory)
"""The pod that converts a VM."""


def pods_of(machine: Machine, cluster: Cluster) -> tuple[Pod, ...]:
    """Return the pods of a machine once it runs: none of a template, or of a VM that stays off."""
    if machine.golden or machine.run_strategy == "Halted":
        return ()
    application = machine.application
    if application is not None:
        resources = application.resources
        one = Pod(machine.name, millicores(resources.cpu), parse_size(resources.memory))
        return (one,) * (application.replicas + 1)  # one more while it rolls
    load = machine_load(machine, cluster)
    return (Pod(machine.name, load.cpu, load.memory, _counted(*machine.gpus, *machine.host_devices)),)


def pods_of_vm(vm: VirtualMachine, cluster: Cluster) -> tuple[Pod, ...]:
    """Return the pods of a VM before anything is decided about it; none if it is off, a template, or of unknown size.

    Its devices are those of vSphere, where the spec names none.
    """
    if vm.template or vm.power_state not in (None, "poweredOn") or vm.cpu is None or vm.memory is None:
        return ()
    named = tuple(each.device_name for each in (*vm.gpus, *vm.host_devices))
    devices = _counted(*(named or vm.passthrough or ()))
    passthrough = bool(devices) or bool(vm.sriov)
    load = guest_load(vm.cpu.count, parse_size(vm.memory), cluster, passthrough=passthrough, vtpm=bool(vm.vtpm))
    return (Pod(vm.name, load.cpu, load.memory, devices),)


def used_by(pods: tuple[Pod, ...], vm: VirtualMachine, machine: Machine | None, of: Of) -> tuple[Pod, ...]:
    """Return the pods of a VM as large as what it was measured to use; as they are, if nothing was measured.

    Dedicated CPUs are used in full, and so is the memory of a VM with a device, which it pins.
    """
    baseline, special = vm.baseline, machine is not None and (machine.dedicated_cpus or machine.application is not None)
    if baseline is None or vm.cpu is None or vm.memory is None or special:
        return pods
    found = []
    for pod in pods:
        if baseline.cpu is not None:
            pod = pod._replace(cpu=math.ceil(vm.cpu.count * 10 * of(baseline.cpu)))
        if baseline.memory is not None and not pod.devices:
            guest = parse_size(vm.memory)
            beside = pod_overhead(machine) if machine is not None else max(0, pod.memory - guest)
            pod = pod._replace(memory=min(pod.memory, math.ceil(guest * of(baseline.memory) / 100) + beside))
        found.append(pod)
    return tuple(found)


def converts(machine: Machine, group: Group) -> bool:
    """Return whether a pod in the cluster copies and converts a VM."""
    return group.path != "rebuild" and METHODS[group.method].reads and machine.clone_of is None


def _counted(*names: str) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(names).items()))
