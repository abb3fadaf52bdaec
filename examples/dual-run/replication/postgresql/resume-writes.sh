#!/usr/bin/env bash
# Lets the source take writes again, after a roll-back. Refuses while the target is a primary that can be reached.
#
# SOURCE, TARGET   connection strings of a superuser at each: "host=db-01.example.com user=postgres dbname=postgres"
set -euo pipefail
: "${SOURCE:?}" "${TARGET:?}"

ask() { # CONNECTION QUERY
  psql --no-psqlrc --quiet --tuples-only --no-align --dbname "$1" --command "$2"
}

if [[ $(ask "$TARGET" "select pg_is_in_recovery()" 2>/dev/null) == f ]]; then
  echo "the target is a primary: stop it first (stage: rolled-back)" >&2
  exit 1
fi
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname "$SOURCE" >/dev/null \
  --command "alter system reset default_transaction_read_only" \
  --command "select pg_reload_conf()"
