#!/usr/bin/env bash
# Lets the source take writes again, after a roll-back. Refuses while the target is a primary that can be reached.
#
# SOURCE, TARGET   option files of an administrator at each, with [client] host, port, user and password
set -euo pipefail
: "${SOURCE:?}" "${TARGET:?}"

if mode=$(mariadb --defaults-extra-file="$TARGET" --connect-timeout=5 --batch --skip-column-names \
  --execute "SELECT @@global.read_only" 2>/dev/null) && [[ $mode != 1 ]]; then
  echo "the target is a primary: stop it first (stage: rolled-back)" >&2
  exit 1
fi
mariadb --defaults-extra-file="$SOURCE" --execute "SET GLOBAL read_only = OFF"
