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
