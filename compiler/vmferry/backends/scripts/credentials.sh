# Scripts with a Secret: its keys are files in a directory.

credentials=${CREDENTIALS_DIR:-/etc/vmferry/credentials}

with() { # SECRET COMMAND [ARGUMENT...]
  local -x CREDENTIALS=$credentials/$1
  "${@:2}"
}
