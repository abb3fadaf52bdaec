# Converts one VM: virt-v2v reads it from vSphere and writes straight into the volumes mounted here.
# Everything about the VM comes in the environment, see `_environment` of vmferry's virt_v2v backend.
# Exit codes: 42 a volume is marked as converted already, 43 the source is not shut off, 44 another attempt
# writes to a volume. None is retried.

readonly ALREADY_CONVERTED=42 NOT_SHUT_OFF=43 TAKEN=44
readonly MARK=vmferry.dev/converted CLAIM=vmferry.dev/converting
readonly CDI=cdi.kubevirt.io/storage

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

# Changes metadata of PersistentVolumeClaim $1 by the JSON $2. With a resourceVersion in it, that is refused
# if anything changed the claim since.
patch_claim() {
  claim_api "$1" --output /dev/null --request PATCH \
    --header 'Content-Type: application/merge-patch+json' --data "{\"metadata\":$2}"
}

# Sets `volume` to what the API server says of PersistentVolumeClaim $1.
look_up() {
  volume=$(claim_api "$1") || die 1 "volume $1 cannot be looked up"
  [[ $volume == *'"PersistentVolumeClaim"'* ]] || die 1 "volume $1: the answer is no PersistentVolumeClaim"
}

# Prints the text of field $1 of `volume`, if it has one.
text() {
  local pattern="\"${1//./\\.}\":[[:space:]]*\"([^\"]*)\""
  [[ ! $volume =~ $pattern ]] || printf '%s' "${BASH_REMATCH[1]}"
}

# Looks volume $1 up, and fails if this attempt must not write to it.
# A marked volume may have run as a VM since: converting once more would destroy what it wrote.
require_free() {
  local holder
  look_up "$1"
  [[ -z $(text "$MARK") ]] \
    || die "$ALREADY_CONVERTED" "volume $1 is marked $MARK: remove it and its DataVolume to convert again"
  holder=$(text "$CLAIM")
  [[ -z $holder || $holder == "$ATTEMPT" ]] \
    || die "$TAKEN" "attempt $holder writes to volume $1. If it does not run any more, release the volumes with" \
      "\`kubectl annotate pvc --namespace $NAMESPACE ${claims[*]} $CLAIM-\` and raise \`attempt\`"
}

# A volume that this pod is the first to use may be mounted while CDI still formats it (where CDI has no
# populator for the class: only then has the claim an import source). CDI would empty what is written now.
await_prepared() {
  local claim
  local -i tries
  for claim in "${claims[@]}"; do
    for ((tries = 0; tries < 60; tries++)); do
      look_up "$claim"
      [[ -n $(text "$CDI.import.source") && $(text "$CDI.pod.phase") != Succeeded ]] || continue 2
      sleep 10
    done
    die 1 "volume $claim is not prepared by CDI"
  done
}

# Claims every volume for this attempt; another attempt's Job may run still. The API server lets one of two have
# it. The claims go with the mark, or with a failed virt-v2v; those of a killed pod stay for its attempt.
take_volumes() {
  local claim
  local -i tries
  for claim in "${claims[@]}"; do
    for ((tries = 0; tries < 5; tries++)); do
      require_free "$claim"
      [[ $(text "$CLAIM") != "$ATTEMPT" ]] || continue 2
      patch_claim "$claim" \
        "{\"resourceVersion\":\"$(text resourceVersion)\",\"annotations\":{\"$CLAIM\":\"$ATTEMPT\"}}" \
        && continue 2
    done
    die 1 "volume $claim cannot be claimed"
  done
}

release_volumes() {
  local claim
  for claim in "${claims[@]}"; do
    look_up "$claim"
    [[ $(text "$CLAIM") == "$ATTEMPT" ]] || continue
    patch_claim "$claim" "{\"resourceVersion\":\"$(text resourceVersion)\",\"annotations\":{\"$CLAIM\":null}}" \
      || say "volume $claim stays claimed by attempt $ATTEMPT"
  done
}

mark_converted() {
  local claim
  for claim in "${claims[@]}"; do
    patch_claim "$claim" "{\"annotations\":{\"$MARK\":\"$ATTEMPT\",\"$CLAIM\":null}}" \
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
    -o kubevirt -os "$out" -on "$TARGET_NAME" -of raw -- "$VM_NAME" 2>&1 | mask
}

for claim in "${claims[@]}"; do
  require_free "$claim"
done
make_uri "$SOURCE_SCHEME" "$SOURCE_LOCATION" "$credentials/accessKeyId" "${SOURCE_INSECURE:-}" "$credentials/cacert"
make_credentials "$credentials/secretKey" "$private"
require_shut_off "$VM_NAME" "$NOT_SHUT_OFF"
link_volumes
await_prepared
take_volumes
if ! convert; then
  say "virt-v2v failed; the volumes are not marked"
  release_volumes
  exit 1
fi
mark_converted
say "converted $TARGET_NAME"
