"""MAC addresses in KubeVirt's form."""

from vmferry.model.rule import declare

MAC_TWICE = declare(
    "VMF206",
    "error",
    "MAC address is used twice",
    why="VMs keep their MAC addresses, because licences and the guest's own configuration depend on them. Two NICs "
    "with the same MAC on a network conflict once both run; KubeVirt does not notice, and Forklift refuses a Plan "
    "whose MAC already exists in the target.",
    source="kubevirt/kubevirt pkg/network/admitter (uniqueness is not checked); kubev2v/forklift "
    "pkg/controller/plan/validation.go (MacConflicts)",
)


def plain(mac: str) -> str:
    """Return a MAC in lower case with colons, whatever its spelling."""
    return mac.lower().replace("-", ":")
