#!/usr/bin/env bash
# Ends writes at the source: it is read-only, and clients have to connect again.
# Accounts with READ ONLY ADMIN (or SUPER before 10.11) can still write. Where clients use one, stop the source instead.
#
# SOURCE   option file of an administrator at the source, with [client] host, port, user and password
set -euo pipefail
: "${SOURCE:?}"

mariadb --defaults-extra-file="$SOURCE" --execute "SET GLOBAL read_only = ON"
mariadb --defaults-extra-file="$SOURCE" --batch --skip-column-names --execute "
  SELECT concat('KILL ', id, ';') FROM information_schema.processlist
  WHERE command NOT IN ('Binlog Dump', 'Daemon') AND user NOT IN ('system user', 'event_scheduler')
    AND id <> connection_id()" |
  mariadb --defaults-extra-file="$SOURCE" --force 2>/dev/null || true # one may have gone by itself
