#!/usr/bin/env bash
# Says whether the target has everything that was committed at the source. It has to be read-only: stop-writes.sh.
#
# SOURCE, TARGET   connection strings of a superuser at each: "host=db-01.example.com user=postgres dbname=postgres"
# PATIENCE         seconds (60)
set -euo pipefail
: "${SOURCE:?}" "${TARGET:?}"

ask() { # CONNECTION QUERY
  psql --no-psqlrc --quiet --tuples-only --no-align --dbname "$1" --command "$2"
}

if [[ $(ask "$SOURCE" "show default_transaction_read_only") != on ]]; then
  echo "the source takes writes: there is no end to catch up with" >&2
  exit 1
fi
sleep 1 # what was committed with synchronous_commit off is written by then
position=$(ask "$SOURCE" "select pg_current_wal_lsn()")
for ((second = 0; second < ${PATIENCE:-60}; second++)); do
  if [[ $(ask "$TARGET" "select pg_is_in_recovery() and pg_last_wal_replay_lsn() >= '$position'") == t ]]; then
    echo "caught up: the target has replayed $position, the last position of the source"
    exit 0
  fi
  sleep 1
done
echo "not caught up: the target has not replayed $position" >&2
exit 1
