#!/usr/bin/env bash
# Makes a new MariaDB a replica of the source: run it in the target VM. Databases are copied while the source runs, then
# the target follows by GTID. Accounts are not copied: create them at the target.
#
# SOURCE, TARGET   option files of an administrator at each, with [client] host, port, user and password
# DATABASES        names of the databases, separated by blanks
# HOST, PORT       the source, as the target reaches it
# REPLICATION      option file of the account that replicates: [client] user and password
set -euo pipefail
: "${SOURCE:?}" "${TARGET:?}" "${DATABASES:?}" "${HOST:?}" "${PORT:?}" "${REPLICATION:?}"

option() { # NAME
  my_print_defaults --defaults-file="$REPLICATION" client | sed -n "s/^--$1=//p" | sed "s/[\\\\']/\\\\&/g"
}

read -ra databases <<<"$DATABASES"
{
  echo "SET GLOBAL read_only = ON;"
  mariadb-dump --defaults-extra-file="$SOURCE" --single-transaction --master-data=1 --gtid --routines --events \
    --triggers --databases "${databases[@]}"
  echo "CHANGE MASTER TO master_host = '$HOST', master_port = $PORT, master_user = '$(option user)',"
  echo "  master_password = '$(option password)', master_use_gtid = slave_pos;"
  echo "START SLAVE;"
} | mariadb --defaults-extra-file="$TARGET"
