# skua perf: every mode once, small; numbers that must agree, and none that depends on speed.
. "$(dirname "$0")/lib.sh"

# perf_server ARGUMENTS...: starts one on a free port; sets server, port and key.
perf_server() {
  : >"$dir/serve.out"
  "$skua" perf -s --listen 127.0.0.1:0 "$@" >"$dir/serve.out" 2>"$dir/serve.err" &
  server=$!
  if ! until_true 10 has_line "$dir/serve.out" 'listening'; then
    echo "FAILED: the server does not start: $(cat "$dir/serve.err")" >&2
    exit 1
  fi
  read -r _ address key <"$dir/serve.out"
  port=${address##*:}
}

# perf ARGUMENTS...: a test with that server. Output in $dir/out and $dir/err.
perf() {
  "$skua" perf 127.0.0.1 -p "$port" --server-key "$key" "$@" >"$dir/out" 2>"$dir/err" </dev/null
}

# prints PATTERN: a line of stdout has the pattern.
prints() {
  grep -q -e "$1" "$dir/out" || fail "\"$1\" is not in: $(cat "$dir/out")"
}

# json EXPRESSION...: $dir/out is one JSON object `r` for which each expression holds.
json() {
  python3 - "$dir/out" "$@" <<'PYTHON' || fail "JSON: $(cat "$dir/out")"
import json, sys
def exact(pairs):
    assert len(dict(pairs)) == len(pairs), "a name twice"
    return dict(pairs)
with open(sys.argv[1]) as f:
    lines = f.read().splitlines()
assert len(lines) == 1, "not one line"
r = json.loads(lines[0], object_pairs_hook=exact)
for expression in sys.argv[2:]:
    if not eval(expression):
        sys.exit(f"not true: {expression}")
PYTHON
}

command -v python3 >/dev/null || exit 77
perf_server

# Bulk: a size, in all directions; what is received is what was asked for, to the byte.
expect 0 perf -n 20M --json
json 'r["mode"] == "bulk"' 'r["error"] is None' 'r["bytes"] == 20 << 20' \
  'r["up"]["bytes"] == 20 << 20' 'r["down"] is None' 'r["goodput_bps"] > 0' \
  'r["server"]["received_bytes"] == 20 << 20' \
  'r["server"]["conn"]["stream_bytes_received"] >= 20 << 20' \
  'r["client"]["conn"]["stream_bytes_sent"] >= 20 << 20' \
  'r["client"]["conn"]["packets_sent"] >= r["client"]["conn"]["packets_acked"] > 0' \
  'r["client"]["driver"]["send_datagrams"] > 0' \
  'r["cpu_seconds_per_gb"]["client"] > 0' 'r["cpu_seconds_per_gb"]["server"] > 0' \
  'r["client"]["conn"]["cipher"] == r["server"]["conn"]["cipher"] != "none"' \
  'r["intervals"] and sum(i["up_bytes"] for i in r["intervals"]) <= 20 << 20'
expect 0 perf -n 10000001 -R -P 3 --mtu 1452 --json
json 'r["bytes"] == 10000001' 'r["down"]["streams"] == 3' 'r["up"] is None' \
  'r["client"]["received_bytes"] == 10000001' 'r["server"]["conn"]["mtu"] <= 1452' \
  'r["server"]["driver"]["send_bytes"] <= 1452 * r["server"]["driver"]["send_datagrams"]'
expect 0 perf -n 5M --bidir -P 2 --copy --msg 10000 --cipher chacha20-poly1305 --json
json 'r["up"]["bytes"] == r["down"]["bytes"] == 5 << 20' 'r["bytes"] == 10 << 20' \
  'r["client"]["conn"]["cipher"] == "chacha20-poly1305"'
expect 0 perf -n 1 -P 128 --no-offload --json
json 'r["bytes"] == 1' 'r["client"]["driver"]["gso"] is False' \
  'r["client"]["driver"]["gro"] is False'

# A time, with lines; then an interruption, which still tells what was measured.
expect 0 perf -t 0.2 -i 0.05 --bidir
prints '^ *0.00-0[.].* up '
prints '^ *0.00-0[.].* down '
prints '^up .* goodput$'
prints '^down .* goodput$'
prints '^server .* per GB$'
: >"$dir/out"
"$skua" perf 127.0.0.1 -p "$port" -t 60 -R -i 0.01 >"$dir/out" 2>"$dir/err" &
client=$!
until_true 10 has_line "$dir/out" ' down ' || fail "no line of an interval: $(cat "$dir/out")"
kill -INT "$client"
wait "$client"
[ $? -eq 130 ] || fail "an interrupted test did not end with 130"
prints '^server .* per GB$'

# Exchanges.
expect 0 perf --rr -n 200 --json
json 'r["exchanges"] == 200' 'r["latency_ns"]["count"] == 200' 'r["exchange_bytes"] == 64' \
  'r["latency_ns"]["min"] <= r["latency_ns"]["p50"] <= r["latency_ns"]["p99.9"] <= r["latency_ns"]["max"]' \
  'r["client"]["received_bytes"] == r["server"]["received_bytes"] == 200 * 64'
expect 0 perf --rr -n 10 -P 4 --msg 3M --json
json 'r["exchanges"] == 10' 'r["client"]["received_bytes"] == 10 * 3 << 20'
expect 0 perf --rr -n 1 -P 5
prints '^rr      1 in '
expect 0 perf --rr -t 0.1 -P 2
prints '^latency p50 '

# Exchanges by datagrams. On loopback none is lost, unless the machine stands still.
expect 0 perf --dgram -n 200 --json
json 'r["mode"] == "dgram"' 'r["exchanges"] + r["failures"] == 200' 'r["exchange_bytes"] == 64' \
  'r["latency_ns"]["count"] == r["exchanges"] > 0' \
  'r["client"]["received_bytes"] >= r["exchanges"] * 64' \
  'r["client"]["conn"]["datagrams_sent"] == 200' \
  'r["server"]["conn"]["datagrams_received"] >= r["exchanges"]' \
  'r["client"]["conn"]["stream_bytes_sent"] < 1000'
expect 0 perf --dgram -t 0.1 -P 16 --msg 1000
prints '^dgram '
prints '^latency p50 '
expect 2 perf --dgram --msg 60000 --mtu 1452
says 'a datagram to .* holds at most'
one_line
expect 2 perf --dgram --msg 8
one_line
expect 2 perf --dgram --rr

# Connections.
expect 0 perf --connect -n 50 -P 4 --json
json 'r["connections"] == 50' 'r["failures"] == 0' 'r["server"]["served"] == 50' \
  'r["established_ns"]["count"] == r["closed_ns"]["count"] == 50'
expect 0 perf -n 5M --cc newreno --json
json 'r["client"]["conn"]["cc"] == "newreno"' 'r["server"]["conn"]["cc"] == "cubic"' \
  'r["client"]["conn"]["ecn_state"] == "capable"'
expect 0 perf --connect -t 0.1
prints '^opened  p50 '

# What cannot work, and that it says so.
expect 2 run "$skua" perf
expect 2 run "$skua" perf -s --listen 127.0.0.1:0 -R
one_line
expect 2 run "$skua" perf -s
says 'who may connect'
one_line
expect 2 perf --rr --connect
expect 2 perf -t 1 -n 1
expect 2 perf -P 129
expect 2 perf --cipher rot13
says 'aes-256-gcm'
one_line
expect 2 perf --cc vegas
says 'newreno and cubic'
one_line
expect 10 run "$skua" perf -s --listen "127.0.0.1:$port"
expect 3 run "$skua" perf nosuchname.invalid -t 1
one_line
# Without a key to expect the client tells which one it met.
expect 0 run "$skua" perf 127.0.0.1 -p "$port" -n 1
says "$key"
one_line

stop_server INT
[ $? -eq 130 ] || fail "an interrupted server did not end with 130"

# Only listed keys, and one test.
"$skua" keygen mine >allowed
perf_server --allow allowed --once
expect 4 perf -n 1 --json
says 'key not allowed'
one_line
json '"key not allowed" in r["error"]' 'r["server"] is None'
expect 0 perf -n 1000 --key mine
wait "$server" || fail "--once ended with $?: $(cat "$dir/serve.err")"
server=
has_line "$dir/serve.out" 'bulk: received 1.00 kB' || fail "no line about the test"
finish
