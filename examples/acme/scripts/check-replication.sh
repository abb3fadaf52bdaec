#!/bin/sh
# $1 is the VM, $2 its address: the standby must not be far behind. The image of target.cluster.checkImage has psql.
set -eu
lag=$(psql --no-psqlrc --tuples-only --no-align --host "$2" --username monitor --dbname postgres --command \
  "select coalesce(max(pg_wal_lsn_diff(sent_lsn, replay_lsn)), 0)::bigint from pg_stat_replication")
if [ "$lag" -gt 16777216 ]; then
  echo "the standby of $1 is $lag bytes behind"
  exit 1
fi
