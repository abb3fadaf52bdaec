#!/usr/bin/env bash
set -euo pipefail

# Asks the sources of one move group what has to be the same after the move: with the scripts of the checks with `same`.
#
# Usage: before.sh [TARGET-NAME[=ADDRESS]...] >before.json      the default is every VM with such a check
#        vmferry observe SPEC --before before.json
#
# When: once writes to the sources have stopped, and while the sources still run. Needs bash 4.4, GNU coreutils, and what
# the scripts need; TMPDIR, or /tmp, has to allow execution. CREDENTIALS_DIR has a directory for each Secret that the checks name, with its keys as files.
# Exit codes: 0 all were asked, 1 some could not be (what it prints has the others), 2 wrong usage.

readonly AT_ONCE=10

limit=${SAME_LIMIT:-1800} # seconds that a script takes at most
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
export LC_ALL=C
wanted_names=("$@") found_names=() pending=0 count=0

say() {
  printf '%s\n' "$*" >&2
}

own() { # FILE TEXT
  printf '%s' "$2" >"$work/$1"
  chmod 700 "$work/$1"
}

# Prints the address of a VM, or nothing if it is not among those that are wanted.
address_of() { # TARGET-NAME ADDRESS
  local each
  [[ ${#wanted_names[@]} -gt 0 ]] || printf '%s' "${2:-?}"
  for each in "${wanted_names[@]}"; do
    if [[ $each == "$1" ]]; then
      printf '%s' "${2:-?}"
    elif [[ $each == "$1="?* ]]; then
      printf '%s' "${each#*=}"
    else
      continue
    fi
    return 0
  done
}

ask() { # NUMBER TARGET-NAME CHECK FILE ADDRESS KEYS-AS-JSON COMMAND...
  local taken result line last=''
  taken=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  if result=$("${@:7}" measure "$work/$1.out" timeout "$limit" "$work/$4" "$2" "$5" 2>"$work/$1.said"); then
    line=${result:33:100}
    line=${line//\\/\\\\}
    line=${line//\"/\\\"}
    printf '{%s,"value":"sha256:%s","taken":"%s","shown":"%s"}' "$6" "${result:0:32}" "$taken" "$line" >"$work/$1.json"
    say "$2: $3 at $5: ${result:0:32}"
  else
    while IFS= read -r line || [[ -n $line ]]; do
      [[ -z ${line//[[:space:]]/} ]] || last=$line
    done < <(tr -cd '[:print:]\n' <"$work/$1.said")
    say "$2: $3 at $5 FAILED: ${last:-it does not say why}"
  fi
}

directly() {
  "$@"
}

before() { # TARGET-NAME CHECK FILE ADDRESS UNTIL KEYS-AS-JSON COMMAND...
  local address
  found_names+=("$1")
  address=$(address_of "$1" "$4")
  [[ -n $address ]] || return 0
  count=$((count + 1))
  if [[ -n $5 && $(date +%s) -ge $5 ]]; then
    say "$1: $2 FAILED: its cutover is over, and its source off: what answers now may be the target"
  elif [[ $address == '?' ]]; then
    say "$1: $2 FAILED: nobody knows for certain where its source is: pass $1=ADDRESS"
  else
    ask "$count" "$1" "$2" "$3" "$address" "$6" "${@:7}" &
    pending=$((pending + 1))
    [[ $((pending % AT_ONCE)) -ne 0 ]] || wait
  fi
}

# Fails for a name that no VM with such a check has.
check_names() {
  local each name
  for each in "${wanted_names[@]}"; do
    for name in "${found_names[@]}"; do
      [[ ${each%%=*} != "$name" ]] || continue 2
    done
    say "no VM with a check of this kind is called ${each%%=*}"
    exit 2
  done
}

finish() { # HEAD-AS-JSON
  local index separator='' done=0
  wait
  check_names
  printf '{%s,"values":[' "$1"
  for ((index = 1; index <= count; index++)); do
    if [[ -s $work/$index.json ]]; then
      printf '%s\n%s' "$separator" "$(<"$work/$index.json")"
      separator=,
      done=$((done + 1))
    fi
  done
  printf '\n]}\n'
  say "$done of $count recorded"
  [[ $done -eq $count ]]
}

# What a script prints, as a digest: another one exactly if it prints something else.

readonly MOST=$((10 << 20)) # bytes that a script prints at most

# Prints the first half of the SHA-256 of what a command prints, and how that begins; says why it cannot as an error.
measure() { # WORK-FILE COMMAND [ARGUMENT...]
  local out=$1 status=0 size digest
  shift
  "$@" </dev/null | head -c "$((MOST + 1))" >"$out" || status=$?
  size=$(wc -c <"$out")
  if [[ $size -gt $MOST ]]; then
    printf 'it prints more than %s bytes: let it print a checksum\n' "$MOST" >&2
  elif [[ $status -eq 124 ]]; then
    printf 'the script took too long\n' >&2
  elif [[ $status -ne 0 ]]; then
    : # its own last line says why
  elif [[ $size -eq 0 ]]; then
    printf 'it prints nothing, which proves nothing\n' >&2
  else
    digest=$(sha256sum <"$out")
    printf '%s %s' "${digest:0:32}" "$(head -c 300 "$out" | tr -c '[:print:]' ' ' | tr -s ' ')"
    rm -f -- "$out"
    return 0
  fi
  rm -f -- "$out"
  return 1
}

# Scripts with a Secret: its keys are files in a directory.

credentials=${CREDENTIALS_DIR:-/etc/vmferry/credentials}

with() { # SECRET COMMAND [ARGUMENT...]
  local -x CREDENTIALS=$credentials/$1
  "${@:2}"
}

own script.orders '#!/usr/bin/env bash
# Prints each table of a PostgreSQL database with its number of rows and a sum over all of them, by a user who may read.
# The Secret has `username` and `password`. DATABASE is the database.
set -euo pipefail

address=$2
database=${DATABASE:-orders}
PGPASSWORD=$(<"$CREDENTIALS/password")
PGUSER=$(<"$CREDENTIALS/username")
export PGPASSWORD PGUSER PGCONNECT_TIMEOUT=10

psql -XAtq -v ON_ERROR_STOP=1 -h "$address" -d "$database" <<'"'"'SQL'"'"'
begin isolation level repeatable read, read only;
-- What a row looks like as text depends on these.
set timezone = '"'"'UTC'"'"';
set datestyle = '"'"'ISO'"'"';
set intervalstyle = '"'"'iso_8601'"'"';
set bytea_output = '"'"'hex'"'"';
set extra_float_digits = 3;
set lc_monetary = '"'"'C'"'"';
select format(
  '"'"'select %L, count(*), coalesce(sum(('"'"''"'"'x'"'"''"'"' || left(md5(t::text), 15))::bit(60)::bigint), 0) from %I.%I t'"'"',
  schemaname || '"'"'.'"'"' || tablename, schemaname, tablename)
from pg_tables
where schemaname not in ('"'"'pg_catalog'"'"', '"'"'information_schema'"'"')
order by schemaname collate "C", tablename collate "C"
\gexec
commit;
SQL
'
before db-01-new orders script.orders 10.1.40.15 '' '"vm": "vc1/vm-205", "check": "orders", "script": "5546aade547f"' with orders-reader
finish '"kind": "Before", "migration": "dual-run", "group": "databases-01", "attempt": 1, "remigrate": 0'
