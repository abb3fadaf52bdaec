#!/usr/bin/env bash
# Makes the target the primary. Refuses while the source takes writes: there would be two primaries.
#
# SOURCE, TARGET   option files of an administrator at each, with [client] host, port, user and password
set -euo pipefail
: "${SOURCE:?}" "${TARGET:?}"

if mode=$(mariadb --defaults-extra-file="$SOURCE" --connect-timeout=5 --batch --skip-column-names \
  --execute "SELECT @@global.read_only" 2>/dev/null) && [[ $mode != 1 ]]; then
  echo "not promoted: the source takes writes" >&2
  exit 1
fi
mariadb --defaults-extra-file="$TARGET" --execute "STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = OFF"
echo "promoted"
