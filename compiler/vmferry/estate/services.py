"""Which VMs get a Service."""

from vmferry.model.blueprint import Machine


def has_service(machine: Machine) -> bool:
    """Return whether a VM gets a Service: it only reaches a VM through the pod network. Golden images have no VM."""
    return not machine.golden and bool(machine.ports) and any(nic.nad is None for nic in machine.nics)
