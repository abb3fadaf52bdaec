#!/usr/bin/env bash
# Prints each table of a MariaDB database with its number of rows and its checksum, by a user who may read.
# The Secret has `username` and `password`. DATABASE is the database.
set -euo pipefail

address=$2
database=${DATABASE:-orders}
MYSQL_PWD=$(<"$CREDENTIALS/password")
export MYSQL_PWD
user=$(<"$CREDENTIALS/username")

ask() {
  mariadb --no-defaults --protocol=tcp --connect-timeout=10 --host="$address" --port="${PORT:-3306}" --user="$user" \
    --batch --skip-column-names --database="$database"
}

queries=$(ask <<'SQL'
select concat('select ', quote(table_name), ', count(*) from `', replace(table_name, '`', '``'), '`; ',
  'checksum table `', replace(table_name, '`', '``'), '` extended;')
from information_schema.tables
where table_schema = database() and table_type = 'BASE TABLE'
order by binary table_name
SQL
)
ask <<<"$queries"
