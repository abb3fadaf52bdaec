"""Tolerations of pods and VMs, which let them run on nodes with taints."""

from vmferry.model.spec import Toleration


def toleration(entry: Toleration) -> dict[str, str]:
    """Return a toleration of a pod or VM."""
    result = {"key": entry.key, "operator": entry.operator}
    if entry.value is not None:
        result["value"] = entry.value
    if entry.effect is not None:
        result["effect"] = entry.effect
    return result
