# A client leaves one network for another in the middle of a copy: its address is taken away, and a
# while later there is another one. In network namespaces of this test's own, which needs root or
# the right to make them; skipped where there is neither.
if [ "${2:-}" != inside ]; then
  command -v ip nsenter unshare >/dev/null || { echo "ip, unshare or nsenter is missing"; exit 77; }
  how=-n
  [ "$(id -u)" -eq 0 ] || how=-rn
  unshare $how true 2>/dev/null || { echo "network namespaces cannot be made"; exit 77; }
  exec unshare $how bash "$0" "$1" inside
fi
. "$(dirname "$0")/lib.sh"

# This namespace is the server's; the client's belongs to a process that only waits.
unshare -n sleep 1000 &
there=$!
own=$(readlink /proc/self/ns/net)
other_ns() { [ "$(readlink "/proc/$there/ns/net")" != "$own" ]; }
until_true 10 other_ns || fail "no second namespace"
at_client() { nsenter -t "$there" -n "$@"; }
net() { "$@" 2>>"$dir/net.err" || fail "$*: $(cat "$dir/net.err")"; }
net ip link set lo up
net ip link add here type veth peer name there
net ip link set there netns "$there"
net ip addr add 10.77.0.1/32 dev lo
net ip addr add 10.77.1.1/24 dev here
net ip addr add 10.77.2.1/24 dev here
net ip link set here up
net at_client ip link set lo up
net at_client ip link set there up

# network N: the client is in network N, and has a route.
network() {
  net at_client ip addr add "10.77.$1.2/24" dev there
  net at_client ip route add default via "10.77.$1.1"
}

# gone N: it is not any more.
gone() {
  net at_client ip addr del "10.77.$1.2/24" dev there
}

sockets() {
  at_client tail -n +2 /proc/net/udp | wc -l
}

serve --allow-any
head -c 16000000 /dev/urandom >big
cp big srv/source
mkdir got
: >"$dir/link.out"
"$skua" link --listen 10.77.0.1:0 --to "127.0.0.1:$port" --rate 40mbit --delay 10ms --mtu 1472 \
  >link.out 2>link.err &
link=$!
until_true 10 has_line link.out '^listening ' || fail "the link does not start: $(cat link.err)"
read -r _ address <link.out
port=${address##*:}
network 1

# changes FOLDER BYTES COMMAND...: copies, and changes the network when that much is there.
changes() {
  local folder=$1 bytes=$2
  shift 2
  at_client "$skua" cp -P "$port" --server-key "$key" "$@" >out 2>err </dev/null &
  client=$!
  until_true 20 has_temp_file "$folder" "$((bytes / 512))" || fail "no copy: $(cat err)"
  [ "$(sockets)" -eq 1 ] || fail "more than one socket: $(at_client cat /proc/net/udp)"
  gone "$from"
  sleep 0.3 # without any network
  network "$to"
  until_true 20 two_sockets || fail "$* makes no second socket: $(at_client cat /proc/net/udp)"
  wait "$client" || fail "the copy ended with $?: $(cat err)"
  client=
}
two_sockets() { [ "$(sockets)" -eq 2 ]; }

from=1 to=2
changes srv 2000000 big 10.77.0.1:put
same big srv/put
from=2 to=1
changes got 2000000 10.77.0.1:source got/get
same big got/get
finish
