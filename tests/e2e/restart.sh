# The server is killed (SIGKILL) under a running client and started again with the same key: the
# client is told by a stateless RESET, in answer to its next packet, that its connection is gone.
# Through a link, which carries no ICMP: nothing else could tell it before its timeouts.
. "$(dirname "$0")/lib.sh"
"$skua" keygen server >server.pub || fail "no key: $(cat "$dir/err")"

# again: kills the server and starts one on the same port and with the same key.
again() {
  local listen=$address_of_server
  stop_server KILL
  "$@"
}

# ends CODE PATTERN: how the client in the background ended, and what it said.
ends() {
  wait "$client" 2>/dev/null
  local got=$?
  client=
  [ "$got" -eq "$1" ] || fail "the client ended with $got instead of $1: $(cat "$dir/err")"
  says "$2"
}

# A file is being copied, in either direction.
serve --allow-any
address_of_server=$address first_key=$key
head -c 40000000 /dev/urandom >big
cp big srv/source
through_link --rate 50mbit --delay 5ms
"$skua" cp -P "$port" --server-key "$key" big 127.0.0.1:put >out 2>err </dev/null &
client=$!
until_true 20 has_temp_file srv 500 || fail "put does not start: $(cat err)"
link_port=$port
again serve --allow-any
[ "$key" = "$first_key" ] || fail "the server has another key"
port=$link_port
ends 9 'connection reset by peer'
mkdir got
"$skua" cp -P "$port" --server-key "$key" 127.0.0.1:source got/get >out 2>err </dev/null &
client=$!
until_true 20 has_temp_file got 500 || fail "get does not start: $(cat err)"
again serve --allow-any
port=$link_port
ends 9 'connection reset by peer'
no_temp_files got || fail "temporary files at the client"
[ ! -e srv/put ] && [ ! -e got/get ] || fail "a file that is not whole"
# The new server serves.
expect 0 copy 127.0.0.1:source got/get
same big got/get
kill "$link"
wait "$link" 2>/dev/null
link=
stop_server TERM

# An exchange of small messages: one of either side is under way when it happens.
perf_server() {
  : >"$dir/serve.out"
  "$skua" perf -s --listen "${listen:-127.0.0.1:0}" --allow-any --key server >"$dir/serve.out" 2>"$dir/serve.err" &
  server=$!
  until_true 10 has_line "$dir/serve.out" 'listening' || fail "perf -s does not start: $(cat "$dir/serve.err")"
  read -r _ address key <"$dir/serve.out"
  port=${address##*:}
}
perf_server
address_of_server=$address
through_link --delay 50ms
"$skua" perf 127.0.0.1 -p "$port" --server-key "$key" --rr -t 100 -i 0.05 >out 2>err </dev/null &
client=$!
until_true 20 has_line out ' [1-9][0-9]* exchanges' || fail "no exchanges: $(cat err)"
again perf_server
ends 9 'connection reset by peer'
finish
