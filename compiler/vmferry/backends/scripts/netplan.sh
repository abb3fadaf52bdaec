# Reads netplan's files: as much of YAML as they are written in. A part of guest.sh.

declare -A plan=() # KIND|ID|WHAT: values of all files together, lists a line each

netplan_facts() {
  local path text
  plan=()
  for file in "$tree"/etc/netplan/*.yaml; do
    ours "$file" || continue
    while IFS=$'\t' read -r path text; do
      plan_value "$path" "$text"
    done < <(yaml_values <"$file")
  done
  file=$tree/etc/netplan
  plan_facts
}

# Takes one value in: $1 its path, as network|ethernets|ens192|addresses, $2 the value.
plan_value() {
  local parts key
  IFS='|' read -ra parts <<<"$1"
  [[ ${parts[0]:-} == network && -n ${parts[2]:-} ]] || return 0
  key=${parts[1]}\|${parts[2]}
  plan[$key]=1
  case ${parts[3]:-} in
    addresses)
      [[ -z ${parts[5]:-} ]] || set -- "$1" "${parts[5]}" # an address with options is a key
      [[ -z $2 ]] || plan[$key\|addresses]+="$2"$'\n'
      ;;
    match) [[ -z ${parts[4]:-} || -z $2 ]] || plan[$key\|${parts[4]}]=$2 ;;
    set-name | link) [[ -z $2 ]] || plan[$key\|${parts[3]}]=$2 ;;
    interfaces) [[ -z $2 ]] || plan[$key\|interfaces]+="$2"$'\n' ;;
  esac
}

plan_facts() {
  local key kind id addresses lower
  for key in "${!plan[@]}"; do
    IFS='|' read -r kind id lower <<<"$key"
    [[ -z $lower ]] || continue
    mapfile -t addresses < <(printf '%s' "${plan[$key|addresses]:-}")
    case $kind in
      ethernets) plan_ethernet "$key" "$id" "${addresses[@]}" ;;
      bonds | bridges | vlans | tunnels | vrfs | dummy-devices)
        named virtual "$id" "$kind"
        while IFS= read -r lower; do
          [[ -z $lower ]] || under_facts "$id" "$(plan_name "$lower")"
        done <<<"${plan[$key|interfaces]:-}${plan[$key|link]:-}"
        for lower in "${addresses[@]}"; do address_fact "$id" "$lower"; done
        ;;
    esac
  done
}

# Prints what an ethernet that others name by its id $1 is called.
plan_name() {
  local key=ethernets\|$1
  printf '%s' "${plan[$key|set-name]:-${plan[$key|name]:-$1}}"
}

plan_ethernet() { # KEY ID ADDRESS...
  local key=$1 id=$2 mac=${plan[$1|macaddress]:-} name=${plan[$1|set-name]:-}
  shift 2
  [[ -z ${plan[$key|driver]:-} ]] || fact odd - "$id is bound to driver ${plan[$key|driver]}"
  if [[ -n $mac && -n $name ]]; then
    mac_fact fixed "$name" "$mac"
    bound_facts "$name" "$mac" "$@"
  elif [[ -n $name ]]; then
    bound_facts "$name" '' "$@"
  elif [[ -n $mac || -n ${plan[$key|name]:-} ]]; then
    bound_facts "${plan[$key|name]:-}" "$mac" "$@"
  elif [[ -n ${plan[$key|driver]:-} ]]; then
    bound_facts '' '' "$@"
  else
    bound_facts "$id" '' "$@"
  fi
}

# Prints the YAML on standard input as PATH <tab> VALUE: keys with `|` between them, `[]` for a mapping in a list.
yaml_values() {
  local line content next depths=(-1) kinds=(top) paths=('')
  local -i depth
  while IFS= read -r line || [[ -n $line ]]; do
    line=$(yaml_uncommented "${line%$'\r'}")
    content=${line#"${line%%[! ]*}"}
    [[ -n $content && $content != --- && $content != ... && $content != %* ]] || continue
    depth=$((${#line} - ${#content}))
    # A flow collection may go over several lines.
    while ! yaml_closed "$content" && IFS= read -r next; do content+=" $(yaml_uncommented "$next")"; done
    yaml_line
  done
}

# One entry of a block: `content` at `depth`.
yaml_line() {
  local -i top=${#depths[@]}-1
  local key rest
  while ((depths[top] > depth)) || { ((depths[top] == depth)) && [[ ${kinds[top]} == item || $content != -* ]]; }; do
    unset 'depths[top]' 'kinds[top]' 'paths[top]'
    top+=-1
  done
  if [[ $content == - || $content == '- '* ]]; then
    rest=${content#-}
    content=${rest#"${rest%%[! ]*}"}
    if [[ $content != [\{\[\"\']* && ($content == *': '* || $content == *:) || $content == [\"\']*[\"\']:* ]]; then
      depths+=("$depth") kinds+=(item) paths+=("${paths[top]}|[]")
      depth+=$((${#rest} - ${#content} + 1))
      yaml_line
    else
      yaml_flow "${paths[top]}" "$content"
    fi
    return
  fi
  if [[ $content == [\[\{]* ]]; then # a whole file in the flow style, as JSON is
    yaml_flow "${paths[top]}" "$content"
    return
  fi
  yaml_split "$content" || return 0
  if [[ -z $rest ]]; then
    depths+=("$depth") kinds+=(key) paths+=("${paths[top]:+${paths[top]}|}$key")
    printf '%s\t\n' "${paths[-1]}"
  else
    yaml_flow "${paths[top]:+${paths[top]}|}$key" "$rest"
  fi
}

# Sets `key` and `rest` of an entry KEY: REST.
yaml_split() {
  if [[ $1 =~ ^\"([^\"]*)\"[[:space:]]*:([[:space:]]+(.*))?$ || $1 =~ ^\'([^\']*)\'[[:space:]]*:([[:space:]]+(.*))?$ ]]; then
    key=${BASH_REMATCH[1]} rest=${BASH_REMATCH[3]}
  elif [[ $1 == *': '* ]]; then
    key=${1%%: *} rest=${1#*: }
  elif [[ $1 == *: ]]; then
    key=${1%:} rest=
  else
    return 1
  fi
  key=${key%"${key##*[! ]}"}
  rest=${rest#"${rest%%[! ]*}"}
}

# Prints a value, or each of a flow collection: $1 path, $2 text.
yaml_flow() {
  local text=$2 part parts=() key rest
  text=${text#"${text%%[! ]*}"}
  text=${text%"${text##*[! ]}"}
  case $text in
    '['*']')
      yaml_parts "${text:1:-1}"
      for part in "${parts[@]}"; do
        case $part in
          '{'*) yaml_flow "$1|[]" "$part" ;;
          *) yaml_flow "$1" "$part" ;;
        esac
      done
      ;;
    '{'*'}')
      printf '%s\t\n' "$1"
      yaml_parts "${text:1:-1}"
      for part in "${parts[@]}"; do
        # shellcheck disable=SC2310
        if yaml_split "$part"; then yaml_flow "${1:+$1|}$key" "$rest"; else yaml_flow "${1:+$1|}$part" ''; fi
      done
      ;;
    \"*\" | \'*\') printf '%s\t%s\n' "$1" "${text:1:-1}" ;;
    '~' | null | '|'* | '>'*) printf '%s\t\n' "$1" ;;
    *) printf '%s\t%s\n' "$1" "$text" ;;
  esac
}

# Sets `parts` to the entries of a flow collection's inside.
yaml_parts() {
  local text=$1 char quote= part=
  local -i i level=0
  parts=()
  for ((i = 0; i < ${#text}; i++)); do
    char=${text:i:1}
    if [[ -n $quote ]]; then
      [[ $char != "$quote" ]] || quote=
    else
      case $char in
        \" | \') quote=$char ;;
        '[' | '{') level+=1 ;;
        ']' | '}') level+=-1 ;;
      esac
    fi
    if [[ $char == , && -z $quote && $level -eq 0 ]]; then
      parts+=("$part")
      part=
    elif [[ -n $part || $char != ' ' ]]; then
      part+=$char
    fi
  done
  [[ -z ${part// /} ]] || parts+=("$part")
}

# Whether all brackets outside of quotes are closed.
yaml_closed() {
  local text=$1 char quote=
  local -i i level=0
  [[ $text == *[\[\{]* ]] || return 0
  for ((i = 0; i < ${#text}; i++)); do
    char=${text:i:1}
    if [[ -n $quote ]]; then
      [[ $char != "$quote" ]] || quote=
      continue
    fi
    case $char in
      \" | \') quote=$char ;;
      '[' | '{') level+=1 ;;
      ']' | '}') level+=-1 ;;
    esac
  done
  ((level <= 0))
}

# Prints a line without its comment and trailing blanks.
yaml_uncommented() {
  local text=$1 char quote= before=' '
  local -i i
  if [[ $text == *'#'* ]]; then
    for ((i = 0; i < ${#text}; i++)); do
      char=${text:i:1}
      if [[ -n $quote ]]; then
        [[ $char != "$quote" ]] || quote=
      elif [[ $char == [\"\'] && $before == [' ,:[{-'] ]]; then
        quote=$char
      elif [[ $char == '#' && $before == [[:space:]] ]]; then
        text=${text:0:i}
      fi
      before=$char
    done
  fi
  text=${text//$'\t'/ }
  printf '%s' "${text%"${text##*[! ]}"}"
}
