# Converts one VM: virt-v2v reads it from vSphere and writes straight into the volumes mounted here.
# Everything about the VM comes in the environment, see `_environment` of vmferry's virt_v2v backend.
# Exit codes: 42 a volume is marked as converted already, 43 the source is not shut off. Neither is retried.

readonly ALREADY_CONVERTED=42 NOT_SHUT_OFF=43
readonly MARK=vmferry.dev/converted

account=${SERVICE_ACCOUNT_DIR:-/var/run/secrets/kubernetes.io/serviceaccount}
credentials=${CREDENTIALS_DIR:-/etc/vmferry/credentials}
passphrases=${LUKS_DIR:-/etc/vmferry/luks}
private=${PRIVATE_DIR:-/run/vmferry}
scratch=${SCRATCH_DIR:-/var/tmp}
read -ra claims <<<"$CLAIMS"
read -ra disks <<<"$DISKS"
read -ra addresses <<<"${ADDRESSES:-}"

# Calls the API server about PersistentVolumeClaim $1; further arguments are curl's.
claim_api() {
  local claim=$1
  shift
  curl --silent --show-error --fail --retry 5 --max-time 30 --cacert "$account/ca.crt" \
    --config <(printf 'header = "Authorization: Bearer %s"\n' "$(<"$account/token")") \
    "$@" "https://kubernetes.default.svc/api/v1/namespaces/$NAMESPACE/persistentvolumeclaims/$claim"
}

# A marked volume may have run as a VM since: converting once more would destroy what it wrote.
refuse_converted() {
  local claim answer
  for claim in "${claims[@]}"; do
    answer=$(claim_api "$claim") || die 1 "volume $claim cannot be looked up"
    [[ $answer == *'"PersistentVolumeClaim"'* ]] || die 1 "volume $claim: the answer is no PersistentVolumeClaim"
    if [[ $answer == *"\"$MARK\":"* ]]; then
      die "$ALREADY_CONVERTED" "volume $claim is marked $MARK: remove it and its DataVolume to convert again"
    fi
  done
}

mark_converted() {
  local claim
  for claim in "${claims[@]}"; do
    claim_api "$claim" --output /dev/null --request PATCH \
      --header 'Content-Type: application/merge-patch+json' \
      --data "{\"metadata\":{\"annotations\":{\"$MARK\":\"$ATTEMPT\"}}}" \
      || die 1 "volume $claim is converted but cannot be marked"
  done
}

# Lets virt-v2v find the volumes under the names it gives to disks: TARGET-sda, TARGET-sdb, ...
# `-o kubevirt` follows the links in every version, as Forklift relies on; -oo disk= is not in all of them.
link_volumes() {
  local pair
  out=$scratch/out
  rm -rf -- "$out"
  mkdir -p -- "$out"
  for pair in "${disks[@]}"; do
    ln -s -- "${pair#*=}" "$out/$TARGET_NAME-${pair%%=*}"
  done
}

convert() {
  local options=() key address
  if [[ -n ${VDDK_LIBDIR:-} ]]; then
    options+=(-it vddk -io "vddk-libdir=$VDDK_LIBDIR")
    [[ -z ${VDDK_THUMBPRINT:-} ]] || options+=(-io "vddk-thumbprint=$VDDK_THUMBPRINT")
  fi
  for key in "$passphrases"/*; do
    [[ ! -f $key ]] || options+=(--key "all:file:$key")
  done
  [[ ${CLEVIS:-} != 1 ]] || options+=(--key all:clevis)
  for address in "${addresses[@]}"; do
    options+=(--mac "$address")
  done
  virt-v2v -i libvirt -ic "$uri" -ip "$password_file" --root "$ROOT" "${options[@]}" \
    -o kubevirt -os "$out" -on "$TARGET_NAME" -of raw -- "$VM_NAME" 2>&1 | mask \
    || die 1 "virt-v2v failed; the volumes are not marked"
}

refuse_converted
make_uri "$SOURCE_SCHEME" "$SOURCE_LOCATION" "$credentials/accessKeyId" "${SOURCE_INSECURE:-}" "$credentials/cacert"
make_credentials "$credentials/secretKey" "$private"
require_shut_off "$VM_NAME" "$NOT_SHUT_OFF"
link_volumes
convert
mark_converted
say "converted $TARGET_NAME"
