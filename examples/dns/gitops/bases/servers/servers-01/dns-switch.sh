#!/usr/bin/env bash
set -euo pipefail

# Changes records in DNS with nsupdate (RFC 2136). Written by vmferry, which never runs it: the owner of the zone does.
#
# Usage: dns-….sh [NAME...]      the default is every record below
#
# A record is only changed if it holds what it is known to hold before or after the cutover. Whatever else it holds,
# someone else wrote: it is left alone. All that a name holds changes in one transaction. Running it twice is safe.
# nsupdate has to reach the server. Set VMFERRY_TSIG_FILE to use another key file than the one that is named below.
# Exit codes: 0 every record is as it should be, 1 one is not, 2 wrong usage.

wanted_names=("$@")
failed=0
key=()
secret_keys=() # files with keys that kubectl read, one a zone

forget_keys() {
  [[ ${#secret_keys[@]} -eq 0 ]] || rm -f -- "${secret_keys[@]}"
}
trap forget_keys EXIT

say() {
  printf '%s\n' "$*" >&2
}

wanted() { # NAME
  local name
  [[ ${#wanted_names[@]} -gt 0 ]] || return 0
  for name in "${wanted_names[@]}"; do
    [[ ${name%.} != "$1" ]] || return 0
  done
  return 1
}

key_file() { # FILE
  local file=${VMFERRY_TSIG_FILE:-$1}
  [[ -r $file ]] || {
    say "cannot read the TSIG key $file; set VMFERRY_TSIG_FILE to where it is"
    exit 2
  }
  key=(-k "$file")
}

key_secret() { # NAMESPACE NAME KEY
  local file
  if [[ -n ${VMFERRY_TSIG_FILE:-} ]]; then
    key_file "$VMFERRY_TSIG_FILE"
    return
  fi
  file=$(umask 077 && mktemp)
  secret_keys+=("$file")
  kubectl get secret "$2" --namespace "$1" --output "go-template={{index .data \"$3\" | base64decode}}" >"$file" || {
    say "kubectl cannot read Secret $1/$2"
    exit 2
  }
  key=(-k "$file")
}

update() { # the lines of one transaction; 2 if the server refuses them for what the records hold
  local said
  said=$(printf '%s\n' "server $server $port" "zone $zone" "$@" send | nsupdate "${key[@]}" 2>&1) && return 0
  # nsupdate names the answer: NXRRSET and YXRRSET (RFC 2136, 2.4) are about the prerequisites
  case $said in *NXRRSET* | *YXRRSET* | *NXDOMAIN* | *YXDOMAIN*) return 2 ;; esac
  say "$said"
  return 1
}

requires() { # NAME TYPE DATA...: what must hold; without data, that there is no such record
  local name=$1 type=$2 data
  shift 2
  [[ $# -gt 0 ]] || printf 'prereq nxrrset %s. IN %s\n' "$name" "$type"
  for data in "$@"; do printf 'prereq yxrrset %s. IN %s %s\n' "$name" "$type" "$data"; done
}

record() { # NAME TTL 'TYPE DATA'... ::: known TYPE [DATA...] ::: known …
  local name=$1 ttl=$2 part code=1
  local -a lines=() known=()
  shift 2
  wanted "$name" || return 0
  case $name in
  *.in-addr.arpa | *.ip6.arpa) lines+=("update delete $name. PTR") ;;
  *) lines+=("update delete $name. A" "update delete $name. AAAA" "update delete $name. CNAME") ;;
  esac
  while [[ $# -gt 0 && $1 != ::: ]]; do
    lines+=("update add $name. $ttl IN $1")
    shift
  done
  while [[ $# -gt 0 ]]; do
    shift # :::
    known=()
    while [[ $# -gt 0 && $1 != ::: ]]; do
      IFS=' ' read -r -a part <<<"$1"
      mapfile -t -O "${#known[@]}" known < <(requires "$name" "${part[@]}")
      shift
    done
    code=0
    update "${known[@]}" "${lines[@]}" || code=$?
    [[ $code -eq 2 ]] || break
  done
  case $code in
  0) say "$name: done" ;;
  2)
    say "$name: left alone, it holds something else: dig @$server -p $port $name. ANY"
    failed=1
    ;;
  *)
    say "$name: not changed: nsupdate failed"
    failed=1
    ;;
  esac
}

server=ns1.example.com port=53 zone=10.in-addr.arpa.
key_file /etc/bind/vmferry.key
record 11.20.1.10.in-addr.arpa 60 ::: 'PTR web-01.example.com.' CNAME ::: PTR CNAME
record 11.20.2.10.in-addr.arpa 60 'PTR web-01.example.com.' ::: PTR CNAME ::: 'PTR web-01.example.com.' CNAME
record 12.20.1.10.in-addr.arpa 60 ::: 'PTR sql01.ad.example.com.' CNAME ::: PTR CNAME
record 12.20.2.10.in-addr.arpa 60 'PTR sql01.ad.example.com.' ::: PTR CNAME ::: 'PTR sql01.ad.example.com.' CNAME

server=ns1.example.com port=53 zone=example.com.
key_file /etc/bind/vmferry.key
record web-01.example.com 60 'A 10.2.20.11' ::: 'A 10.1.20.11' AAAA CNAME ::: 'A 10.2.20.11' AAAA CNAME
record www.example.com 60 'A 10.2.20.11' ::: 'A 10.1.20.11' AAAA CNAME ::: 'A 10.2.20.11' AAAA CNAME

exit $failed
