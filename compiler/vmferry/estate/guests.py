"""Which guest systems virt-v2v converts, which it certainly cannot, and which Red Hat supports.

virt-v2v converts Windows and the Linux distributions that convert/convert.ml names, and stops at any other: "virt-v2v
is unable to convert this guest type". Guest ids are those of vSphere's VirtualMachineGuestOsIdentifier.
"""

import re
from functools import lru_cache

_UNCONVERTED_IDS: tuple[tuple[str, str], ...] = (
    (r"freebsd", "FreeBSD"),
    (r"darwin", "macOS"),
    (r"solaris", "Solaris"),
    (r"vmwarephoton", "Photon OS"),
    (r"coreos64", "CoreOS Container Linux"),
    (r"crx(pod|sys)", "a vSphere Pod"),
    (r"vmkernel", "ESXi"),
    (r"netware", "NetWare"),
    (r"openserver|unixware", "SCO UNIX"),
    (r"os2|ecomstation", "OS/2"),
    (r"mandrake|mandriva", "Mandriva Linux"),
    (r"turbolinux", "Turbolinux"),
    (r"sjds", "Sun Java Desktop System"),
    (r"dosguest|win31|win95|win98|winme", "a DOS-based system"),
)
"""Prefixes of the guest ids of systems that virt-v2v cannot convert, in lower case, with the systems' names."""

_UNCONVERTED_NAMES: tuple[tuple[str, str], ...] = (
    (r"(free|open|net|dragonfly ?|midnight)bsd|\bbsd\b", "BSD"),
    (r"pfsense|opnsense|truenas core|freenas", "FreeBSD"),
    (r"photon", "Photon OS"),
    (r"solaris|sunos|openindiana|illumos|smartos|omnios", "Solaris"),
    (r"mac ?os|os x|darwin", "macOS"),
    (r"\besxi?\b|vmkernel", "ESXi"),
    (r"alpine linux", "Alpine Linux"),
    (r"arch linux|archlinux", "Arch Linux"),
    (r"gentoo|flatcar|coreos container linux|container linux by coreos", "Gentoo or Container Linux"),
    (r"slackware|mandriva|mandrake|mageia|turbolinux|void linux|nixos|openwrt|buildroot|cirros", "another Linux"),
    (r"netware|unixware|openserver|os/2|ecomstation|ms-?dos|freedos", "a system of the past"),
    (r"\bhaiku\b|minix|plan 9|\bqnx\b|vxworks|android", "another system"),
)
"""Patterns in the names of such systems, as reported by VMware Tools or vCenter."""

_CONVERTED_NAMES = re.compile(
    r"windows|red ?hat|\brhel|centos|circle linux|scientific linux|oracle linux|rocky|kylin|anolis|alt linux|suse\b"
    r"|\bsles|debian|ubuntu|linux ?mint|kali|fedora",
    re.IGNORECASE,
)

_SUPPORTED_IDS = re.compile(
    r"rhel(?:[789]|10)(?:_64)?guest|windows(?:10|11|2016|2019|2022|2025).*guest|windows9(?:_64|server64)?guest"
)
"""Guest ids, in lower case, of systems on Red Hat's list.

vSphere has no id of its own for Windows 10 (windows9) and Windows Server 2016 (windows9Server64); Forklift's policy
does not know that. Server 2022 is windows2019srvNext where the hardware version is too old for its own, and Server 2025
windows2022srvNext.
"""

_SUPPORTED_NAMES = (
    *(f"red hat enterprise linux {release}" for release in (7, 8, 9, 10)),
    *(f"windows {release}" for release in (10, 11)),
    *(f"windows server {release}" for release in (2016, 2019, 2022, 2025)),
)


@lru_cache(maxsize=4096)  # thousands of VMs have a few dozen systems
def unconverted(guest_id: str | None, tools_name: str | None, name: str | None) -> str | None:
    """Return the name of a guest system that virt-v2v certainly cannot convert; None if it can, or if unknown.

    ``tools_name``, reported by VMware Tools, wins over ``guest_id`` and ``name``, which were configured once.
    """
    if tools_name:
        if system := _of_name(tools_name):
            return system
        if _CONVERTED_NAMES.search(tools_name):
            return None
    for pattern, system in _UNCONVERTED_IDS:
        if re.match(pattern, (guest_id or "").lower()):
            return system
    return _of_name(name or "")


def _of_name(text: str) -> str | None:
    for pattern, system in _UNCONVERTED_NAMES:
        if re.search(pattern, text, re.IGNORECASE):
            return system
    return None


@lru_cache(maxsize=4096)
def supported(guest_id: str | None, *names: str | None) -> bool:
    """Return whether Red Hat supports the conversion of a guest: RHEL 7 to 10, Windows 10 and 11, Server 2016 to 2025.

    Source: kubev2v/forklift validation/policies/io/konveyor/forklift/vmware/vm_os.rego, and vSphere's guest ids.
    """
    if guest_id is not None and _SUPPORTED_IDS.search(guest_id.lower()):
        return True
    return any(known in (name or "").lower() for name in names for known in _SUPPORTED_NAMES)
