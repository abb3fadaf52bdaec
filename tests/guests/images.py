"""Disks of real Debian guests, as they would lie on a datastore: made by debootstrap, without loop devices."""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from tests.guests.cache import cached, sh
from tests.guests.estate import Guest, Nic

from vmferry.yaml.write import dump

_MIB = 1 << 20
_SUITE = "bookworm"
_PACKAGES = (
    *("systemd-sysv", "udev", "dbus", "iproute2", "kmod", "initramfs-tools", "zstd"),
    *("linux-image-cloud-amd64", "grub-pc-bin", "grub-efi-amd64-bin", "grub2-common", "lvm2"),
    *("ifupdown", "netplan.io", "network-manager", "openssh-server", "cloud-init"),
)
"""What any of the guests needs; a guest then has one of the network stacks switched on."""

_REPORT = """\
#!/bin/sh
# Says on the serial console what this guest came up as, and powers it off.
[ -e /etc/cloud/cloud-init.disabled ] || cloud-init status --wait >/dev/null
tries=0
while [ "$tries" -lt 60 ] && [ "$(systemctl is-system-running)" = starting ]; do
  sleep 5
  tries=$((tries + 1))
done
sleep 5
exec >/dev/ttyS0 2>&1
echo
echo '=== report'
echo "hostname $(hostname)"
echo "uuid $(cat /sys/class/dmi/id/product_uuid)"
echo "serial $(cat /sys/class/dmi/id/product_serial)"
for nic in /sys/class/net/*; do
  [ ! -e "$nic/device" ] || echo "nic ${nic##*/} $(cat "$nic/address")"
done
ip -o address show scope global | while read -r _ name _ address _; do echo "address $name $address"; done
for key in /etc/ssh/ssh_host_*_key.pub; do echo "key $(ssh-keygen -l -f "$key")"; done
echo '=== end'
sync
echo o >/proc/sysrq-trigger
"""

_UNIT = """\
[Unit]
Description=Report on the serial console
After=systemd-udev-settle.service ssh.service

[Service]
ExecStart=/usr/local/sbin/report

[Install]
WantedBy=multi-user.target
"""

_UNNEEDED = (
    *("systemd-networkd-wait-online", "NetworkManager-wait-online", "NetworkManager-dispatcher", "getty@tty1"),
    *("e2scrub_reap", "e2scrub_all.timer", "apt-daily.timer", "apt-daily-upgrade.timer", "fstrim.timer"),
)
"""What costs a guest without KVM minutes, and says nothing about its network."""

_INITRAMFS = """\
MODULES=list
BUSYBOX=auto
COMPRESS=zstd
COMPRESSLEVEL=1
"""

_ARGUMENTS = "console=ttyS0 systemd.default_timeout_start_sec=600 systemd.default_device_timeout_sec=600"
"""Of the kernel. Without KVM, on a machine that does other things, a boot takes minutes."""

_DRIVERS = "virtio_pci virtio_blk virtio_scsi virtio_net vmw_pvscsi ahci sd_mod ext4 vfat dm_mod"


def disks(guest: Guest) -> list[Path]:
    """Return the disks of a guest, raw, in order."""
    parts = [_base().name, json.dumps(guest), Path(__file__).read_text()]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    folder = cached(f"image-{guest.name}-{key}", lambda to: _make(guest, to))
    return [folder / f"disk{number}.img" for number, _ in enumerate(guest.disks)]


def _base() -> Path:
    """Return a tree with everything that the guests have in common."""
    key = hashlib.sha256(json.dumps([_SUITE, _PACKAGES]).encode()).hexdigest()[:16]
    return cached(f"base-{key}", _bootstrap)


