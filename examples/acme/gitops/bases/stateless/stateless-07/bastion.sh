#!/usr/bin/env bash
set -euo pipefail

# Shared by the conversion Job and the bastion's script: the libvirt URI of a source and the state of a VM.
# The password is only ever read from a file; nothing here prints it or the user's name.

say() {
  printf '%s\n' "$*" >&2
}

die() { # EXIT-CODE TEXT...
  local code=$1
  shift
  say "$*"
  exit "$code"
}

# Prints $1 percent-encoded, byte by byte, as libvirt wants a user's name in a URI.
percent_encode() {
  local LC_ALL=C text=$1 out='' char code hex i
  for ((i = 0; i < ${#text}; i++)); do
    char=${text:i:1}
    case $char in
      [A-Za-z0-9._~-]) out+=$char ;;
      *)
        printf -v code '%d' "'$char"
        printf -v hex '%%%02X' "$((code & 255))"
        out+=$hex
        ;;
    esac
  done
  printf '%s' "$out"
}

# Sets `uri` and `encoded_user`. $1 scheme, $2 server and path, $3 file with the user,
# $4 "1": do not verify the certificate, $5 file with the CA, used if it is there (libvirt 11.5 or later).
make_uri() {
  local user query=''
  user=$(<"$3")
  [[ -n $user ]] || die 1 "no user in $3"
  encoded_user=$(percent_encode "$user")
  if [[ $4 == 1 ]]; then
    query='?no_verify=1'
  elif [[ -n $5 && -f $5 ]]; then
    query="?cacert=$5"
  fi
  uri="$1://$encoded_user@$2$query"
}

# Writes the password without the line end that `virt-v2v -ip` would take for a part of it, and virsh's file.
# $1 file with the password, $2 directory that only this user reads; sets `password_file` and `auth_file`.
make_credentials() {
  local password
  password=$(<"$1")
  password_file=$2/password
  auth_file=$2/auth.conf
  (
    umask 077
    printf '%s' "$password" >"$password_file"
    printf '[credentials-source]\npassword=%s\n[auth-esx-default]\ncredentials=source\n' "$password" >"$auth_file"
  )
}

# Fails unless vSphere says that the VM is off: newer virt-v2v only warns of a running source (since 2.7.13).
# $1 name of the VM, $2 exit code.
require_shut_off() {
  local state
  state=$(LC_ALL=C LIBVIRT_AUTH_FILE=$auth_file virsh --quiet --connect "$uri" domstate --domain "$1") \
    || die 1 "the state of ${1@Q} cannot be read; has it moved to another host?"
  state=${state%%$'\n'*}
  [[ $state == 'shut off' ]] || die "$2" "${1@Q} is $state, not shut off"
}

# Passes lines on without the user's name that virt-v2v shows as a part of the URI.
mask() {
  local line
  while IFS= read -r line || [[ -n $line ]]; do
    printf '%s\n' "${line//"//$encoded_user@"///...@}"
  done
}

# Fails where this virt-v2v would not take a Windows address without a gateway: before 2.5.7 it takes the empty field
# for a wrong one (virt-v2v 159fda41). Arguments: values of --mac, and others.
check_addresses() {
  local each version
  for each in "$@"; do
    [[ $each == *:ip:*,,* ]] || continue
    version=$(virt-v2v --version) || die 1 'virt-v2v does not say its version'
    version=${version##* }
    [[ $(printf '%s\n' 2.5.7 "$version" | sort -V | head -n 1) == 2.5.7 ]] \
      || die 1 "$each has no gateway, which takes virt-v2v 2.5.7 or later; this is $version"
    return
  done
}

# Reads the network configuration of a Linux guest from a copy of its files. Nothing of the guest is run.
# guest_facts prints a fact a line, KIND <tab> INTERFACE <tab> VALUE <tab> FILE:
#   nic      the interface is a NIC, by its configuration
#   virtual  it is made by the guest: a bond, a bridge, a VLAN
#   under    the interface VALUE is a part of it
#   alias    VALUE is another name for it
#   address  it has the static address VALUE
#   lease    it had the address VALUE by DHCP
#   mac      its configuration has the MAC VALUE, and this name
#   fixed    the guest itself gives the name to MAC VALUE
# and, with `-` or a pattern where no name is bound:
#   bymac    the configuration goes by MAC VALUE
#   any      it fits the interface with address VALUE whatever its name
#   pattern  it fits names like INTERFACE, with address VALUE
#   odd      a remark: the configuration hangs on something that the target does not have

readonly INTERFACE='^[A-Za-z0-9][-A-Za-z0-9_.]{0,14}$'
readonly MAC='^([0-9a-f]{2}:){5}[0-9a-f]{2}$'

declare -A value=() # assignments of the file that is read

guest_facts() { # TREE
  local tree=$1 file=
  shopt -s nullglob
  ifcfg_facts
  keyfile_facts
  interfaces_facts
  networkd_facts
  udev_facts
  netplan_facts
  dhcpcd_facts
  lease_facts
}

fact() { # KIND INTERFACE VALUE
  printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "${file#"$tree/"}"
}

# Facts about an interface, if it can be one: $1 kind, $2 interface, $3 value.
named() {
  if [[ $2 =~ $INTERFACE ]]; then
    [[ $2 == lo ]] || fact "$@"
  elif [[ -n $2 ]]; then
    fact odd - "it names an interface ${2@Q}, which cannot be one"
  fi
}

address_fact() { # INTERFACE ADDRESS[/PREFIX]
  local found
  found=$(canonical "$2")
  [[ -z $found ]] || named address "$1" "$found"
}

mac_fact() { # KIND INTERFACE MAC
  local mac=${3,,}
  mac=${mac//-/:}
  [[ ! $mac =~ $MAC ]] || fact "$1" "$2" "$mac"
}

under_facts() { # UPPER LOWER...
  local upper=$1 lower
  shift
  for lower in "$@"; do
    named under "$upper" "$lower" | grep -v "$(printf '\todd\t')" || true
  done
}

# Whether $1 is a file of the tree's own: a link must not lead anywhere else.
ours() {
  local real
  [[ -f $1 && -r $1 ]] || return 1
  [[ -L $1 ]] || return 0
  real=$(readlink -f -- "$1") && [[ $real == "$(readlink -f -- "$tree")"/* ]]
}

# Prints an address without its prefix, IPv6 in one spelling; nothing for what is none, or means nothing elsewhere.
canonical() {
  local text=${1,,} left right group groups=() tail=()
  text=${text%%/*}
  if [[ $text =~ ^([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})$ ]]; then
    [[ $text == 127.* || $text == 169.254.* || $text == 0.* ]] || printf '%s' "$text"
    return
  fi
  [[ $text =~ ^[0-9a-f:]*:[0-9a-f:]*$ && $text != fe[89ab]?:* && $text != ::1 && $text != :: ]] || return 0
  left=$text right=
  [[ $text != *::* ]] || left=${text%%::*} right=${text#*::}
  IFS=: read -ra groups <<<"$left"
  IFS=: read -ra tail <<<"$right"
  if [[ $text == *::* ]]; then
    while [[ $((${#groups[@]} + ${#tail[@]})) -lt 8 ]]; do groups+=(0); done
  fi
  groups+=("${tail[@]}")
  [[ ${#groups[@]} -eq 8 ]] || return 0
  text=
  for group in "${groups[@]}"; do
    printf -v group '%x' "$((16#${group:-0}))"
    text+=:$group
  done
  printf '%s' "${text#:}"
}

# --- files of shell variables: RHEL and SUSE, initscripts, wicked and NetworkManager's ifcfg-rh

# Reads the assignments of file $1 into `value`.
read_assignments() {
  local line text
  value=()
  while IFS= read -r line || [[ -n $line ]]; do
    [[ ${line%$'\r'} =~ ^[[:space:]]*(export[[:space:]]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$ ]] || continue
    text=${BASH_REMATCH[3]}
    case $text in
      \"*) text=${text#\"} text=${text%%\"*} ;;
      \'*) text=${text#\'} text=${text%%\'*} ;;
      *) text=${text%%[[:space:]#]*} ;;
    esac
    value[${BASH_REMATCH[2]}]=$text
  done <"$1"
}

ifcfg_facts() {
  local suffix
  for file in "$tree"/etc/sysconfig/network-scripts/ifcfg-* "$tree"/etc/sysconfig/network/ifcfg-*; do
    suffix=${file##*/ifcfg-}
    case $suffix in
      lo | *'~' | *.bak | *.old | *.orig | *.rpmnew | *.rpmorig | *.rpmsave | *.scpmbackup | *.template) continue ;;
    esac
    ours "$file" || continue
    read_assignments "$file"
    case $file in
      */network-scripts/*) redhat_facts "$suffix" ;;
      *) suse_facts "$suffix" ;;
    esac
  done
}

# Addresses of the assignments that were read, for interface $1.
assigned_addresses() {
  local key text
  for key in "${!value[@]}"; do
    [[ $key =~ ^(IPADDR([0-9]+|_[A-Za-z0-9_]+)?|IPV6ADDR|IPV6ADDR_SECONDARIES)$ ]] || continue
    for text in ${value[$key]}; do
      address_fact "$1" "$text"
    done
  done
}

redhat_facts() { # SUFFIX
  local name=${value[DEVICE]:-} mac=${value[HWADDR]:-} upper
  if [[ -z $name && -n $mac ]]; then
    mac_fact bymac - "$mac"
    return
  fi
  name=${name:-$1}
  name=${name%%:*} # eth0:1 is another address of eth0
  case ${value[TYPE]:-}/${value[DEVICETYPE]:-} in
    [Ee]thernet/* | */TeamPort | OVSPort/* | /) ;;
    *) named virtual "$name" "${value[TYPE]:-}" ;;
  esac
  if [[ ${value[VLAN]:-} == [Yy]es || ${value[TYPE]:-} == [Vv]lan ]]; then
    named virtual "$name" VLAN
    upper=${value[PHYSDEV]:-${name%.*}}
    [[ $upper == "$name" ]] || under_facts "$name" "$upper"
  fi
  [[ -z ${value[BONDING_OPTS]:-}${value[BONDING_MASTER]:-} ]] || named virtual "$name" bond
  for upper in "${value[MASTER]:-}" "${value[BRIDGE]:-}" "${value[TEAM_MASTER]:-}" "${value[OVS_BRIDGE]:-}"; do
    [[ -z $upper ]] || under_facts "$upper" "$name"
  done
  named nic "$name" -
  [[ -z $mac ]] || mac_fact mac "$name" "$mac"
  assigned_addresses "$name"
}

suse_facts() { # SUFFIX
  local name=$1 key
  case $name in
    *-id-??[:-]??[:-]??[:-]??[:-]??[:-]?? | id-??[:-]??[:-]??[:-]??[:-]??[:-]??)
      mac_fact bymac - "${name##*id-}"
      return
      ;;
    *bus-pci-*) fact odd - 'it is bound to a PCI address' ;;
  esac
  [[ $name =~ $INTERFACE ]] || return 0
  if [[ -n ${value[ETHERDEVICE]:-} ]]; then
    named virtual "$name" VLAN
    under_facts "$name" "${value[ETHERDEVICE]}"
  fi
  if [[ ${value[BRIDGE]:-} == yes || -n ${value[BRIDGE_PORTS]:-} ]]; then
    named virtual "$name" bridge
    # shellcheck disable=SC2086
    under_facts "$name" ${value[BRIDGE_PORTS]:-}
  fi
  [[ -z ${value[BONDING_MASTER]:-}${value[TEAM_RUNNER]:-}${value[TUNNEL]:-} ]] || named virtual "$name" bond
  for key in "${!value[@]}"; do
    [[ $key != BONDING_SLAVE[_0-9]* && $key != TEAM_PORT_DEVICE* ]] || under_facts "$name" "${value[$key]}"
  done
  named nic "$name" -
  assigned_addresses "$name"
}

# --- files with sections: NetworkManager's keyfiles, systemd

# Prints the settings of file $1 as SECTION.KEY <tab> VALUE.
settings() {
  local line section=
  while IFS= read -r line || [[ -n $line ]]; do
    line=${line%$'\r'}
    if [[ $line =~ ^[[:space:]]*\[([^]]*)\] ]]; then
      section=${BASH_REMATCH[1]}
    elif [[ $line =~ ^[[:space:]]*([A-Za-z0-9][-A-Za-z0-9_.]*)[[:space:]]*=[[:space:]]*(.*[^[:space:]])[[:space:]]*$ ]]; then
      printf '%s.%s\t%s\n' "$section" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
    fi
  done <"$1"
}

keyfile_facts() {
  for file in "$tree"/etc/NetworkManager/system-connections/*; do
    [[ $file != *'~' ]] && ours "$file" || continue
    keyfile_fact
  done
}

keyfile_fact() {
  local key text name= mac= type= uuid= upper= addresses=() parent=
  while IFS=$'\t' read -r key text; do
    case $key in
      connection.type) type=$text ;;
      connection.uuid) uuid=$text ;;
      connection.interface-name) name=$text ;;
      match.interface-name) [[ -n $name ]] || name=${text%%;*} ;;
      match.path) fact odd - 'it is bound to a PCI address' ;;
      match.driver) fact odd - "it is bound to driver $text" ;;
      connection.master | connection.controller) upper=$text ;;
      ethernet.mac-address | 802-3-ethernet.mac-address) mac=$(keyfile_mac "$text") ;;
      vlan.parent) parent=$text ;;
      bond.interface-name | bridge.interface-name | team.interface-name) name=${name:-$text} ;;
      ipv[46].address* | ipv[46].addresses*) addresses+=("${text%%[,; ]*}") ;;
    esac
  done < <(settings "$file")
  case $type in
    ethernet | 802-3-ethernet | '') ;;
    *)
      named virtual "$name" "$type"
      [[ -z $uuid || -z $name ]] || fact alias "$name" "$uuid"
      [[ -z $parent ]] || under_facts "$name" "$parent"
      [[ -z $name ]] || for text in "${addresses[@]}"; do address_fact "$name" "$text"; done
      return 0
      ;;
  esac
  bound_facts "$name" "$mac" "${addresses[@]}"
  [[ -z $upper || -z $name ]] || fact under "$upper" "$name"
}

# Old keyfiles write a MAC as the decimal numbers of its bytes.
keyfile_mac() {
  local bytes
  if [[ $1 =~ ^([0-9]{1,3}\;){6}$ ]]; then
    IFS=';' read -ra bytes <<<"$1"
    # shellcheck disable=SC2059
    printf '%02x:%02x:%02x:%02x:%02x:%02x' "${bytes[@]}"
  else
    printf '%s' "$1"
  fi
}

# What a configuration says that is bound to a name (also a pattern), to a MAC, to both or to neither:
# $1 name, $2 MAC; further arguments are its addresses.
bound_facts() {
  local name=$1 mac=$2 text
  shift 2
  if [[ -n $name && $name != *[*?[]* ]]; then
    named nic "$name" -
    [[ -z $mac ]] || mac_fact mac "$name" "$mac"
    for text in "$@"; do address_fact "$name" "$text"; done
  elif [[ -n $mac ]]; then
    mac_fact bymac - "$mac"
  else
    # shellcheck disable=SC2053
    [[ -n $name && ! (enp1s0 == $name && enp2s1 == $name) ]] || name=
    for text in "${@:--}"; do
      [[ $text == - ]] || text=$(canonical "$text")
      [[ -z $text ]] || fact "$([[ -n $name ]] && echo pattern || echo any)" "${name:--}" "$text"
    done
  fi
}

networkd_facts() {
  for file in "$tree"/etc/systemd/network/*.netdev; do
    if ours "$file"; then
      named virtual "$(settings "$file" | sed -n 's/^NetDev\.Name\t//p')" netdev
    fi
  done
  for file in "$tree"/etc/systemd/network/*.network; do
    ! ours "$file" || network_fact
  done
  for file in "$tree"/etc/systemd/network/*.link; do
    ! ours "$file" || link_fact
  done
}

network_fact() {
  local key text names=() macs=() addresses=() uppers=() name
  while IFS=$'\t' read -r key text; do
    case $key in
      Match.Name) read -ra names <<<"$text" ;;
      Match.MACAddress | Match.PermanentMACAddress) read -ra macs <<<"$text" ;;
      Match.Path) fact odd - 'it is bound to a PCI address' ;;
      Match.Driver) fact odd - "it is bound to driver $text" ;;
      Network.Address | Address.Address) addresses+=("$text") ;;
      Network.Bridge | Network.Bond) uppers+=("$text") ;;
      Network.VLAN | Network.MACVLAN | Network.IPVLAN) [[ -z ${names[0]:-} ]] || under_facts "$text" "${names[0]}" ;;
    esac
  done < <(settings "$file")
  if [[ ${#names[@]} -gt 1 ]]; then # one of several: not for sure which
    for name in "${names[@]}"; do [[ $name == *[*?[!]* ]] || named nic "$name" -; done
    for text in "${addresses[@]}"; do address_fact "${names[0]}" "$text"; done
  elif [[ ${#names[@]} -eq 1 || ${#macs[@]} -gt 0 ]]; then
    bound_facts "${names[0]:-}" "${macs[0]:-}" "${addresses[@]}"
  else
    bound_facts '' '' "${addresses[@]}"
  fi
  for text in "${uppers[@]}"; do [[ -z ${names[0]:-} ]] || under_facts "$text" "${names[0]}"; done
}

link_fact() {
  local key text macs=() name= path=
  while IFS=$'\t' read -r key text; do
    case $key in
      Match.MACAddress | Match.PermanentMACAddress) read -ra macs <<<"$text" ;;
      Match.Path | Match.Driver) path=$text ;;
      Link.Name) name=$text ;;
    esac
  done < <(settings "$file")
  [[ -n $name ]] || return 0
  if [[ ${#macs[@]} -eq 0 ]]; then
    [[ -z $path ]] || fact odd - "it gives the name $name by $path"
  elif [[ -z $path || $path == '*pci-*' ]]; then
    mac_fact fixed "$name" "${macs[0]}"
  else
    mac_fact mac "$name" "${macs[0]}"
  fi
}

# --- interfaces(5): Debian, Ubuntu before netplan

interfaces_facts() {
  declare -A seen=()
  read_interfaces "$tree/etc/network/interfaces"
}

read_interfaces() { # FILE
  local line rest words name= pattern each
  ours "$1" && [[ -z ${seen[$1]:-} ]] || return 0
  seen[$1]=1
  file=$1
  while IFS= read -r line || [[ -n $line ]]; do
    while [[ $line == *\\ ]] && IFS= read -r rest; do line=${line%\\}$rest; done
    read -ra words <<<"${line%$'\r'}"
    case ${words[0]:-} in
      '' | '#'*) ;;
      iface)
        name=${words[1]:-}
        interfaces_stanza "$name" "${words[3]:-}"
        ;;
      auto | allow-* | mapping | no-auto-down | no-scripts | rename) name= ;;
      source | source-directory)
        name=
        for pattern in "${words[@]:1}"; do
          [[ $pattern == /* ]] || pattern=/etc/network/$pattern
          [[ ${words[0]} == source ]] || pattern=$pattern/*
          # shellcheck disable=SC2086
          for each in "$tree"$pattern; do
            [[ ${words[0]} != source && ! ${each##*/} =~ ^[A-Za-z0-9_-]+$ ]] || read_interfaces "$each"
          done
        done
        file=$1
        ;;
      *) [[ -z $name ]] || interfaces_option "${name%%:*}" "${words[@]}" ;;
    esac
  done <"$1"
}

