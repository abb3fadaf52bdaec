"""Numbers in sentences."""


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: 1 VM, 2 VMs."""
    return f"{count} {noun}" if count == 1 else f"{count} {plural or noun + 's'}"
