# For people: takes ESXi hosts out of vSphere, one by one, in the order of `vmferry report decommission`.
# vmferry never runs this, and no GitOps engine applies it.
#
# Usage: hosts.sh [--remove] VCENTER HOST...      without --remove a host only enters maintenance mode
#
# govc has to reach the vCenter (GOVC_URL, GOVC_USERNAME, GOVC_PASSWORD …). A host is left alone before its date, if its
# name does not match its id, or if a VM still runs on it. vSAN: evacuate the data first, which this does not do.
# Exit codes: 0 every host is done, 1 one was left alone, 2 wrong usage.

remove=false
if [[ ${1:-} == --remove ]]; then
  remove=true
  shift
fi
if [[ $# -lt 2 ]]; then
  printf 'Usage: %s [--remove] VCENTER HOST...\n' "$0" >&2
  exit 2
fi
vcenter=$1
shift
wanted_hosts=("$@")
done_hosts=0
failed=0

say() {
  printf '%s\n' "$*" >&2
}

wanted() { # VCENTER HOST
  local name
  [[ $1 == "$vcenter" ]] || return 1
  for name in "${wanted_hosts[@]}"; do
    [[ $name != "$2" ]] || return 0
  done
  return 1
}

left_alone() { # VCENTER HOST WHY
  wanted "$1" "$2" || return 0
  say "$2: $3"
  done_hosts=$((done_hosts + 1))
  failed=1
}

host() { # VCENTER HOST REFERENCE NOT-BEFORE
  local name running
  wanted "$1" "$2" || return 0
  if [[ $(date -u +%Y-%m-%dT%H:%MZ) < $4 ]]; then
    left_alone "$1" "$2" "left alone: it may go from $4 on"
  elif ! name=$(govc object.collect -s "$3" name) || [[ $name != "$2" ]]; then
    left_alone "$1" "$2" "left alone: $3 is not this host in this vCenter"
  elif ! running=$(govc find / -type m -runtime.host "$3" -runtime.powerState poweredOn); then
    left_alone "$1" "$2" "left alone: govc cannot say which VMs run on it"
  elif running=$(grep -v '/vCLS[- (]' <<<"$running") && [[ -n $running ]]; then
    left_alone "$1" "$2" "left alone: VMs run on it: ${running//$'\n'/, }"
  elif ! govc host.maintenance.enter "$3" >/dev/null; then
    left_alone "$1" "$2" "not in maintenance mode: govc failed"
  elif [[ $remove == true ]] && ! govc host.remove "$3" >/dev/null; then
    left_alone "$1" "$2" "in maintenance mode, and not removed: govc failed"
  else
    say "$2: $([[ $remove == true ]] && printf removed || printf 'in maintenance mode')"
    done_hosts=$((done_hosts + 1))
  fi
}

