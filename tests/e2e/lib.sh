# What the end-to-end tests share: scratch folder, server, link, expectations.
# Sourced with the path of skua as first argument of the test.
#
# Nothing here sleeps for a guessed time: conditions are waited for, with a deadline.
set -u
skua=$1
dir=$(mktemp -d)
export HOME=$dir/home
unset XDG_CONFIG_HOME
mkdir -p "$HOME" "$dir/srv"
failures=0
server=
link=
port=
key=
cd "$dir" || exit 1

cleanup() {
  for pid in $server $link $(jobs -p); do
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
  done
  chmod -R u+rwx "$dir" 2>/dev/null
  rm -rf "$dir"
}
trap cleanup EXIT

fail() {
  echo "FAILED: $*" >&2
  failures=$((failures + 1))
}

# until_true SECONDS COMMAND...: false where the command does not succeed in time.
until_true() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.02
  done
}

has_line() {
  grep -q -e "$2" "$1"
}

# serve ARGUMENTS...: starts a server of $dir/srv on a free port; sets server, port and key.
# Its log is in $dir/serve.err.
serve() {
  : >"$dir/serve.out"
  "$skua" serve --listen "${listen:-127.0.0.1:0}" "$@" "$dir/srv" >"$dir/serve.out" 2>"$dir/serve.err" &
  server=$!
  if ! until_true 10 has_line "$dir/serve.out" '^listening '; then
    echo "FAILED: the server does not start: $(cat "$dir/serve.err")" >&2
    exit 1
  fi
  read -r _ address key <"$dir/serve.out"
  port=${address##*:}
}

# stop_server SIGNAL
stop_server() {
  kill "-$1" "$server" 2>/dev/null
  wait "$server" 2>/dev/null
  status=$?
  server=
  return $status
}

# through_link OPTIONS...: puts an emulated network before the server; port is the link's then.
through_link() {
  : >"$dir/link.out"
  "$skua" link --listen 127.0.0.1:0 --to "127.0.0.1:$port" "$@" >"$dir/link.out" 2>"$dir/link.err" &
  link=$!
  until_true 10 has_line "$dir/link.out" '^listening ' || fail "the link does not start: $(cat "$dir/link.err")"
  read -r _ address <"$dir/link.out"
  port=${address##*:}
}

# copy ARGUMENTS...: skua cp to the server, whose key is known. Output in $dir/out and $dir/err.
copy() {
  "$skua" cp -P "$port" --server-key "$key" "$@" >"$dir/out" 2>"$dir/err" </dev/null
}

# expect CODE COMMAND...: the command ends with this code.
expect() {
  local want=$1 got=0
  shift
  "$@" || got=$?
  [ "$got" -eq "$want" ] || fail "$* ended with $got instead of $want: $(cat "$dir/err")"
}

# run COMMAND...: any command with its output in $dir/out and $dir/err.
run() {
  "$@" >"$dir/out" 2>"$dir/err" </dev/null
}

# says PATTERN: a line of stderr has the pattern.
says() {
  grep -q -e "$1" "$dir/err" || fail "\"$1\" is not in: $(cat "$dir/err")"
}

# one_line: stderr is one line.
one_line() {
  [ "$(wc -l <"$dir/err")" -eq 1 ] || fail "not one line: $(cat "$dir/err")"
}

same() {
  diff -r --no-dereference "$1" "$2" >"$dir/diff" 2>&1 || fail "$1 and $2 differ: $(head -5 "$dir/diff")"
}

# same_metadata A B: names, kinds, modes, times to the nanosecond, link targets.
same_metadata() {
  (cd "$1" && find . -mindepth 1 -printf '%P %y %m %T@ %l\n' | sort) >"$dir/meta.a"
  (cd "$2" && find . -mindepth 1 -printf '%P %y %m %T@ %l\n' | sort) >"$dir/meta.b"
  cmp -s "$dir/meta.a" "$dir/meta.b" || fail "$1 and $2 differ: $(diff "$dir/meta.a" "$dir/meta.b" | head -5)"
}

no_temp_files() {
  [ -z "$(find "$1" -name '.skua-tmp-*')" ]
}

has_temp_file() {
  [ -n "$(find "$1" -name '.skua-tmp-*' -size +"${2:-0}")" ]
}

finish() {
  [ "$failures" -eq 0 ] || { echo "server's log:" >&2; cat "$dir/serve.err" >&2; }
  exit "$((failures > 0))"
}
