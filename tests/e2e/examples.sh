# The programs of examples/, as README.md shows them: $2 is where they were built, $3 a client that
# is hard to please (guest.c).
examples=$2 guest=$3
. "$(dirname "$0")/lib.sh"

# start PROGRAM ARGUMENTS...: a server among the examples; sets port and key. It listens on a port
# of the system's choice, which /proc tells.
start() {
  : >"$dir/server.out"
  "$examples/$1" "${@:2}" >"$dir/server.out" 2>"$dir/serve.err" &
  server=$!
  until_true 10 has_line "$dir/server.out" 'key ' || fail "$1 does not start: $(cat "$dir/serve.err")"
  key=$(sed 's/.* key //' "$dir/server.out")
  port=$(port_of "$server") || fail "$1 has no socket"
}

# port_of PID: of its first UDP socket.
port_of() {
  local link inode hex
  for link in /proc/"$1"/fd/*; do
    inode=$(readlink "$link")
    inode=${inode#socket:[}
    hex=$(awk -v inode="${inode%]}" '$10 == inode { print $2; exit }' /proc/net/udp)
    [ -n "$hex" ] && printf '%d' "0x${hex##*:}" && return
  done
  return 1
}

prints() {
  [ "$(cat "$dir/out")" = "$1" ] || fail "\"$(cat "$dir/out")\" came back instead of \"$1\""
}

start echo_server 127.0.0.1:0
expect 0 run "$examples/echo_client" 127.0.0.1 "$port" "$key" 'hello, world'
prints 'hello, world'
expect 0 run timeout 5 "$examples/echo_poll" 127.0.0.1 "$port" "$key" 'hello, poll'
prints 'hello, poll'
expect 1 run "$examples/echo_client" 127.0.0.1 "$port" "$("$skua" keygen other)" 'hello, world'
says 'key'

# All that was sent comes back, although the client has shut down before, and streams that nobody
# wants an answer on are given back.
expect 0 run timeout 30 "$guest" late "$port" "$key"
expect 0 run timeout 30 "$guest" stop "$port" "$key"
[ "$(grep -c 'closed: success' "$dir/serve.err")" -eq 4 ] || fail "not four connections ended well"
finish
