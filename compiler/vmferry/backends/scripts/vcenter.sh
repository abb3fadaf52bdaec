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