interfaces_stanza() { # NAME METHOD
  local name=${1%%:*}
  case $1 in
    lo | '') return ;;
    mac/*)
      mac_fact bymac - "${1#mac/}"
      return
      ;;
    */* | *[*?]*)
      fact odd - "it is for interfaces like ${1@Q}"
      return
      ;;
  esac
  case $2 in
    ppp | wvdial | tunnel | v4tunnel | 6to4) named virtual "$name" "$2" ;;
  esac
  if [[ $name =~ ^.+\.[0-9]+$ ]]; then
    named virtual "$name" VLAN
    under_facts "$name" "${name%.*}"
  fi
  named nic "$name" -
}

interfaces_option() { # NAME OPTION VALUE...
  local name=$1 option=${2//_/-} each
  shift 2
  case $option in
    address) address_fact "$name" "${1:-}" ;;
    bridge-ports | bond-slaves | slaves | ovs-ports | ovs-bonds)
      named virtual "$name" "$option"
      for each in "$@"; do
        case $each in
          none | all | regex | noregex | *[*.]*) ;;
          *) under_facts "$name" "$each" ;;
        esac
      done
      ;;
    bond-master | ovs-bridge) [[ -z ${1:-} ]] || under_facts "$1" "$name" ;;
    bond-mode | ovs-type) [[ ${1:-} == OVSPort ]] || named virtual "$name" "$option" ;;
    vlan-raw-device | vlan-id)
      named virtual "$name" VLAN
      [[ $option != vlan-raw-device || -z ${1:-} ]] || under_facts "$name" "$1"
      ;;
    wpa-ssid | wireless-essid) named virtual "$name" wireless ;;
  esac
}

