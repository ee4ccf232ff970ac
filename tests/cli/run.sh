#!/bin/sh
# The command line of skua, as a shell sees it: output, exit codes, key files.
#   run.sh SKUA
set -eu
skua=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failures=0

fail() {
  echo "FAILED: $*" >&2
  failures=$((failures + 1))
}

# expect CODE COMMAND...: the command ends with this code. Its output is in $dir/out and $dir/err.
expect() {
  code=$1
  shift
  got=0
  "$@" >"$dir/out" 2>"$dir/err" </dev/null || got=$?
  [ "$got" -eq "$code" ] || fail "$* ended with $got instead of $code: $(cat "$dir/err")"
}

# says FILE PATTERN: the file has a line with the pattern.
says() {
  grep -q -e "$2" "$dir/$1" || fail "\"$2\" is not in $1: $(cat "$dir/$1")"
}

one_line() {
  [ "$(wc -l <"$dir/err")" -eq 1 ] || fail "not one line: $(cat "$dir/err")"
}

expect 0 "$skua" --version
says out '^skua [0-9]'
expect 0 "$skua" --help
says out '^  keygen '
says out '^  130  interrupted'
expect 2 "$skua"
expect 2 "$skua" nonsense
says err nonsense
one_line
expect 2 "$skua" help nonsense

# Every command that the help lists describes itself, both ways, and names an unknown option.
"$skua" --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | grep -v '^help$' >"$dir/commands"
while read -r command; do
  expect 0 "$skua" "$command" --help
  says out "^usage: skua $command "
  cp "$dir/out" "$dir/long"
  expect 0 "$skua" help "$command"
  cmp -s "$dir/out" "$dir/long" || fail "skua help $command differs from skua $command --help"
  expect 2 "$skua" "$command" --no-such-option
  says err '--no-such-option'
  one_line
done <"$dir/commands"

# Keys.
expect 0 "$skua" keygen "$dir/key"
public=$(cat "$dir/out")
[ "$(stat -c %a "$dir/key")" = 600 ] || fail "mode of a new key: $(stat -c %a "$dir/key")"
[ ${#public} -eq 44 ] || fail "not a public key: $public"
grep -q -e "$public" "$dir/key" && fail "the file shows the public key where the secret belongs"
expect 0 "$skua" keygen --show "$dir/key"
says out "^$public\$"
expect 6 "$skua" keygen "$dir/key"
says err 'exists'
expect 0 "$skua" keygen --show "$dir/key"
says out "^$public\$"
expect 0 "$skua" keygen --force "$dir/key"
[ "$(cat "$dir/out")" != "$public" ] || fail "--force kept the old key"
[ "$(find "$dir" -name 'key*' | wc -l)" -eq 1 ] || fail "--force left a file behind"
expect 2 "$skua" keygen --show --force "$dir/key"
expect 6 "$skua" keygen --show "$dir/missing"
chmod 644 "$dir/key"
expect 6 "$skua" keygen --show "$dir/key"
says err 'chmod'
# Without a file there is no key, so nothing on stdout that a script could take for one.
expect 2 "$skua" keygen
says err 'operand is missing'
[ ! -s "$dir/out" ] || fail "keygen without a file says on stdout what is no key"

# What a script reads must reach it.
for arguments in '--version' '--help' 'cp --help'; do
  code=0
  # shellcheck disable=SC2086
  "$skua" $arguments >/dev/full 2>"$dir/err" || code=$?
  [ $code -eq 6 ] || fail "$arguments with nowhere to write ended with $code"
  one_line
done

# A service that cannot say where it listens ends at once; one that was started without a stdout
# serves, and no file or socket takes the place of its stdout.
export HOME="$dir"
mkdir "$dir/served"
for arguments in "serve --allow-any --listen 127.0.0.1:0 $dir/served" \
  'perf --server --allow-any --listen 127.0.0.1:0' 'link --listen 127.0.0.1:0 --to 127.0.0.1:9'; do
  code=0
  # shellcheck disable=SC2086
  timeout 5 "$skua" $arguments >/dev/full 2>"$dir/err" </dev/null || code=$?
  [ $code -eq 6 ] || fail "$arguments with nowhere to write ended with $code"
  says err 'cannot write to stdout'
done
"$skua" serve --allow-any --listen 127.0.0.1:0 "$dir/served" >&- 2>"$dir/err" </dev/null &
server=$!
catches_term() {
  caught=$(awk '$1 == "SigCgt:" { print $2 }' "/proc/$server/status" 2>/dev/null)
  [ $((0x${caught:-0} & 0x4000)) -ne 0 ]
}
tries=0
until catches_term || [ $tries -eq 500 ]; do
  tries=$((tries + 1))
  sleep 0.02
done
[ "$(readlink "/proc/$server/fd/1")" = /dev/null ] || fail "stdout is $(readlink "/proc/$server/fd/1")"
kill -TERM "$server"
code=0
wait "$server" || code=$?
[ $code -eq 0 ] || fail "a server without stdout ended with $code: $(cat "$dir/err")"
# Others have nobody to tell.
code=0
"$skua" --version >&- 2>"$dir/err" || code=$?
[ $code -eq 6 ] || fail "--version without stdout ended with $code"

# The link: what cannot work, and that it says so.
expect 2 "$skua" link
expect 2 "$skua" link --listen 127.0.0.1 --to 127.0.0.1:9
says err 'port'
expect 2 "$skua" link --loss 101% --listen 127.0.0.1:0 --to 127.0.0.1:9
says err '--loss'
expect 2 "$skua" link --listen 127.0.0.1:0 --to 127.0.0.1
says err '--to 127.0.0.1: the port is missing'
one_line
expect 2 "$skua" link --listen 127.0.0.1:0 --to 127.0.0.1:0
expect 2 "$skua" link --listen 127.0.0.1:0 --to ::1:9
expect 3 "$skua" link --listen 127.0.0.1:0 --to nosuchname.invalid:9
expect 10 "$skua" link --listen 192.0.2.1:0 --to 127.0.0.1:9
one_line

[ $failures -eq 0 ] || exit 1
echo "all good"
