#!/usr/bin/env bash
# Makes an empty PostgreSQL a standby of the source: run it in the target VM as the user postgres, the server stopped.
# The release must be the one of the source. Start the server afterwards.
#
# SOURCE   connection string of a role with REPLICATION at the source: "host=db-01.example.com user=replicator"
#          (the password is in ~/.pgpass)
# PGDATA   data directory of the target, empty
set -euo pipefail
: "${SOURCE:?}" "${PGDATA:?}"

if [[ -n $(ls -A "$PGDATA" 2>/dev/null) ]]; then
  echo "$PGDATA is not empty: is this the target?" >&2
  exit 1
fi
# The slot makes the source keep what the target has not read. It is of no use after the promotion: drop it then.
pg_basebackup --dbname "$SOURCE" --pgdata "$PGDATA" --checkpoint fast --wal-method stream \
  --create-slot --slot vmferry --write-recovery-conf
