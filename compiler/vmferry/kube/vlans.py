"""VLANs in the form of vSphere and NetworkAttachmentDefinitions: numbers, and ranges such as ``100-200``."""

from collections.abc import Iterable

HIGHEST = 4094


def span(text: str) -> tuple[int, int]:
    """Return the first and last VLAN of a range; one number is both."""
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def numbers(ranges: Iterable[str]) -> frozenset[int]:
    """Return the VLANs in ranges, without 0, which means untagged frames."""
    found: set[int] = set()
    for first, last in map(span, ranges):
        found |= set(range(max(1, first), min(HIGHEST, last) + 1))
    return frozenset(found)


def spelled(vlans: Iterable[int]) -> str:
    """Return VLANs as ranges: ``7, 100-200``."""
    parts: list[tuple[int, int]] = []
    for number in sorted(vlans):
        if parts and number == parts[-1][1] + 1:
            parts[-1] = (parts[-1][0], number)
        else:
            parts.append((number, number))
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)
