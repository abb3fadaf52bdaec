# Converts one VM: virt-v2v reads it from vSphere and writes straight into the volumes mounted here.
# Everything about the VM comes in the environment, see `_environment` of vmferry's virt_v2v backend.
# A VM whose volumes are all marked as converted, by whatever attempt, is done: exit code 0, nothing is touched.
# Exit codes: 42 a volume holds what must not be overwritten, 43 the source is not shut off, 44 another attempt
# writes to a volume. None is retried.

readonly HOLDS_DATA=42 NOT_SHUT_OFF=43 TAKEN=44
readonly MARK=vmferry.dev/converted CLAIM=vmferry.dev/converting BEGUN=vmferry.dev/begun
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

# Ends here if the VM is converted: by another attempt, by a Job that was deleted and made again, or before a
# restore that brought the marks back. A marked volume may have run as a VM since, so nothing marked is written to.
finish_if_converted() {
  local claim mark='' marked=() rest=() held=()
  for claim in "${claims[@]}"; do
    look_up "$claim"
    if [[ -n $(text "$MARK") ]]; then
      marked+=("$claim") mark=$(text "$MARK")
    else
      rest+=("$claim") held+=("$(text "$CLAIM")")
    fi
  done
  [[ ${#marked[@]} -gt 0 ]] || return 0
  if [[ ${#rest[@]} -eq 0 ]]; then
    say "$TARGET_NAME is converted already, by attempt $mark: nothing to do"
    exit 0
  fi
  # Marks are set once everything is written. What the same attempt still holds is written, too.
  for claim in "${held[@]}"; do
    [[ $claim == "$mark" ]] || refuse_part
  done
  mark_converted "$mark" "${rest[@]}"
  say "$TARGET_NAME is converted, by attempt $mark; its last volumes are marked now"
  exit 0
}

# Fails for a VM of which finish_if_converted found only some volumes converted.
refuse_part() {
  die "$HOLDS_DATA" "volumes ${marked[*]} are marked $MARK, volumes ${rest[*]} are not. Nothing was changed." \
    "If ${rest[*]} came back from a backup without the mark, and what they hold is converted, mark them with" \
    "\`kubectl annotate pvc --namespace $NAMESPACE ${rest[*]} $MARK=$mark\`." \
    "To convert the whole VM again, and lose what it wrote since, stop it and remove the mark with" \
    "\`kubectl annotate pvc --namespace $NAMESPACE ${marked[*]} $MARK-\`. After either, raise \`attempt\`"
}

# Looks volume $1 up, and fails if this attempt must not write to it.
require_free() {
  local holder
  look_up "$1"
  [[ -z $(text "$MARK") ]] || die 1 "another attempt converted volume $1 in the meantime"
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

# Fails if a volume holds data and no attempt ever began to write to it. It may have come back from a backup that
# keeps no annotations, with all that its VM wrote since the cutover; CDI leaves a new volume blank.
refuse_unknown_data() {
  local index path unknown=()
  for index in "${!claims[@]}"; do
    path=${disks[index]#*=}
    look_up "${claims[index]}"
    [[ -z $(text "$BEGUN")$(text "$CLAIM") && -r $path ]] || continue
    (($(head -c 4096 -- "$path" | tr -d '\0' | wc -c) == 0)) || unknown+=("${claims[index]}")
  done
  [[ ${#unknown[@]} -eq 0 ]] \
    || die "$HOLDS_DATA" "volumes ${unknown[*]} hold data, and no attempt has begun to write to them." \
      "If it is the converted VM, mark all of its volumes with" \
      "\`kubectl annotate pvc --namespace $NAMESPACE ${claims[*]} $MARK=$ATTEMPT\`." \
      "If it may be overwritten, say so with" \
      "\`kubectl annotate pvc --namespace $NAMESPACE ${claims[*]} $BEGUN=$ATTEMPT\`. After either, raise \`attempt\`"
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
        "{\"resourceVersion\":\"$(text resourceVersion)\",\"annotations\":{\"$CLAIM\":\"$ATTEMPT\",\"$BEGUN\":\"$ATTEMPT\"}}" \
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

# Marks volumes as converted by attempt $1; further arguments are the volumes.
mark_converted() {
  local attempt=$1 claim
  shift
  for claim in "$@"; do
    patch_claim "$claim" "{\"annotations\":{\"$MARK\":\"$attempt\",\"$CLAIM\":null}}" \
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

finish_if_converted
for claim in "${claims[@]}"; do
  require_free "$claim"
done
make_uri "$SOURCE_SCHEME" "$SOURCE_LOCATION" "$credentials/accessKeyId" "${SOURCE_INSECURE:-}" "$credentials/cacert"
make_credentials "$credentials/secretKey" "$private"
require_shut_off "$VM_NAME" "$NOT_SHUT_OFF"
link_volumes
await_prepared
refuse_unknown_data
take_volumes
if ! convert; then
  say "virt-v2v failed; the volumes are not marked"
  release_volumes
  exit 1
fi
mark_converted "$ATTEMPT" "${claims[@]}"
say "converted $TARGET_NAME"
