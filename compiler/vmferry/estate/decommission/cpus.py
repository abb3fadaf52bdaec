"""What the CPU of an ESXi host is, by the name it gives itself, and whether a node can be made of it.

Sources: Intel's and AMD's product lists for names; the x86-64 psABI (x86-64-ABI, low-level-sys-info.tex) for levels;
Red Hat Enterprise Linux 9 and Red Hat CoreOS need x86-64-v2, RHEL 10 needs x86-64-v3.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal, NamedTuple

Vendor = Literal["Intel", "AMD"]


class Cpu(NamedTuple):
    """A generation of CPUs, and its x86-64 level."""

    vendor: Vendor
    generation: str
    level: int


_XEON = r"Xeon.*\b"
_GENERATIONS: tuple[tuple[str, Cpu], ...] = (
    (_XEON + r"(?:[ELXW][357][1-4]\d\d|CPU +5[01]\d\d)\b", Cpu("Intel", "Core", 1)),
    (_XEON + r"[ELXW][357][56]\d\d\b", Cpu("Intel", "Nehalem or Westmere", 2)),
    (_XEON + r"E7- ?[248]8\d\d\b(?!.*v[2-4])", Cpu("Intel", "Westmere", 2)),
    (_XEON + r"E[357]-? ?\d{4}\w?\b.*v2", Cpu("Intel", "Ivy Bridge", 2)),
    (_XEON + r"E[357]-? ?\d{4}\w?\b.*v3", Cpu("Intel", "Haswell", 3)),
    (_XEON + r"E[357]-? ?\d{4}\w?\b.*v4", Cpu("Intel", "Broadwell", 3)),
    (_XEON + r"E[35]-? ?\d{4}\w?\b", Cpu("Intel", "Sandy Bridge", 2)),
    (_XEON + r"(?:Platinum|Gold|Silver|Bronze) [3-9]1\d\d", Cpu("Intel", "Skylake", 4)),
    (_XEON + r"(?:Platinum|Gold|Silver|Bronze) [3-9]2\d\d", Cpu("Intel", "Cascade Lake", 4)),
    (_XEON + r"(?:Platinum|Gold|Silver|Bronze) [3-9]3\d\d", Cpu("Intel", "Ice Lake or Cooper Lake", 4)),
    (_XEON + r"(?:Platinum|Gold|Silver|Bronze) [3-9]4\d\d", Cpu("Intel", "Sapphire Rapids", 4)),
    (_XEON + r"(?:Platinum|Gold|Silver|Bronze) [3-9]5\d\d", Cpu("Intel", "Emerald Rapids", 4)),
    (_XEON + r"6[79]\d\d[EP]", Cpu("Intel", "Xeon 6", 3)),
    (_XEON + r"E-2[12]\d\d", Cpu("Intel", "Coffee Lake", 3)),
    (_XEON + r"E-23\d\d", Cpu("Intel", "Rocket Lake", 4)),
    (_XEON + r"D-1[56]\d\d", Cpu("Intel", "Broadwell", 3)),
    (_XEON + r"D-(?:21|[12]7)\d\d", Cpu("Intel", "Skylake or Ice Lake", 4)),
    (r"EPYC 7\w\w1\b", Cpu("AMD", "Naples", 3)),
    (r"EPYC 7\w\w2\b", Cpu("AMD", "Rome", 3)),
    (r"EPYC 7\w\w3\w?\b", Cpu("AMD", "Milan", 3)),
    (r"EPYC [89]\w\w4\w?\b", Cpu("AMD", "Genoa, Bergamo or Siena", 4)),
    (r"EPYC 9\w\w5\w?\b", Cpu("AMD", "Turin", 4)),
    (r"Opteron.* (?:41|61)\d\d\b", Cpu("AMD", "Magny-Cours", 1)),
    (r"Opteron.* (?:42|43|62|63)\d\d\b", Cpu("AMD", "Bulldozer or Piledriver", 2)),
)
"""Patterns of names, the first that matches counts."""

LEAST_LEVEL = 2
_AMD = re.compile(r"\b(?:AMD|EPYC|Opteron)", re.IGNORECASE)
_INTEL = re.compile(
    r"\b(?:Intel|Xeon|Nehalem|Westmere|SandyBridge|IvyBridge|Haswell|Broadwell|Skylake|Cascadelake|Cooperlake|Icelake|"
    r"SapphireRapids|GraniteRapids|SierraForest)",
    re.IGNORECASE,
)


def cpu_of(model: str | None) -> Cpu | None:
    """Return the generation of a CPU; None where its name does not say it."""
    text = re.sub(r"\((?:R|TM)\)", "", model or "")
    return next((cpu for pattern, cpu in _GENERATIONS if re.search(pattern, text, re.IGNORECASE)), None)


def vendor_of(model: str | None) -> Vendor | None:
    """Return who made a CPU, by its name or by libvirt's name of its model."""
    if model is None:
        return None
    return "AMD" if _AMD.search(model) else "Intel" if _INTEL.search(model) else None


def usual_vendor(models: Iterable[tuple[str | None, int]]) -> Vendor | None:
    """Return the vendor of most cores, of models with their cores; None if no vendor is known."""
    cores: Counter[Vendor] = Counter()
    for model, count in models:
        if (vendor := vendor_of(model)) is not None:
            cores[vendor] += count
    return max(sorted(cores), key=lambda vendor: cores[vendor], default=None)


def unfit(model: str | None, vendor: Vendor | None) -> str | None:
    """Return why no node can be made of a host with this CPU; None if nothing speaks against it.

    ``vendor`` is that of the other nodes: KVM does not migrate a running VM between Intel and AMD.
    """
    cpu, own = cpu_of(model), vendor_of(model)
    if cpu is not None and cpu.level < LEAST_LEVEL:
        return f"its CPU ({cpu.generation}) is x86-64-v{cpu.level}, and RHEL 9 and CoreOS need v{LEAST_LEVEL}"
    if own is not None and vendor is not None and own != vendor:
        return f"its CPU is from {own}, the nodes' are from {vendor}: no live migration between them"
    return None
