# What a pre-flight test tries from a node, beside the kinds of checks in check.sh.

# The certificate's SHA-1 thumbprint, as vSphere shows it and VDDK compares it.
thumbprint() { # HOST PORT EXPECTED
  local chain found
  if ! command -v openssl >/dev/null; then
    printf 'the image has no openssl\n'
    return 1
  fi
  chain=$(timeout "$limit" openssl s_client -connect "$1:$2" "${@:4}" </dev/null 2>/dev/null) || true
  found=$(openssl x509 -noout -fingerprint -sha1 <<<"$chain" 2>/dev/null) || true
  found=${found##*=}
  if [[ -z $found ]]; then
    printf 'port %s shows no certificate\n' "$2"
  elif [[ $found != "$3" ]]; then
    printf 'the certificate has thumbprint %s, not %s\n' "$found" "$3"
  else
    return 0
  fi
  return 1
}

# The node's clock beside the Date of an HTTP response, which has whole seconds.
clock() { # URL SECONDS
  local headers line there='' here off
  headers=$(curl --silent --show-error --insecure --noproxy '*' --globoff --max-time "$limit" \
    --max-filesize 1000000 --output /dev/null --dump-header - -- "$1" | tr -d '\r') || true
  here=$(date +%s)
  while IFS= read -r line; do
    if [[ ${line,,} == date:* ]]; then
      there=$(date -d "${line#*:}" +%s 2>/dev/null) || there=''
    fi
  done <<<"$headers"
  if [[ -z $there ]]; then
    printf 'no response with a Date\n'
    return 1
  fi
  off=$((here - there))
  if [[ ${off#-} -gt $2 ]]; then
    printf "the node's clock is %s s %s; %s s are allowed\n" "${off#-}" "$([[ $off -gt 0 ]] && echo ahead || echo behind)" "$2"
    return 1
  fi
}

# The library that the VDDK image's own entrypoint copies, in a container beside this one.
vddk() { # DIRECTORY
  local file
  for file in "$1"/vmware-vix-disklib-distrib/lib64/libvixDiskLib.so*; do
    [[ ! -e $file ]] || return 0
  done
  printf 'its image was not pulled, or its entrypoint did not copy the library to /opt\n'
  return 1
}

mounted() { # PATH
  [[ -b $1 || -d $1 ]] || {
    printf 'not mounted at %s\n' "$1"
    return 1
  }
}

# Pods of one test start on different nodes, and only as long as the others run.
settle() {
  printf 'node %s\n' "${NODE_NAME:-unknown}"
  sleep "${SETTLE:-0}"
}
