#!/usr/bin/env bash
# Says whether the target has everything that was committed at the source. It has to be read-only: stop-writes.sh.
#
# SOURCE, TARGET   option files of an administrator at each, with [client] host, port, user and password
# PATIENCE         seconds (60)
set -euo pipefail
: "${SOURCE:?}" "${TARGET:?}"

ask() { # OPTION-FILE QUERY
  mariadb --defaults-extra-file="$1" --batch --skip-column-names --execute "$2"
}

if [[ $(ask "$SOURCE" "SELECT @@global.read_only") != 1 ]]; then
  echo "the source takes writes: there is no end to catch up with" >&2
  exit 1
fi
position=$(ask "$SOURCE" "SELECT @@global.gtid_binlog_pos")
if [[ $(ask "$TARGET" "SELECT master_gtid_wait('$position', ${PATIENCE:-60})") == 0 ]]; then
  echo "caught up: the target has applied $position, the last position of the source"
else
  echo "not caught up: the target has not applied $position" >&2
  exit 1
fi
