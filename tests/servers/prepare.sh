#!/usr/bin/env bash
# Sees to it that `make servers` can run: on Debian, as root, it installs real servers from its packages. Fails elsewhere.
set -euo pipefail

packages=(prometheus bind9 bind9-dnsutils kea-dhcp4-server isc-dhcp-server dnsmasq-base postgresql mariadb-server
  openssh-server)

missing=()
for each in "${packages[@]}"; do
  [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$each" 2>/dev/null) == installed ]] || missing+=("$each")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0
if [[ $EUID -ne 0 ]] || ! grep -qx 'ID=debian' /etc/os-release 2>/dev/null; then
  echo "what vmferry writes is given to Debian's servers: install ${missing[*]}, or run this as root on Debian" >&2
  exit 3
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "${missing[@]}" >/dev/null
