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
read -ra interfaces <<<"${INTERFACES:-}"
keys=()

# Calls the API server about $1, as in NAMESPACE/RESOURCE/NAME; further arguments are curl's.
api() {
  local path=$1
  shift
  curl --silent --show-error --fail --retry 5 --max-time 30 --cacert "$account/ca.crt" \
    --config <(printf 'header = "Authorization: Bearer %s"\n' "$(<"$account/token")") \
    "$@" "https://kubernetes.default.svc/api/v1/namespaces/$path"
}

# Changes object $1 by the JSON $2. With a resourceVersion in it, that is refused if anything changed it since.
patch() {
  api "$1" --output /dev/null --request PATCH --header 'Content-Type: application/merge-patch+json' --data "$2"
}

# Changes metadata of PersistentVolumeClaim $1 by the JSON $2.
patch_claim() {
  patch "$NAMESPACE/persistentvolumeclaims/$1" "{\"metadata\":$2}"
}

# Sets `answer` to what the API server says of PersistentVolumeClaim $1.
look_up() {
  answer=$(api "$NAMESPACE/persistentvolumeclaims/$1") || die 1 "volume $1 cannot be looked up"
  [[ $answer == *'"PersistentVolumeClaim"'* ]] || die 1 "volume $1: the answer is no PersistentVolumeClaim"
}

# Prints the text of field $1 of `answer`, if it has one.
text() {
  local pattern="\"${1//./\\.}\":[[:space:]]*\"([^\"]*)\""
  [[ ! $answer =~ $pattern ]] || printf '%s' "${BASH_REMATCH[1]}"
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

# --- places: at most $PLACES conversions of a source at once, each with a key of ConfigMap $PLACES_AT -------------
#
# No controller hands them out: the API server lets one of two have a place. A holder says each minute that it lives.
# A place whose holder says nothing for ten minutes, by the clock of who waits, is free.

readonly POLL_AFTER=${POLL_AFTER:-20} RENEW_AFTER=${RENEW_AFTER:-60} DEAD_AFTER=${DEAD_AFTER:-600}

# Waits about $1 seconds, with nothing to be left behind when this shell is killed.
pause() {
  local -i seconds=$1
  read -rt "$((seconds + RANDOM % (seconds / 4 + 1)))" <> <(:) || true
}

# Sets `place` to the number of a place that can be had, this attempt's own one first; fails if there is none.
# $seen and $since are what the waiting remember of each place.
find_place() {
  local -i number
  local holder
  place=
  for ((number = 0; number < PLACES; number++)); do
    holder=$(text "place-$number")
    if [[ ${holder% *} == "$me" ]]; then
      place=$number
      return
    elif [[ $holder != "${seen[number]-}" ]]; then
      seen[number]=$holder since[number]=$SECONDS
    elif [[ -n $holder ]] && ((SECONDS - since[number] >= DEAD_AFTER)); then
      holder=
    fi
    [[ -n $holder ]] || place=${place:-$number}
  done
  [[ -n $place ]]
}

# Waits for a place, and takes it. Without an answer it goes on waiting: places keep the source from being overrun.
take_place() {
  local seen=() since=() place said=
  [[ -n ${PLACES:-} ]] || return 0
  me=$NAMESPACE/$TARGET_NAME/$ATTEMPT
  while :; do
    if ! answer=$(api "$PLACES_AT"); then
      say "the places for conversions cannot be read; trying again"
    elif find_place; then
      if write_place "$place" "\"$me 0\""; then
        my_place=$place
        trap release_place EXIT
        keep_place &
        keeper=$!
        return
      fi
      pause "$((POLL_AFTER / 10))" # others come at the same time, and one at a time gets its place
      continue
    elif [[ -z $said ]]; then
      say "all $PLACES places for conversions are taken; waiting for one"
      said=1
    fi
    waited=1
    pause "$POLL_AFTER"
  done
}

# Writes JSON $2 to place $1, if nothing changed the places since they were read into `answer`.
write_place() {
  patch "$PLACES_AT" "{\"metadata\":{\"resourceVersion\":\"$(text resourceVersion)\"},\"data\":{\"place-$1\":$2}}"
}

# Says from time to time that this conversion lives, until the place is lost.
keep_place() {
  local -i count=0
  while pause "$RENEW_AFTER"; do
    answer=$(api "$PLACES_AT") || continue
    [[ $(text "place-$my_place") == "$me "* ]] || break
    write_place "$my_place" "\"$me $((++count))\"" || true
  done
}

release_place() {
  local -i tries
  kill "$keeper" 2>/dev/null || true
  for ((tries = 0; tries < 5; tries++)); do
    answer=$(api "$PLACES_AT") || continue
    [[ $(text "place-$my_place") == "$me "* ]] || return 0
    ! write_place "$my_place" null || return 0
  done
  say "the place of this conversion stays taken for ten minutes"
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

# Sets `keys` to the options that virt-v2v and guestfish open encrypted disks with.
find_keys() {
  local key
  for key in "$passphrases"/*; do
    [[ ! -f $key ]] || keys+=(--key "all:file:$key")
  done
  [[ ${CLEVIS:-} != 1 ]] || keys+=(--key all:clevis)
}

convert() {
  local options=() address
  if [[ -n ${VDDK_LIBDIR:-} ]]; then
    options+=(-it vddk -io "vddk-libdir=$VDDK_LIBDIR")
    [[ -z ${VDDK_THUMBPRINT:-} ]] || options+=(-io "vddk-thumbprint=$VDDK_THUMBPRINT")
  fi
  for address in "${addresses[@]}"; do
    options+=(--mac "$address")
  done
  virt-v2v -i libvirt -ic "$uri" -ip "$password_file" --root "$ROOT" "${options[@]}" "${keys[@]}" \
    -o kubevirt -os "$out" -on "$TARGET_NAME" -of raw -- "$VM_NAME" 2>&1 | mask
}

# The guest is converted: what goes wrong here is said, and no reason to convert it again.
keep_interfaces() {
  local pair options=()
  for pair in "${disks[@]}"; do
    options+=(--format=raw -a "${pair#*=}")
  done
  restore_interfaces "$ROOT" "$scratch/interfaces" "${#interfaces[@]}" "${interfaces[@]}" "${options[@]}" "${keys[@]}"
}

finish_if_converted
for claim in "${claims[@]}"; do
  require_free "$claim"
done
check_addresses "${addresses[@]}"
make_uri "$SOURCE_SCHEME" "$SOURCE_LOCATION" "$credentials/accessKeyId" "${SOURCE_INSECURE:-}" "$credentials/cacert"
make_credentials "$credentials/secretKey" "$private"
require_shut_off "$VM_NAME" "$NOT_SHUT_OFF"
waited=
take_place
[[ -z $waited ]] || require_shut_off "$VM_NAME" "$NOT_SHUT_OFF"
find_keys
link_volumes
await_prepared
refuse_unknown_data
take_volumes
if ! convert; then
  say "virt-v2v failed; the volumes are not marked"
  release_volumes
  exit 1
fi
if [[ ${#interfaces[@]} -gt 0 ]]; then
  (keep_interfaces) || say 'WARNING: not every NIC may have its name back'
fi
mark_converted "$ATTEMPT" "${claims[@]}"
say "converted $TARGET_NAME"
