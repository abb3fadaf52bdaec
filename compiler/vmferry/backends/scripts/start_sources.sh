# Starts the sources of one move group in vSphere again, after the group was rolled back.
#
# Usage: start-sources.sh [TARGET-NAME...]      the default is every VM of the group
#
# govc has to reach the vCenter (GOVC_URL, GOVC_USERNAME, GOVC_PASSWORD …), and kubectl the cluster of the target: a
# source is only started if its VM does not run there, since both have the same addresses and both would write.
# Exit codes: 0 every source is on, 1 one was not started, 2 wrong usage.

wanted_names=("$@")
failed=0

say() {
  printf '%s\n' "$*" >&2
}

wanted() { # TARGET-NAME
  local name
  [[ ${#wanted_names[@]} -gt 0 ]] || return 0
  for name in "${wanted_names[@]}"; do
    [[ $name != "$1" ]] || return 0
  done
  return 1
}

left_off() { # SOURCE-NAME NAMESPACE TARGET-NAME WHY
  wanted "$3" || return 0
  say "$1: $4"
  failed=1
}

start() { # SOURCE-NAME NAMESPACE TARGET-NAME REFERENCE
  local running state
  wanted "$3" || return 0
  if ! running=$(kubectl get virtualmachineinstances.kubevirt.io "$3" --namespace "$2" --ignore-not-found --output name); then
    left_off "$1" "$2" "$3" "not started: kubectl cannot say whether $2/$3 runs in the target"
  elif [[ -n $running ]]; then
    left_off "$1" "$2" "$3" "not started: $2/$3 still runs in the target"
  elif ! state=$(govc object.collect -s "$4" runtime.powerState); then
    left_off "$1" "$2" "$3" "not started: govc does not find $4"
  elif [[ $state == poweredOn ]]; then
    say "$1: is on"
  elif govc vm.power -on "$4" >/dev/null; then
    say "$1: started"
  else
    left_off "$1" "$2" "$3" "not started: govc failed"
  fi
}

