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
