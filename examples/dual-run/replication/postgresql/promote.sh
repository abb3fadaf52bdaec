#!/usr/bin/env bash
# Makes the target the primary. Refuses while the source takes writes: there would be two primaries.
#
# SOURCE, TARGET   connection strings of a superuser at each: "host=db-01.example.com user=postgres dbname=postgres"
set -euo pipefail
: "${SOURCE:?}" "${TARGET:?}"

ask() { # CONNECTION QUERY
  psql --no-psqlrc --quiet --tuples-only --no-align --dbname "$1" --command "$2"
}

if mode=$(ask "$SOURCE" "show default_transaction_read_only" 2>/dev/null) && [[ $mode != on ]]; then
  echo "not promoted: the source takes writes" >&2
  exit 1
fi
if [[ $(ask "$TARGET" "select pg_is_in_recovery()") == t ]]; then
  ask "$TARGET" "select pg_promote()" >/dev/null
fi
[[ $(ask "$TARGET" "select pg_is_in_recovery()") == f ]]
echo "promoted"
