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

VDDK_THUMBPRINT=''

if wanted rhel9-golden; then
  nics
  convert rhel9-golden rhel9-golden vpx vcenter.example.com/DC1/esx1.example.com '' first
  publish rhel9-golden sda rhel9-golden.qcow2
fi

finish