# --- udev rules of the guest

udev_facts() {
  local line mac name
  for file in "$tree"/etc/udev/rules.d/*.rules; do
    ours "$file" || continue
    while IFS= read -r line || [[ -n $line ]]; do
      [[ $line != '#'* && $line =~ [[:space:],]NAME:?=\"([^\"%\$]+)\" ]] || continue
      name=${BASH_REMATCH[1]}
      if [[ $line =~ (ATTRS?|SYSFS)\{address\}==\"([^\"]*)\" ]]; then
        mac=${BASH_REMATCH[2]}
        if [[ $line =~ (KERNELS|DEVPATH|ID|ID_PATH\}|ATTRS\{(device|vendor)\})== ]] \
          || [[ $line =~ DRIVERS?==\"(vmxnet|e1000|pcnet)[^\"]*\" ]]; then
          mac_fact mac "$name" "$mac" # the device that the rule looks for is gone
        else
          mac_fact fixed "$name" "$mac"
        fi
      elif [[ $line == *'SUBSYSTEM=="net"'* && $line =~ (KERNELS|DEVPATH|ID_PATH\})== ]]; then
        fact odd - "it gives the name $name by a PCI address"
      fi
    done <"$file"
  done
}

# --- what DHCP clients wrote down

dhcpcd_facts() {
  local line name=
  file=$tree/etc/dhcpcd.conf
  ours "$file" || return 0
  while IFS= read -r line || [[ -n $line ]]; do
    if [[ $line =~ ^[[:space:]]*interface[[:space:]]+([^[:space:]]+) ]]; then
      name=${BASH_REMATCH[1]}
      named nic "$name" -
    elif [[ -n $name && $line =~ ^[[:space:]]*static[[:space:]]+ip6?_address=([^[:space:]]+) ]]; then
      address_fact "$name" "${BASH_REMATCH[1]}"
    fi
  done <"$file"
}

lease_fact() { # INTERFACE ADDRESS
  local found
  found=$(canonical "$2")
  [[ -z $found ]] || named lease "$1" "$found"
}

lease_facts() {
  local line name
  for file in "$tree"/var/lib/{dhcp,dhclient,NetworkManager}/*.lease{,s} "$tree"/var/lib/dhcp3/*.leases; do
    ours "$file" || continue
    name=
    # NetworkManager: internal-UUID-INTERFACE.lease
    [[ ! $file =~ -[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-([^/]+)\.lease$ ]] || name=${BASH_REMATCH[2]}
    while IFS= read -r line || [[ -n $line ]]; do
      if [[ $line =~ ^[[:space:]]*interface[[:space:]]+\"([^\"]+)\" ]]; then
        name=${BASH_REMATCH[1]}
      elif [[ $line =~ ^[[:space:]]*fixed-address[[:space:]]+([0-9.]+)\; || $line =~ ^ADDRESS=([0-9.]+) ]]; then
        [[ -z $name ]] || lease_fact "$name" "${BASH_REMATCH[1]}"
      fi
    done <"$file"
  done
  for file in "$tree"/var/lib/wicked/lease-*-dhcp-ipv4.xml; do
    ours "$file" || continue
    name=${file##*/lease-}
    name=${name%-dhcp-ipv4.xml}
    line=$(sed -n 's|.*<address>\([0-9.]*\)</address>.*|\1|p' <"$file")
    lease_fact "$name" "${line%%$'\n'*}"
  done
}

