#!/usr/bin/env bash
# Prints how many files a directory has and one checksum of all of them, with their names, over ssh.
# The Secret has `username`, `ssh-privatekey` and `known_hosts`, which lists the host key under the VM's name in the
# target: the source has the same one. DIRECTORY is the directory.
set -euo pipefail

name=$1 address=$2
directory=${DIRECTORY:-/srv/data}

# Under the user's own shell; the quotes are undone there.
printf -v remote 'exec bash -c %q' "set -euo pipefail
cd -- $(printf '%q' "$directory")
find . -type f -printf x | wc -c
find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum -- | sha256sum"
ssh -T -i "$CREDENTIALS/ssh-privatekey" -p "${PORT:-22}" -o BatchMode=yes -o ConnectTimeout=10 \
  -o StrictHostKeyChecking=yes -o UserKnownHostsFile="$CREDENTIALS/known_hosts" -o HostKeyAlias="$name" \
  -o LogLevel=ERROR -- "$(<"$CREDENTIALS/username")@$address" "$remote"
