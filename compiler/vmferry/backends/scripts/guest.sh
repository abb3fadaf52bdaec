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