# Reads netplan's files: as much of YAML as they are written in. A part of guest.sh.

declare -A plan=() # KIND|ID|WHAT: values of all files together, lists a line each

netplan_facts() {
  local path text
  plan=()
  for file in "$tree"/etc/netplan/*.yaml; do
    ours "$file" || continue
    while IFS=$'\t' read -r path text; do
      plan_value "$path" "$text"
    done < <(yaml_values <"$file")
  done
  file=$tree/etc/netplan
  plan_facts
}

# Takes one value in: $1 its path, as network|ethernets|ens192|addresses, $2 the value.
plan_value() {
  local parts key
  IFS='|' read -ra parts <<<"$1"
  [[ ${parts[0]:-} == network && -n ${parts[2]:-} ]] || return 0
  key=${parts[1]}\|${parts[2]}
  plan[$key]=1
  case ${parts[3]:-} in
    addresses)
      [[ -z ${parts[5]:-} ]] || set -- "$1" "${parts[5]}" # an address with options is a key
      [[ -z $2 ]] || plan[$key\|addresses]+="$2"$'\n'
      ;;
    match) [[ -z ${parts[4]:-} || -z $2 ]] || plan[$key\|${parts[4]}]=$2 ;;
    set-name | link) [[ -z $2 ]] || plan[$key\|${parts[3]}]=$2 ;;
    interfaces) [[ -z $2 ]] || plan[$key\|interfaces]+="$2"$'\n' ;;
  esac
}

plan_facts() {
  local key kind id addresses lower
  for key in "${!plan[@]}"; do
    IFS='|' read -r kind id lower <<<"$key"
    [[ -z $lower ]] || continue
    mapfile -t addresses < <(printf '%s' "${plan[$key|addresses]:-}")
    case $kind in
      ethernets) plan_ethernet "$key" "$id" "${addresses[@]}" ;;
      bonds | bridges | vlans | tunnels | vrfs | dummy-devices)
        named virtual "$id" "$kind"
        while IFS= read -r lower; do
          [[ -z $lower ]] || under_facts "$id" "$(plan_name "$lower")"
        done <<<"${plan[$key|interfaces]:-}${plan[$key|link]:-}"
        for lower in "${addresses[@]}"; do address_fact "$id" "$lower"; done
        ;;
    esac
  done
}

# Prints what an ethernet that others name by its id $1 is called.
plan_name() {
  local key=ethernets\|$1
  printf '%s' "${plan[$key|set-name]:-${plan[$key|name]:-$1}}"
}

plan_ethernet() { # KEY ID ADDRESS...
  local key=$1 id=$2 mac=${plan[$1|macaddress]:-} name=${plan[$1|set-name]:-}
  shift 2
  [[ -z ${plan[$key|driver]:-} ]] || fact odd - "$id is bound to driver ${plan[$key|driver]}"
  if [[ -n $mac && -n $name ]]; then
    mac_fact fixed "$name" "$mac"
    bound_facts "$name" "$mac" "$@"
  elif [[ -n $name ]]; then
    bound_facts "$name" '' "$@"
  elif [[ -n $mac || -n ${plan[$key|name]:-} ]]; then
    bound_facts "${plan[$key|name]:-}" "$mac" "$@"
  elif [[ -n ${plan[$key|driver]:-} ]]; then
    bound_facts '' '' "$@"
  else
    bound_facts "$id" '' "$@"
  fi
}

# Prints the YAML on standard input as PATH <tab> VALUE: keys with `|` between them, `[]` for a mapping in a list.
yaml_values() {
  local line content next depths=(-1) kinds=(top) paths=('')
  local -i depth
  while IFS= read -r line || [[ -n $line ]]; do
    line=$(yaml_uncommented "${line%$'\r'}")
    content=${line#"${line%%[! ]*}"}
    [[ -n $content && $content != --- && $content != ... && $content != %* ]] || continue
    depth=$((${#line} - ${#content}))
    # A flow collection may go over several lines.
    while ! yaml_closed "$content" && IFS= read -r next; do content+=" $(yaml_uncommented "$next")"; done
    yaml_line
  done
}

# One entry of a block: `content` at `depth`.
yaml_line() {
  local -i top=${#depths[@]}-1
  local key rest
  while ((depths[top] > depth)) || { ((depths[top] == depth)) && [[ ${kinds[top]} == item || $content != -* ]]; }; do
    unset 'depths[top]' 'kinds[top]' 'paths[top]'
    top+=-1
  done
  if [[ $content == - || $content == '- '* ]]; then
    rest=${content#-}
    content=${rest#"${rest%%[! ]*}"}
    if [[ $content != [\{\[\"\']* && ($content == *': '* || $content == *:) || $content == [\"\']*[\"\']:* ]]; then
      depths+=("$depth") kinds+=(item) paths+=("${paths[top]}|[]")
      depth+=$((${#rest} - ${#content} + 1))
      yaml_line
    else
      yaml_flow "${paths[top]}" "$content"
    fi
    return
  fi
  if [[ $content == [\[\{]* ]]; then # a whole file in the flow style, as JSON is
    yaml_flow "${paths[top]}" "$content"
    return
  fi
  yaml_split "$content" || return 0
  if [[ -z $rest ]]; then
    depths+=("$depth") kinds+=(key) paths+=("${paths[top]:+${paths[top]}|}$key")
    printf '%s\t\n' "${paths[-1]}"
  else
    yaml_flow "${paths[top]:+${paths[top]}|}$key" "$rest"
  fi
}

# Sets `key` and `rest` of an entry KEY: REST.
yaml_split() {
  if [[ $1 =~ ^\"([^\"]*)\"[[:space:]]*:([[:space:]]+(.*))?$ || $1 =~ ^\'([^\']*)\'[[:space:]]*:([[:space:]]+(.*))?$ ]]; then
    key=${BASH_REMATCH[1]} rest=${BASH_REMATCH[3]}
  elif [[ $1 == *': '* ]]; then
    key=${1%%: *} rest=${1#*: }
  elif [[ $1 == *: ]]; then
    key=${1%:} rest=
  else
    return 1
  fi
  key=${key%"${key##*[! ]}"}
  rest=${rest#"${rest%%[! ]*}"}
}

# Prints a value, or each of a flow collection: $1 path, $2 text.
yaml_flow() {
  local text=$2 part parts=() key rest
  text=${text#"${text%%[! ]*}"}
  text=${text%"${text##*[! ]}"}
  case $text in
    '['*']')
      yaml_parts "${text:1:-1}"
      for part in "${parts[@]}"; do
        case $part in
          '{'*) yaml_flow "$1|[]" "$part" ;;
          *) yaml_flow "$1" "$part" ;;
        esac
      done
      ;;
    '{'*'}')
      printf '%s\t\n' "$1"
      yaml_parts "${text:1:-1}"
      for part in "${parts[@]}"; do
        # shellcheck disable=SC2310
        if yaml_split "$part"; then yaml_flow "${1:+$1|}$key" "$rest"; else yaml_flow "${1:+$1|}$part" ''; fi
      done
      ;;
    \"*\" | \'*\') printf '%s\t%s\n' "$1" "${text:1:-1}" ;;
    '~' | null | '|'* | '>'*) printf '%s\t\n' "$1" ;;
    *) printf '%s\t%s\n' "$1" "$text" ;;
  esac
}

# Sets `parts` to the entries of a flow collection's inside.
yaml_parts() {
  local text=$1 char quote= part=
  local -i i level=0
  parts=()
  for ((i = 0; i < ${#text}; i++)); do
    char=${text:i:1}
    if [[ -n $quote ]]; then
      [[ $char != "$quote" ]] || quote=
    else
      case $char in
        \" | \') quote=$char ;;
        '[' | '{') level+=1 ;;
        ']' | '}') level+=-1 ;;
      esac
    fi
    if [[ $char == , && -z $quote && $level -eq 0 ]]; then
      parts+=("$part")
      part=
    elif [[ -n $part || $char != ' ' ]]; then
      part+=$char
    fi
  done
  [[ -z ${part// /} ]] || parts+=("$part")
}

# Whether all brackets outside of quotes are closed.
yaml_closed() {
  local text=$1 char quote=
  local -i i level=0
  [[ $text == *[\[\{]* ]] || return 0
  for ((i = 0; i < ${#text}; i++)); do
    char=${text:i:1}
    if [[ -n $quote ]]; then
      [[ $char != "$quote" ]] || quote=
      continue
    fi
    case $char in
      \" | \') quote=$char ;;
      '[' | '{') level+=1 ;;
      ']' | '}') level+=-1 ;;
    esac
  done
  ((level <= 0))
}

# Prints a line without its comment and trailing blanks.
yaml_uncommented() {
  local text=$1 char quote= before=' '
  local -i i
  if [[ $text == *'#'* ]]; then
    for ((i = 0; i < ${#text}; i++)); do
      char=${text:i:1}
      if [[ -n $quote ]]; then
        [[ $char != "$quote" ]] || quote=
      elif [[ $char == [\"\'] && $before == [' ,:[{-'] ]]; then
        quote=$char
      elif [[ $char == '#' && $before == [[:space:]] ]]; then
        text=${text:0:i}
      fi
      before=$char
    done
  fi
  text=${text//$'\t'/ }
  printf '%s' "${text%"${text##*[! ]}"}"
}

# Gives the NICs of a converted Linux guest the names that they had in vSphere: on other virtual hardware udev names
# them otherwise, and a configuration for ens192 means nothing to enp1s0. Which NIC had which name is found in the
# guest's own configuration (guest.sh), by MAC or by the addresses that vSphere knew.
# Nothing here fails a conversion. What cannot be done is said, with WARNING in front.

# Prints the name of each NIC as MAC <tab> NAME <tab> write|keep, and says how it is known. $1 copy of the guest's
# files; further arguments are the NICs in the VM's order, each as MAC[@NAME][=ADDRESS,...].
interface_names() {
  local tree=$1 mac each
  local -a nics=() odd=()
  local -A given=() known=() name_of=() owner=() settled=() loose=() proposal=()
  local -A nic=() virtual=() under=() alias=() address=() lease=() mac_of=() fixed=() bymac=() any=() pattern=() place=()
  shift
  for each in "$@"; do
    mac=${each%%[@=]*}
    nics+=("$mac")
    [[ ! $each =~ @([^=]+) ]] || given[$mac]=${BASH_REMATCH[1]}
    known[$mac]=
    [[ $each != *=* ]] || for each in ${each#*=}; do known[$mac]=$(canonical_list "$each"); done
  done
  gather_facts
  by_what_is_given
  by_rules_of_the_guest
  by_mac
  by_addresses address 'static address'
  by_addresses lease 'address by DHCP'
  find_loose
  by_bond
  by_elimination
  by_pattern
  report_names
}

# The canonical addresses of a list with commas, with blanks between them.
canonical_list() {
  local each found result=
  for each in ${1//,/ }; do
    found=$(canonical "$each")
    result+=${found:+ $found}
  done
  printf '%s' "$result"
}

gather_facts() {
  local kind name text file
  while IFS=$'\t' read -r kind name text file; do
    case $kind in
      nic) nic[$name]=$file ;;
      virtual) virtual[$name]=1 ;;
      under) under[$name]+=" $text" ;;
      alias) alias[$text]=$name ;;
      address) address[$text]+=" $name" place[$text]=$file ;;
      lease) lease[$text]+=" $name" place[$text]=${place[$text]:-$file} ;;
      mac) mac_of[$text]+=" $name" place[$text]=$file ;;
      fixed) fixed[$text]+=" $name" place[$text]=$file ;;
      bymac) bymac[$text]=$file ;;
      any) any[$text]=$file ;;
      pattern) pattern[$text]=$name place[$text]=$file ;;
      odd) odd+=("$file: $text") ;;
    esac
  done < <(guest_facts "$tree" | sort -u)
  local upper lower
  for upper in "${!under[@]}"; do
    virtual[${alias[$upper]:-$upper}]=1
    [[ -z ${alias[$upper]:-} ]] || under[${alias[$upper]}]+=" ${under[$upper]}"
  done
  for upper in "${!under[@]}"; do
    for lower in ${under[$upper]}; do
      nic[$lower]=${nic[$lower]:-the configuration of $upper}
    done
  done
}

# Prints the NICs that interface $1 is made of, a line each: itself, if it is one.
parts_of() {
  local lower level=${2:-0}
  if [[ -z ${virtual[$1]:-} ]]; then
    printf '%s\n' "$1"
  elif [[ $level -lt 8 ]]; then
    for lower in ${under[$1]:-}; do
      parts_of "$lower" "$((level + 1))"
    done
  fi
}

# Prints those of the words given that no NIC has yet and that are names of NICs, a line each, sorted.
free_names() {
  local name
  for name in "$@"; do
    parts_of "$name"
  done | sort -uV | while IFS= read -r name; do
    [[ -n ${owner[$name]:-} ]] || printf '%s\n' "$name"
  done
}

# Makes the proposals the names of their NICs. One name for two NICs is for none of them. $1 how it is known.
settle() {
  local mac name
  local -A count=()
  for mac in "${!proposal[@]}"; do
    count[${proposal[$mac]}]=$((${count[${proposal[$mac]}]:-0} + 1))
  done
  for mac in "${nics[@]}"; do
    name=${proposal[$mac]:-}
    [[ -n $name && -z ${owner[$name]:-} ]] || continue
    if [[ ${count[$name]} -gt 1 ]]; then
      warn "$mac and another NIC could both be $name"
      continue
    fi
    name_of[$mac]=$name owner[$name]=$mac
    settled[$mac]="${2:-write} $1${place[$mac]:+ (${place[$mac]})}"
  done
  proposal=()
}

by_what_is_given() {
  local mac
  for mac in "${nics[@]}"; do
    [[ -z ${given[$mac]:-} ]] || proposal[$mac]=${given[$mac]}
  done
  settle 'the spec says so'
}

by_rules_of_the_guest() {
  local mac names
  for mac in "${nics[@]}"; do
    # shellcheck disable=SC2086
    mapfile -t names < <(printf '%s\n' ${fixed[$mac]:-} | sort -u)
    [[ ${#names[@]} -ne 1 || -z ${names[0]} || -n ${name_of[$mac]:-} ]] || proposal[$mac]=${names[0]}
  done
  settle 'the guest names it by its MAC' keep
}

by_mac() {
  local mac names
  for mac in "${nics[@]}"; do
    [[ -z ${name_of[$mac]:-} ]] || continue
    # shellcheck disable=SC2086
    mapfile -t names < <(free_names ${mac_of[$mac]:-})
    [[ ${#names[@]} -ne 1 ]] || proposal[$mac]=${names[0]}
  done
  settle 'its configuration has the MAC'
}

by_addresses() { # address|lease WHAT
  local -n table=$1
  local mac each names text
  for mac in "${nics[@]}"; do
    [[ -z ${name_of[$mac]:-} ]] || continue
    text=
    for each in ${known[$mac]}; do
      text+=" ${table[$each]:-}"
      [[ -z ${table[$each]:-} ]] || place[$mac]=${place[$each]}
    done
    # shellcheck disable=SC2086
    mapfile -t names < <(free_names $text)
    [[ ${#names[@]} -ne 1 ]] || proposal[$mac]=${names[0]}
  done
  settle "$2"
}

# NICs whose configuration needs no name.
find_loose() {
  local mac each
  for mac in "${nics[@]}"; do
    [[ -z ${bymac[$mac]:-} ]] || loose[$mac]=${bymac[$mac]}
    for each in ${known[$mac]}; do
      [[ -z ${any[$each]:-} ]] || loose[$mac]=${any[$each]}
    done
  done
}

# Sets `open` to the NICs that have no name and need one, `left` to the names that no NIC has.
find_open() {
  local mac
  open=()
  for mac in "${nics[@]}"; do
    [[ -n ${name_of[$mac]:-} || -n ${loose[$mac]:-} ]] || open+=("$mac")
  done
  mapfile -t left < <(free_names "${!nic[@]}")
}

# NICs of one bond may change places, so any order will do.
by_bond() {
  local upper open left names
  local -i i
  for upper in $(printf '%s\n' "${!under[@]}" | sort); do
    mapfile -t names < <(free_names "$upper")
    find_open
    [[ ${#names[@]} -gt 1 && ${#open[@]} -eq ${#names[@]} && ${#left[@]} -eq ${#names[@]} ]] || continue
    for i in "${!names[@]}"; do proposal[${open[i]}]=${names[i]}; done
    settle "all of them are parts of $upper, in the order of the VM's NICs"
  done
}

by_elimination() {
  local open left each
  find_open
  [[ ${#open[@]} -eq 1 && ${#left[@]} -eq 1 ]] || return 0
  if [[ ${#nics[@]} -gt 1 && -n ${known[${open[0]}]} ]]; then
    for each in "${!address[@]}"; do
      if [[ " ${address[$each]} " == *" ${left[0]} "* ]]; then
        warn "${open[0]} has${known[${open[0]}]}, and ${left[0]} is configured for $each"
        return 0
      fi
    done
  fi
  proposal[${open[0]}]=${left[0]}
  settle 'it is the only one left'
}

# A pattern such as ens* fits no name that the NIC gets: it gets the first of VMware's names that does.
by_pattern() {
  local mac each number name open left
  find_open
  for mac in "${open[@]}"; do
    for each in ${known[$mac]} -; do
      [[ -n ${pattern[$each]:-} ]] || continue
      for number in 192 224 256 161 193 225 257 162 194 226; do
        for name in "ens$number" "${pattern[$each]%%[*?[]*}$number"; do
          # shellcheck disable=SC2053
          [[ $name == ${pattern[$each]} && $name =~ $INTERFACE && -z ${owner[$name]:-} ]] || continue
          proposal[$mac]=$name
          settle "its configuration is for ${pattern[$each]}"
          continue 4
        done
      done
    done
  done
}

report_names() {
  local mac open left each
  local -i i=0
  for mac in "${nics[@]}"; do
    if [[ -n ${name_of[$mac]:-} ]]; then
      say "guest network: $mac is ${name_of[$mac]}: ${settled[$mac]#* }"
      printf '%s\t%s\t%s\n' "$mac" "${name_of[$mac]}" "${settled[$mac]%% *}"
      [[ ! ${name_of[$mac]} =~ ^eth[0-9]+$ || ${name_of[$mac]} == "eth$i" ]] \
        || warn "$mac was ${name_of[$mac]}, and the kernel will call it eth$i first; not every udev can swap them"
    elif [[ -n ${loose[$mac]:-} ]]; then
      say "guest network: $mac needs no name: ${loose[$mac]}"
    fi
    i+=1
  done
  find_open
  if [[ ${#open[@]} -gt 0 && ${#left[@]} -gt 0 ]]; then
    warn "which NIC was which is not known: ${open[*]}; names that are left: ${left[*]}." \
      "State nics[].interface in the spec and convert again, or log in on the console and give the names there"
  elif [[ ${#open[@]} -gt 0 ]]; then
    say "guest network: no configuration names ${open[*]}"
  fi
  [[ ${#open[@]} -eq 0 ]] || for each in "${odd[@]}"; do warn "$each"; done
}

warn() {
  say "WARNING: guest network: $*"
}

# Writes the files that give NICs their names below directory $1, from interface_names' lines on standard input.
# udev rules, since a name that the initramfs gave is not changed by .link files before naming scheme v240 (systemd),
# and since every udev reads them; .link files, which NetworkManager, netplan and the initramfs of later kernels know.
# Only what has a driver is renamed: a VLAN or a bridge has the MAC of its NIC.
write_names() { # DIRECTORY TREE
  local mac name how
  while IFS=$'\t' read -r mac name how; do
    [[ $how == write ]] || continue
    mkdir -p -- "$1/etc/udev/rules.d"
    printf 'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{address}=="%s", ATTR{type}=="1", NAME="%s"\n' \
      "$mac" "$name" >>"$1/etc/udev/rules.d/70-vmferry-net.rules"
    [[ -d $2/etc/systemd ]] || continue
    mkdir -p -- "$1/etc/systemd/network"
    printf '[Match]\nMACAddress=%s\nPath=*pci-*\n\n[Link]\nName=%s\n' "$mac" "$name" \
      >"$1/etc/systemd/network/10-vmferry-$name.link"
  done
}

# --- in the converted guest, by guestfish

# A command of the guestfish that listens. In front of it, `-` keeps that going if the command fails, and hides that it
# failed: what must not fail is looked at afterwards.
fish() {
  timeout 600 guestfish --remote -- "$@"
}

# $1 the root device, or `first`; $2 directory for copies; $3 how many of the further arguments are NICs: the rest are
# guestfish's options for the disks and their keys.
restore_interfaces() {
  local root=$1 work=$2 nics=("${@:4:$3}") options=("${@:4+$3}")
  command -v guestfish >/dev/null || {
    warn 'there is no guestfish beside virt-v2v, so no NIC gets its name back'
    return 0
  }
  rm -rf -- "$work"
  mkdir -p -- "$work/tree/etc" "$work/files"
  if open_guest "$root" "${options[@]}"; then
    copy_configuration "$work/tree"
    interface_names "$work/tree" "${nics[@]}" | write_names "$work/files" "$work/tree"
    put_files "$work/files"
    close_guest
  else
    warn 'the converted guest cannot be opened, so no NIC gets its name back'
  fi
  rm -rf -- "$work"
}

# Boots libguestfs' appliance with the guest's file systems mounted. Option -i asks for LUKS keys as virt-v2v does, and
# refuses a guest with several systems.
open_guest() { # ROOT GUESTFISH-OPTION...
  local root=$1 line
  shift
  GUESTFISH_PID=
  if [[ $root == first ]]; then
    eval "$(timeout 1800 guestfish --listen -i "$@" </dev/null)"
    [[ -z $GUESTFISH_PID ]] || return 0
  fi
  eval "$(timeout 1800 guestfish --listen "$@" </dev/null)"
  [[ -n $GUESTFISH_PID ]] && fish run || return 1
  line=$(fish inspect-os) || return 1
  [[ $root != first ]] || root=${line%%$'\n'*}
  [[ $'\n'$line$'\n' == *$'\n'$root$'\n'* ]] || return 1
  while IFS= read -r line; do
    [[ $line != /*': '* ]] || fish -mount "${line#*: }" "${line%%: *}"
  done < <(fish inspect-get-mountpoints "$root" | sort)
  [[ $(fish exists /etc) == true ]]
}

copy_configuration() { # DIRECTORY
  local path
  for path in /etc/sysconfig /etc/network /etc/netplan /etc/NetworkManager/system-connections /etc/systemd/network \
    /etc/udev/rules.d /var/lib/dhcp /var/lib/dhclient /var/lib/NetworkManager /var/lib/wicked; do
    [[ $(fish is-dir "$path" followsymlinks:true) == true ]] || continue
    mkdir -p -- "$1$path"
    rm -f -- "$1/../copy.tar"
    fish -tar-out "$path" "$1/../copy.tar"
    tar --extract --file "$1/../copy.tar" --directory "$1$path" --no-same-owner --no-same-permissions \
      || warn "not all of $path could be read"
  done
  [[ $(fish is-dir /etc/systemd followsymlinks:true) != true ]] || mkdir -p -- "$1/etc/systemd"
  [[ $(fish is-file /etc/dhcpcd.conf) != true ]] || fish -download /etc/dhcpcd.conf "$1/etc/dhcpcd.conf"
}

put_files() { # DIRECTORY
  local file path
  while IFS= read -r -d '' file; do
    path=${file#"$1"}
    fish -mkdir-p "${path%/*}"
    fish -upload "$file" "$path"
    fish -chmod 0644 "$path"
    if [[ $(fish is-file "$path") == true && $(fish filesize "$path") == "$(stat -c %s -- "$file")" ]]; then
      label_like_directory "$path"
      say "guest network: wrote $path"
    else
      warn "$path could not be written"
    fi
  done < <(find "$1" -type f -print0 | sort -z)
}

# Gives file $1 the SELinux label of its directory, as a running guest would; without one udev could not read it.
label_like_directory() {
  local line label=
  while IFS= read -r line; do
    case $line in
      *'attrname: security.selinux') label=- ;;
      *'attrval: '*) [[ $label != - ]] || label=${line#*attrval: } ;;
    esac
  done < <(fish -lgetxattrs "${1%/*}")
  label=${label%'\x00'}
  [[ ! $label =~ ^[A-Za-z0-9_.]+:[A-Za-z0-9_.:,-]+$ ]] || fish -setxattr security.selinux "$label" "${#label}" "$1"
}

close_guest() {
  local -i tries
  fish umount-all || warn 'the file systems could not be unmounted'
  fish shutdown || warn 'what was written may not have reached the disks'
  fish exit || true
  for ((tries = 0; tries < 60; tries++)); do
    kill -0 "$GUESTFISH_PID" 2>/dev/null || return 0
    sleep 1
  done
}

# Converts the VMs of one move group where virt-v2v and guestfish are installed, and publishes their disks.
#
# Usage: bastion.sh [TARGET-NAME...]      the default is every VM of the group
#
#   VCENTER_USER_FILE      file with the user of the vCenter (required)
#   VCENTER_PASSWORD_FILE  file with the password (required)
#   VCENTER_CA_FILE        file with the CA of the vCenter
#   VDDK_LIBDIR            VMware's VDDK, unpacked; without it virt-v2v copies over slow HTTPS
#   LUKS_DIR               directory with LUKS passphrases, one a file
#   WORK_DIR               where the images go; default ./images
#   PUBLISH_DIR            what the web server of the disks' URLs serves; required where there are such disks
#
# A VM must be shut off. A VM whose images exist is not converted again: delete WORK_DIR/TARGET-NAME to do so.
# Exit codes: 1 something failed, 2 wrong usage, 3 a VM was left out, since vSphere cannot read a disk of it.

wanted_names=("$@")
found=
left_out=
interfaces=()
work=${WORK_DIR:-images}
[[ -n ${VCENTER_USER_FILE:-} && -n ${VCENTER_PASSWORD_FILE:-} ]] \
  || die 2 'set VCENTER_USER_FILE and VCENTER_PASSWORD_FILE'
private=$(mktemp -d)
trap 'rm -rf -- "$private"' EXIT
make_credentials "$VCENTER_PASSWORD_FILE" "$private"

wanted() { # TARGET-NAME
  local name
  [[ ${#wanted_names[@]} -gt 0 ]] || return 0
  for name in "${wanted_names[@]}"; do
    [[ $name != "$1" ]] || return 0
  done
  return 1
}

# virt-v2v reads all disks of a VM or none. $1 target name; further arguments: its disks that vSphere cannot read.
# Images that were made in another way are as good.
readable() {
  local target=$1
  shift
  [[ ! -d $work/$target ]] || return 0
  found=1
  left_out+=" $target"
  say "$target: vSphere cannot read $*, a physical raw device mapping, so virt-v2v cannot convert this VM."
  say "  Shut it off, image every disk of the VM with other tools (of the storage array, or dd and qemu-img on a"
  say "  host that sees the LUN), convert them (virt-v2v -i disk), put them into $work/$target"
  say "  as $target-sda, $target-sdb and so on, and run this again."
  return 1
}

# The NICs of the VM that is converted next, whose names in the guest are kept.
nics() {
  interfaces=("$@")
}

finish() {
  [[ -n $found ]] || die 2 'no such VM in this group'
  [[ -z $left_out ]] || die 3 "left out:$left_out"
}

# $1 target name, $2 name in vSphere, $3 libvirt scheme, $4 server and path, $5 "1": do not verify,
# $6 root device; further arguments are virt-v2v's. The images are complete once they have their directory.
convert() {
  local target=$1 name=$2 scheme=$3 location=$4 insecure=$5 root=$6 options=() keys=() key
  shift 6
  found=1
  if [[ -d $work/$target ]]; then
    say "$target: images exist"
    return
  fi
  make_uri "$scheme" "$location" "$VCENTER_USER_FILE" "$insecure" "${VCENTER_CA_FILE:-}"
  require_shut_off "$name" 1
  if [[ -n ${VDDK_LIBDIR:-} ]]; then
    options+=(-it vddk -io "vddk-libdir=$VDDK_LIBDIR")
    [[ -z $VDDK_THUMBPRINT ]] || options+=(-io "vddk-thumbprint=$VDDK_THUMBPRINT")
  fi
  if [[ -n ${LUKS_DIR:-} ]]; then
    for key in "$LUKS_DIR"/*; do
      [[ ! -f $key ]] || keys+=(--key "all:file:$key")
    done
  fi
  check_addresses "$@"
  [[ ${#interfaces[@]} -eq 0 ]] || command -v guestfish >/dev/null \
    || die 2 'install guestfish (of libguestfs): without it a Linux guest loses the names of its NICs, and its addresses'
  rm -rf -- "$work/.$target.part"
  mkdir -p -- "$work/.$target.part"
  virt-v2v -i libvirt -ic "$uri" -ip "$password_file" --root "$root" "${options[@]}" "${keys[@]}" "$@" \
    -o local -os "$work/.$target.part" -on "$target" -of qcow2 -- "$name" 2>&1 | mask \
    || die 1 "$target: virt-v2v failed"
  if [[ ${#interfaces[@]} -gt 0 ]]; then
    (keep_interfaces "$target" "$root" "$@") || say 'WARNING: not every NIC may have its name back'
  fi
  seal "$target" converted
}

# Copies the disks of a guest that nobody converts, as they are. $1 target name, $2 name in vSphere, $3 libvirt
# scheme, $4 server and path, $5 "1": do not verify, $6 id in vSphere; further arguments are DEVICE=VMDK.
copy_raw() {
  local target=$1 name=$2 scheme=$3 location=$4 insecure=$5 id=$6 disk server
  shift 6
  found=1
  if [[ -d $work/$target ]]; then
    say "$target: images exist"
    return
  fi
  [[ -n ${VDDK_LIBDIR:-} ]] || die 2 "$target is copied by VDDK: set VDDK_LIBDIR"
  for disk in "$@"; do
    [[ -n $id && -n ${disk#*=} ]] \
      || die 1 "$target: the id of the VM or the VMDK of ${disk%%=*} is not known; add \`id\` and \`file\` to the spec, or" \
        "image its disks with other tools and put them into $work/$target as $target-sda, $target-sdb and so on"
  done
  make_uri "$scheme" "$location" "$VCENTER_USER_FILE" "$insecure" "${VCENTER_CA_FILE:-}"
  require_shut_off "$name" 1
  server=${location%%/*}
  rm -rf -- "$work/.$target.part"
  mkdir -p -- "$work/.$target.part"
  for disk in "$@"; do
    copy_disk "$server" "$id" "${disk#*=}" "$work/.$target.part/$target-${disk%%=*}" \
      || die 1 "$target: the copy of ${disk%%=*} failed"
  done
  seal "$target" copied
}

# Copies one VMDK into a qcow2 image: $1 server, $2 id of the VM, $3 VMDK, $4 image.
copy_disk() {
  local options=("libdir=$VDDK_LIBDIR" "server=${1%%:*}" "user=$(<"$VCENTER_USER_FILE")" "password=+$password_file")
  [[ $1 != *:* ]] || options+=("port=${1##*:}")
  [[ -z $VDDK_THUMBPRINT ]] || options+=("thumbprint=$VDDK_THUMBPRINT")
  image=$4 nbdkit --readonly --unix - vddk "${options[@]}" "vm=moref=$2" "file=$3" \
    --run 'qemu-img convert -f raw -O qcow2 "$uri" "$image"'
}

# The images of target $1 are complete once they have their directory; $2 says how they came to be.
seal() {
  local target=$1
  (cd -- "$work/.$target.part" && sha256sum -- "$target"-sd* >SHA256SUMS)
  mv -- "$work/.$target.part" "$work/$target"
  say "$target: $2; digests for \`checksum\` in the spec:"
  sed 's/^/sha256:/' -- "$work/$target/SHA256SUMS"
}

# The guest is converted: what goes wrong here is said, and no reason to convert it again. Arguments: target name,
# root device, virt-v2v's options.
keep_interfaces() {
  local image options=()
  for image in "$work/.$1.part/$1"-sd*; do
    options+=(--format=qcow2 -a "$image")
  done
  [[ " ${*:3} " != *' --key all:clevis '* ]] || keys+=(--key all:clevis)
  restore_interfaces "$2" "$private/interfaces" "${#interfaces[@]}" "${interfaces[@]}" "${options[@]}" "${keys[@]}"
}

# Into the DataVolume that waits for an upload: $1 target name, $2 device, $3 namespace, $4 DataVolume.
# One that was filled before is done: its VM may run by now (virtctl pkg/virtctl/imageupload says so and ends with 1).
upload() {
  local answer
  if answer=$(virtctl image-upload dv "$4" --namespace "$3" --no-create --image-path "$work/$1/$1-$2" 2>&1); then
    say "$answer"
  elif [[ $answer == *'already successfully'* ]]; then
    say "$1: $4 is uploaded already"
  else
    die 1 "$1: the upload into $4 failed: $answer"
  fi
}

# To where the disk's URL leads: $1 target name, $2 device, $3 file name. What lies there is never overwritten: it may
# be the disk of a VM of another group, and a VM that CDI gives it to would start from it.
publish() {
  [[ -n ${PUBLISH_DIR:-} ]] || die 2 'set PUBLISH_DIR'
  local image=$work/$1/$1-$2 place=$PUBLISH_DIR/$3
  if [[ -e $place || -L $place ]]; then
    cmp -s -- "$image" "$place" \
      || die 1 "$1: $place is another image, of another VM or of a former conversion; move it away if nothing needs it"
    say "$1: $3 is published already"
    return
  fi
  cp -- "$image" "$PUBLISH_DIR/.$3.part"
  mv -- "$PUBLISH_DIR/.$3.part" "$place"
}

# A container disk is made and pushed by hand: $1 target name, $2 device, $3 image.
push() {
  say "push $work/$1/$1-$2 as a container disk to $3"
}

VDDK_THUMBPRINT=7A:1C:55:0E:9B:42:D3:6F:88:01:AE:C7:34:5D:92:E0:1B:F6:48:2D

if wanted lic-01; then
  nics 00:50:56:8a:10:33=10.20.140.30/24
  convert lic-01 lic-01 vpx vc1.acme.example/FRA/fra-prod/esx-fra-02.acme.example '' first
  push lic-01 sda docker://registry.acme.example/vendor/licence-disk:12.1
fi

finish
