#!/usr/bin/env bash
# Sees to it that `make guests` can run: on Debian, as root, it installs what is missing. Fails with a reason elsewhere.
set -euo pipefail

packages=(debootstrap virt-v2v nbdkit libnbd-bin libguestfs-tools qemu-system-x86 qemu-utils ovmf linux-image-cloud-amd64
  grub-pc-bin grub-efi-amd64-bin grub-common dosfstools mtools e2fsprogs fdisk lvm2 genisoimage systemd)

mirror=http://deb.debian.org/debian # debootstrap's own

if [[ $(uname -m) != x86_64 ]] || ! grep -qx 'ID=debian' /etc/os-release 2>/dev/null; then
  echo "real guests are tried on Debian on x86_64 only: debootstrap, and a kernel that the appliance boots" >&2
  exit 3
fi
missing=()
for each in "${packages[@]}"; do
  [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$each" 2>/dev/null) == installed ]] || missing+=("$each")
done
if [[ $EUID -ne 0 ]]; then
  echo "real guests need root: debootstrap makes device nodes, and libguestfs reads the kernel of this machine" >&2
  exit 3
fi
[[ ${#missing[@]} -eq 0 ]] || {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "${missing[@]}" >/dev/null
}
wget --quiet --spider "$mirror/dists/bookworm/Release" || {
  echo "real guests are made of Debian's packages, and $mirror is out of reach" >&2
  exit 3
}
