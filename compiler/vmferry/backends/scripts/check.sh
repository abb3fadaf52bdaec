# Checks the VMs of one move group from a pod: again and again, until each passed or the patience is over.
#
# Prints one line for each VM and check. What failed is also written to MESSAGE, which Kubernetes shows as the pod's
# message: VM, check and what is wrong, in 4096 bytes at most.
# Exit codes: 0 all passed, 45 some failed. A Job that is deleted and made again checks everything again.

readonly FAILED=45 AT_ONCE=20 ROOM=3900

patience=${PATIENCE:-1800} # seconds in which guests boot
pause=${PAUSE:-15}         # seconds between two rounds
limit=${LIMIT:-10}         # seconds that one attempt takes at most
script_limit=${SCRIPT_LIMIT:-60}
scripts=${SCRIPTS_DIR:-/etc/vmferry/check}
message=${MESSAGE:-/dev/termination-log}
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
vms=() names=() commands=() pending=()
export LC_ALL=C

check() { # VM CHECK COMMAND [ARGUMENT...]
  local command
  printf -v command '%q ' "${@:3}"
  pending+=("${#vms[@]}")
  vms+=("$1") names+=("$2") commands+=("$command")
}

# --- kinds of checks: each prints what is wrong on its last line --------------------------------------------

tcp() { # ADDRESS PORT
  local said status=0
  # shellcheck disable=SC2016 # the inner bash expands them
  said=$(timeout "$limit" bash -c 'exec 3<>"/dev/tcp/$1/$2"' tcp "$1" "$2" 2>&1) || status=$?
  [[ $status -ne 0 ]] || return 0
  said=${said%%$'\n'*}
  [[ $status -ne 124 ]] || said="no answer within $limit s"
  printf 'port %s: %s\n' "$2" "${said##*: }"
  return 1
}

http() { # ADDRESS URL STATUS TEXT [OPTION...]
  local page=$work/page.$BASHPID status range content
  # the address in place of the URL's host, which is what the guest and its certificate are asked for
  status=$(curl --silent --show-error --noproxy '*' --globoff --max-time "$limit" --max-filesize 10000000 \
    --connect-to "::$1:" --output "$page" --write-out '%{http_code}' "${@:5}" -- "$2") || return 1
  for range in $3; do
    if [[ $status -ge ${range%-*} && $status -le ${range#*-} ]]; then
      [[ -n $4 ]] || return 0
      content=$(tr -d '\0' <"$page")
      [[ $content != *"$4"* ]] || return 0
      printf 'status %s, and the page does not contain the text\n' "$status"
      return 1
    fi
  done
  printf 'status %s\n' "$status"
  return 1
}

answer() { # ADDRESS
  local said
  if ! command -v ping >/dev/null; then
    printf 'the image has no ping\n'
  elif ! said=$(ping -n -c 1 -W 3 "$1" 2>&1); then
    if [[ $said == *ermitted* ]]; then
      printf 'this pod may not ping: its node needs net.ipv4.ping_group_range\n'
    else
      printf 'no answer to ping\n'
    fi
  else
    return 0
  fi
  return 1
}

script() { # FILE VM ADDRESS
  local status=0
  timeout "$script_limit" "$scripts/$1" "$2" "$3" || status=$?
  [[ $status -ne 0 ]] || return 0
  [[ $status -ne 124 ]] || printf 'the script took longer than %s s\n' "$script_limit"
  return 1
}

# --- rounds -------------------------------------------------------------------------------------------------

attempt() { # INDEX
  if (eval "${commands[$1]}") >"$work/$1.said" 2>&1 </dev/null; then
    : >"$work/$1.passed"
  fi
}

round() {
  local index count=0
  for index in "${pending[@]}"; do
    attempt "$index" &
    count=$((count + 1))
    if [[ $((count % AT_ONCE)) -eq 0 ]]; then
      wait
    fi
  done
  wait
}

# Prints the last line of what check $1 said, without what no terminal should get.
said() {
  local line text=
  while IFS= read -r line || [[ -n $line ]]; do
    [[ -z ${line//[[:space:]]/} ]] || text=$line
  done < <(tr -cd '[:print:]\n' <"$work/$1.said")
  printf '%s' "${text:0:200}"
}

# Waits for the cutover: until then there are no VMs.
wait_for_start() {
  local now
  now=$(date +%s)
  if [[ ${START_AT:-0} -gt $now ]]; then
    printf 'the cutover is in %s s\n' "$((START_AT - now))"
    sleep "$((START_AT - now))"
  fi
}

finish() {
  local index left size=0 more=0 line deadline
  wait_for_start
  deadline=$((SECONDS + patience))
  while :; do
    left=()
    round
    for index in "${pending[@]}"; do
      if [[ -e $work/$index.passed ]]; then
        printf '%s: %s passed\n' "${vms[$index]}" "${names[$index]}"
      else
        left+=("$index")
      fi
    done
    if [[ ${#left[@]} -eq 0 ]]; then
      printf 'all passed\n'
      exit 0
    fi
    pending=("${left[@]}")
    [[ $SECONDS -lt $deadline ]] || break
    sleep "$pause"
  done
  for index in "${pending[@]}"; do
    line=$(said "$index")
    printf '%s: %s FAILED: %s\n' "${vms[$index]}" "${names[$index]}" "${line:-it does not say why}"
    line="${vms[$index]} ${names[$index]} $line"
    if [[ $((size + ${#line} + 1)) -gt $ROOM ]]; then
      more=$((more + 1))
    else
      size=$((size + ${#line} + 1))
      printf '%s\n' "$line" >>"$work/message"
    fi
  done
  [[ $more -eq 0 ]] || printf '+%s\n' "$more" >>"$work/message"
  cat "$work/message" >"$message" || true
  printf '%s of %s failed\n' "${#pending[@]}" "${#vms[@]}"
  exit "$FAILED"
}
