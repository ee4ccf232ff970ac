# The programs of examples/, as README.md shows them: $2 is where they were built, $3 a client that
# is hard to please (guest.c). Where network namespaces can be made it runs in one of its own, with
# an Ethernet's MTU: no example may let IP fragment.
examples=$2 guest=$3
if [ "${4:-}" != inside ] && command -v ip unshare >/dev/null; then
  how=-n
  [ "$(id -u)" -eq 0 ] || how=-rn
  unshare $how ip link set lo mtu 1500 up 2>/dev/null && exec unshare $how bash "$0" "$1" "$2" "$3" inside
fi
. "$(dirname "$0")/lib.sh"
[ "${4:-}" != inside ] || ip link set lo mtu 1500 up || exit 1

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

# Early data, an identity that is the same after a restart, and clients that are known or not.
client=$("$skua" keygen client.key)
"$skua" keygen stranger.key >/dev/null
own=$("$skua" keygen server.key)
for _ in 1 2; do
  start known_server server.key 127.0.0.1:0 "$own" "$client"
  [ "$key" = "$own" ] || fail "the key is $key and not $own"
  expect 0 run timeout 20 "$examples/known_client" client.key "127.0.0.1:$port" "$own" world
  prints 'hello, world
hello, world (early)'
  expect 1 run timeout 20 "$examples/known_client" stranger.key "127.0.0.1:$port" "$own" world
  says refused
  stop_server TERM
done
expect 1 run "$examples/known_server" nosuch 127.0.0.1:0

start echo_server 127.0.0.1:0
expect 0 run "$examples/echo_client" 127.0.0.1 "$port" "$key" 'hello, world'
prints 'hello, world'
expect 0 run timeout 5 "$examples/echo_poll" 127.0.0.1 "$port" "$key" 'hello, poll'
prints 'hello, poll'
long=$(printf '%090000d' 1)
expect 0 run timeout 20 "$examples/echo_poll" 127.0.0.1 "$port" "$key" "$long"
prints "$long"
expect 1 run "$examples/echo_client" 127.0.0.1 "$port" "$("$skua" keygen other)" 'hello, world'
says 'key'

# All that was sent comes back, although the client has shut down before, and streams that nobody
# wants an answer on are given back.
expect 0 run timeout 30 "$guest" late "$port" "$key"
expect 0 run timeout 30 "$guest" stop "$port" "$key"
[ "$(grep -c 'closed: success' "$dir/serve.err")" -eq 5 ] || fail "not five connections ended well"
if [ "${4:-}" = inside ]; then
  fragments=$(awk '$1 == "Ip:" { for (i = 2; i <= NF; i++) if ($i == "FragCreates") at = i; last = $at } END { print last }' \
    /proc/net/snmp)
  [ "$fragments" = 0 ] || fail "$fragments fragments"
fi
finish
