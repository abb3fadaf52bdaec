# What a script prints, as a digest: another one exactly if it prints something else.

readonly MOST=$((10 << 20)) # bytes that a script prints at most

# Prints the first half of the SHA-256 of what a command prints, and how that begins; says why it cannot as an error.
measure() { # WORK-FILE COMMAND [ARGUMENT...]
  local out=$1 status=0 size digest
  shift
  "$@" </dev/null | head -c "$((MOST + 1))" >"$out" || status=$?
  size=$(wc -c <"$out")
  if [[ $size -gt $MOST ]]; then
    printf 'it prints more than %s bytes: let it print a checksum\n' "$MOST" >&2
  elif [[ $status -eq 124 ]]; then
    printf 'the script took too long\n' >&2
  elif [[ $status -ne 0 ]]; then
    : # its own last line says why
  elif [[ $size -eq 0 ]]; then
    printf 'it prints nothing, which proves nothing\n' >&2
  else
    digest=$(sha256sum <"$out")
    printf '%s %s' "${digest:0:32}" "$(head -c 300 "$out" | tr -c '[:print:]' ' ' | tr -s ' ')"
    rm -f -- "$out"
    return 0
  fi
  rm -f -- "$out"
  return 1
}
