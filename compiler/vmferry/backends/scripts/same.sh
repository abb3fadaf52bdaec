# Checks whose script has to print the same as before the move, at the source.
#
# What it prints is compared by `vmferry observe`. A pod does not know what was printed at the source, so it passes once
# the script has printed something, and its message begins with a line for each: `=NUMBER DIGEST BEGINNING`. Failures
# follow as far as there is room. VMF574 keeps the digests within the room.

same_limit=${SAME_LIMIT:-1800} # seconds that a script takes at most
final=$message
message=$work/failures
trap conclude EXIT

same() { # NUMBER FILE VM ADDRESS
  measure "$work/$1.out" timeout "$same_limit" "$scripts/$2" "$3" "$4" >"$work/$1.value"
}

conclude() {
  local index line each left more=0 values=() failures=()
  for index in "${!vms[@]}"; do
    [[ ! -e $work/$index.passed || ! -s $work/$index.value ]] || values+=("$index")
  done
  left=$((ROOM - 40 * ${#values[@]}))
  while IFS= read -r line; do
    if [[ $line == +* ]]; then
      more=$((more + ${line#+}))
    elif [[ $((${#line} + 1)) -gt $left ]]; then
      more=$((more + 1))
    else
      left=$((left - ${#line} - 1))
      failures+=("$line")
    fi
  done < <(cat "$message" 2>/dev/null)
  each=$((${#values[@]} > 0 && left > 0 ? left / ${#values[@]} : 0))
  {
    for index in "${values[@]}"; do
      line=$(<"$work/$index.value")
      printf '=%s %s\n' "$index" "${line:0:$((32 + (each > 100 ? 100 : each)))}"
    done
    [[ ${#failures[@]} -eq 0 ]] || printf '%s\n' "${failures[@]}"
    [[ $more -eq 0 ]] || printf '+%s\n' "$more"
  } >"$final" || true
  rm -rf -- "$work"
}