def _bootstrap(to: Path) -> None:
    """Make the tree: debootstrap for what is essential, and apt for the rest, whose dependencies it resolves."""
    tree = to / "tree"
    sh("debootstrap", "--variant=minbase", _SUITE, tree)
    (tree / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")  # nothing is started
    (tree / "usr/sbin/policy-rc.d").chmod(0o755)
    sh("chroot", tree, "apt-get", "update", "-qq")
    sh("chroot", tree, "apt-get", "install", "-qq", "--yes", "--no-install-recommends", *_PACKAGES)
    (tree / "usr/sbin/policy-rc.d").unlink()
    for each in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"):
        shutil.rmtree(tree / each, ignore_errors=True)
        (tree / each).mkdir(parents=True)


def _make(guest: Guest, to: Path) -> None:
    with tempfile.TemporaryDirectory(dir=to) as scratch:
        tree = Path(scratch) / "tree"
        sh("cp", "-a", "--reflink=auto", _base() / "tree", tree)
        _configure(guest, tree)
        root = Path(scratch) / "root.img"
        size = sum(guest.disks) - 100 * len(guest.disks)
        sh("mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", tree, root, f"{size}M")
        if guest.lvm:
            _lvm(guest, root, to)
        elif guest.firmware == "efi":
            _efi(guest, root, to)
        else:
            _bios(guest, root, to)


# --- the guest's files


def _configure(guest: Guest, tree: Path) -> None:
    files = {
        "etc/hostname": f"{guest.name}\n",
        "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {guest.name}\n",
        "etc/fstab": f"{_root(guest)} / ext4 errors=remount-ro 0 1\n",
        "etc/default/grub": f'GRUB_TIMEOUT=0\nGRUB_CMDLINE_LINUX="{_ARGUMENTS}"\nGRUB_TERMINAL=serial\n',
        "etc/initramfs-tools/initramfs.conf": _INITRAMFS,
        "etc/initramfs-tools/modules": _DRIVERS.replace(" ", "\n") + "\n",
        "usr/local/sbin/report": _REPORT,
        "etc/systemd/system/report.service": _UNIT,
        "boot/grub/grub.cfg": _grub(guest, tree),
    }
    if guest.firmware == "efi":
        files["etc/fstab"] += "LABEL=ESP /boot/efi vfat umask=0077,nofail 0 0\n"
    if not guest.clones:
        files["etc/cloud/cloud-init.disabled"] = ""
    for path, text in (files | _network(guest)).items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    (tree / "boot/efi").mkdir(exist_ok=True)
    (tree / "usr/local/sbin/report").chmod(0o755)
    for path in tree.glob("etc/NetworkManager/system-connections/*"):
        path.chmod(0o600)
    units = {"networking", "systemd-networkd", "NetworkManager"}
    wanted = {"ifupdown": "networking", "NetworkManager": "NetworkManager"}.get(guest.stack, "systemd-networkd")
    disabled = [*sorted(units - {wanted}), *_UNNEEDED]
    sh("systemctl", f"--root={tree}", "disable", "--quiet", *disabled)
    sh("systemctl", f"--root={tree}", "enable", "--quiet", wanted, "report")
    sh("systemctl", f"--root={tree}", "mask", "--quiet", "serial-getty@ttyS0")  # it hangs up whoever writes there
    sh("chroot", tree, "update-initramfs", "-u")


def _root(guest: Guest) -> str:
    return "/dev/vg/root" if guest.lvm else "LABEL=root"


def _grub(guest: Guest, tree: Path) -> str:
    """Return what update-grub would write where the disk is; virt-v2v runs that later."""
    [kernel] = (tree / "boot").glob("vmlinuz-*")
    version = kernel.name.partition("-")[2]
    root = "/dev/mapper/vg-root" if guest.lvm else "LABEL=root"
    return f"""\
set timeout=0
search --no-floppy --label --set=root root
menuentry "Debian" {{
  linux /boot/vmlinuz-{version} root={root} ro {_ARGUMENTS}
  initrd /boot/initrd.img-{version}
}}
"""


def _network(guest: Guest) -> dict[str, str]:
    """Return the configuration that somebody wrote for the names that the NICs had in vSphere."""
    match guest.stack:
        case "ifupdown":
            stanzas = "".join(map(_stanza, guest.nics))
            return {"etc/network/interfaces": f"auto lo\niface lo inet loopback\n{stanzas}"}
        case "networkd":
            return {f"etc/systemd/network/{nic.interface}.network": _networkd(nic) for nic in guest.nics}
        case "netplan":
            ethernets = {nic.interface: _netplan(nic) for nic in guest.nics}
            return {"etc/netplan/01-net.yaml": dump({"network": {"version": 2, "ethernets": ethernets}}).decode()}
        case "NetworkManager":
            folder = "etc/NetworkManager/system-connections"
            return {f"{folder}/{nic.interface}.nmconnection": _keyfile(nic) for nic in guest.nics}


def _stanza(nic: Nic) -> str:
    if not nic.addresses:
        return f"allow-hotplug {nic.interface}\niface {nic.interface} inet dhcp\n"
    lines = [f"allow-hotplug {nic.interface}", f"iface {nic.interface} inet static", f"  address {nic.addresses[0]}"]
    return "\n".join([*lines, f"  gateway {nic.gateway}" if nic.gateway else "", ""])


def _networkd(nic: Nic) -> str:
    lines = [f"Address={address}" for address in nic.addresses] or ["DHCP=ipv4"]
    lines += [f"Gateway={nic.gateway}"] if nic.gateway else []
    return "\n".join(["[Match]", f"Name={nic.interface}", "", "[Network]", "IPv6AcceptRA=no", *lines, ""])


def _netplan(nic: Nic) -> dict[str, object]:
    route = {"routes": [{"to": "default", "via": nic.gateway}]} if nic.gateway else {}
    return {"addresses": list(nic.addresses), "accept-ra": False} | route


def _keyfile(nic: Nic) -> str:
    way = f",{nic.gateway}" if nic.gateway else ""
    return (
        f"[connection]\nid={nic.interface}\ntype=ethernet\ninterface-name={nic.interface}\n\n"
        f"[ipv4]\nmethod=manual\naddress1={nic.addresses[0]}{way}\n\n[ipv6]\nmethod=disabled\n"
    )


# --- the disks; GRUB's core image is put where grub-install would put it


def _blank(guest: Guest, to: Path) -> list[Path]:
    paths = [to / f"disk{number}.img" for number, _ in enumerate(guest.disks)]
    for path, size in zip(paths, guest.disks, strict=True):
        with path.open("wb") as file:
            file.truncate(size * _MIB)
    return paths


def _partition(disk: Path, table: str) -> None:
    sh("sfdisk", "--quiet", disk, input=table)


def _write(part: Path, disk: Path, offset: int) -> None:
    sh("dd", f"if={part}", f"of={disk}", "bs=1M", f"seek={offset}", "conv=notrunc,sparse", "status=none")


def _core(disk: Path, prefix: str, modules: str) -> None:
    grub = Path("/usr/lib/grub/i386-pc")
    with tempfile.NamedTemporaryFile() as core:
        sh("grub-mkimage", "-O", "i386-pc", "-o", core.name, "-p", prefix, *modules.split())
        with disk.open("r+b") as file:
            file.write((grub / "boot.img").read_bytes()[:440])
            file.seek(512)
            file.write(Path(core.name).read_bytes())


_GRUB = "biosdisk part_msdos ext2 normal linux search search_label configfile serial terminal minicmd"


def _bios(guest: Guest, root: Path, to: Path) -> None:
    [disk] = _blank(guest, to)
    _partition(disk, "label: dos\nstart=2048, type=83, bootable\n")
    _write(root, disk, 1)
    _core(disk, "(hd0,msdos1)/boot/grub", _GRUB)


_EFI_CONFIG = """\
search --no-floppy --label --set=root root
set prefix=($root)/boot/grub
configfile $prefix/grub.cfg
"""


def _efi(guest: Guest, root: Path, to: Path) -> None:
    """The boot loader is also where firmware looks that knows no boot entry: a new VM has none."""
    [disk] = _blank(guest, to)
    _partition(disk, "label: gpt\nstart=2048, size=98304, type=uefi\nstart=100352, type=linux\n")
    _write(root, disk, 49)
    with tempfile.TemporaryDirectory() as scratch:
        loader, esp = Path(scratch) / "grubx64.efi", Path(scratch) / "esp.img"
        modules = "part_gpt fat ext2 normal linux search search_label configfile serial terminal minicmd"
        sh("grub-mkimage", "-O", "x86_64-efi", "-o", loader, "-p", "(hd0,gpt2)/boot/grub", *modules.split())
        with esp.open("wb") as file:
            file.truncate(48 * _MIB)
        sh("mformat", "-i", esp, "-v", "ESP", "::")
        for folder in ("EFI", "EFI/BOOT", "EFI/debian"):
            sh("mmd", "-i", esp, f"::{folder}")
        config = Path(scratch) / "grub.cfg"  # virt-v2v takes a guest without it for one without a boot loader
        config.write_text(_EFI_CONFIG)
        copies = {"EFI/BOOT/BOOTX64.EFI": loader, "EFI/debian/grubx64.efi": loader, "EFI/debian/grub.cfg": config}
        for name, source in copies.items():
            sh("mcopy", "-i", esp, source, f"::{name}")
        _write(esp, disk, 1)


def _lvm(guest: Guest, root: Path, to: Path) -> None:
    """One logical volume over both disks, /boot on it: GRUB can read it only where the firmware shows it both."""
    first, second = _blank(guest, to)
    for disk in (first, second):
        _partition(disk, "label: dos\nstart=2048, type=8e\n")
    commands = f"""\
run
pvcreate /dev/sda1
pvcreate /dev/sdb1
vgcreate vg "/dev/sda1 /dev/sdb1"
lvcreate-free root vg 100
upload {root} /dev/vg/root
"""
    sh("guestfish", "--format=raw", "-a", first, "--format=raw", "-a", second, input=commands)
    _core(first, "(lvm/vg-root)/boot/grub", f"{_GRUB} lvm")
