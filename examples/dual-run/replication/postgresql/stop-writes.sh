#!/usr/bin/env bash
# Ends writes at the source: new transactions are read-only, and clients have to connect again.
# A superuser, or a client that asks for it, can still write. Where such clients exist, stop the source instead.
#
# SOURCE   connection string of a superuser at the source: "host=db-01.example.com user=postgres dbname=postgres"
set -euo pipefail
: "${SOURCE:?}"

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname "$SOURCE" >/dev/null \
  --command "alter system set default_transaction_read_only = on" \
  --command "select pg_reload_conf()" \
  --command "select pg_terminate_backend(pid) from pg_stat_activity
             where backend_type = 'client backend' and pid <> pg_backend_pid()"
