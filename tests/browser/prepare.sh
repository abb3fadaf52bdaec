#!/usr/bin/env bash
# Sees to it that `make browser` can run: on Debian, as root, it installs Chromium. Fails with a reason elsewhere.
set -euo pipefail

command -v chromium >/dev/null && exit
if [[ $EUID -ne 0 ]] || ! grep -qx 'ID=debian' /etc/os-release 2>/dev/null; then
  echo "the site is opened in Debian's chromium: install it, or run this as root on Debian" >&2
  exit 3
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends chromium fonts-dejavu-core >/dev/null
