#!/usr/bin/env bash
# Prints each table of a PostgreSQL database with its number of rows and a sum over all of them, by a user who may read.
# The Secret has `username` and `password`. DATABASE is the database.
set -euo pipefail

address=$2
database=${DATABASE:-orders}
PGPASSWORD=$(<"$CREDENTIALS/password")
PGUSER=$(<"$CREDENTIALS/username")
export PGPASSWORD PGUSER PGCONNECT_TIMEOUT=10

psql -XAtq -v ON_ERROR_STOP=1 -h "$address" -d "$database" <<'SQL'
begin isolation level repeatable read, read only;
-- What a row looks like as text depends on these.
set timezone = 'UTC';
set datestyle = 'ISO';
set intervalstyle = 'iso_8601';
set bytea_output = 'hex';
set extra_float_digits = 3;
set lc_monetary = 'C';
select format(
  'select %L, count(*), coalesce(sum((''x'' || left(md5(t::text), 15))::bit(60)::bigint), 0) from %I.%I t',
  schemaname || '.' || tablename, schemaname, tablename)
from pg_tables
where schemaname not in ('pg_catalog', 'information_schema')
order by schemaname collate "C", tablename collate "C"
\gexec
commit;
SQL
