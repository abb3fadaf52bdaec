#!/usr/bin/env bash
set -euo pipefail

# Creates roles in vCenter with the least privileges for this migration, and gives them to accounts if told which.
#
# Usage: vcenter-roles-SOURCE.sh [ROLE=ACCOUNT...]      as in forklift=svc-forklift@vsphere.local
#
# govc has to reach the vCenter as an administrator (GOVC_URL, GOVC_USERNAME, GOVC_PASSWORD …). A role that exists gets
# exactly these privileges. A permission is set at the root and propagates; one that the account has there is replaced.
# Exit codes: 0 done, 1 vCenter refused something, 2 wrong usage.

grants=("$@")

say() {
  printf '%s\n' "$*" >&2
}

usage() {
  local known=" $1 " grant
  for grant in "${grants[@]}"; do
    if [[ $grant != ?*=?* || $known != *" ${grant%%=*} "* ]]; then
      say "$grant is not ROLE=ACCOUNT; roles:$known"
      exit 2
    fi
  done
}

role() { # ROLE NAME PRIVILEGE...
  local grant
  if govc role.ls "$2" >/dev/null 2>&1; then
    govc role.update "$2" "${@:3}"
  else
    govc role.create "$2" "${@:3}"
  fi
  say "role $2 has $(($# - 2)) privileges"
  for grant in "${grants[@]}"; do
    if [[ ${grant%%=*} == "$1" ]]; then
      govc permissions.set -principal "${grant#*=}" -role "$2" -propagate=true /
      say "${grant#*=} has role $2"
    fi
  done
}

usage forklift
role forklift vmferry-acme-forklift Datastore.Browse Datastore.FileManagement Sessions.ValidateSession VirtualMachine.Interact.GuestControl VirtualMachine.Interact.PowerOff VirtualMachine.Interact.PowerOn VirtualMachine.Provisioning.DiskRandomAccess VirtualMachine.Provisioning.DiskRandomRead VirtualMachine.Provisioning.FileRandomAccess VirtualMachine.Provisioning.GetVmFiles VirtualMachine.Provisioning.PutVmFiles
