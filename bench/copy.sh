#!/usr/bin/env bash
# Measures skua cp of one large file beside what it cannot be faster than, in one run over loopback:
#   memory   the same bytes from memory to memory (skua perf), same datagrams and cipher
#   mac      the tags of the file's chunks, on one processor (bench/mac.c)
#   cache    a copy of the file by cp, from page cache to page cache
#   up, down skua cp to and from skua serve; each result is compared with the file
#
#   bench/copy.sh [--size MIB] [--rounds N] [--newer] [--build DIR] [--dir DIR] [--json]
#     --size MIB    of the file (default 2048)
#     --rounds N    how often each is measured (default 5); each round starts with the next
#     --newer       with the libsodium of tools/newer-libsodium.sh (AEGIS-128L)
#     --dir DIR     where the files lie (default: a temporary folder)
#
# A copy's figure in a round is divided by the slowest of the three in that round; the median counts.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=${here%/*}
. "$root/tests/packages.sh"

size=2048 rounds=5 build=$root/build/bench dir='' json='' kind=system
while [ $# -gt 0 ]; do
  case $1 in
  --size) size=${2:?} && shift ;;
  --rounds) rounds=${2:?} && shift ;;
  --newer) kind=newer ;;
  --build) build=${2:?} && shift ;;
  --dir) dir=${2:?} && shift ;;
  --json) json=yes ;;
  --help | -h)
    sed -n '2,/^set /{ /^set /d; s/^# \{0,1\}//; p }' "$0"
    exit 0
    ;;
  *) die "unknown option $1 (see --help)" ;;
  esac
  shift
done
[[ $size =~ ^[1-9][0-9]*$ && $rounds =~ ^[1-9][0-9]*$ ]] || die "--size and --rounds are whole numbers"

need build
options=()
if [ $kind = newer ]; then
  [ -e "$root/third_party/libsodium/skua-stamp" ] || die "no newer libsodium: tools/newer-libsodium.sh gets one"
  options=("-DSKUA_SODIUM=$root/third_party/libsodium")
fi
mkdir -p "$build"
if ! cmake -S "$root" -B "$build/$kind" -G Ninja -DCMAKE_BUILD_TYPE=Release -DSKUA_BUILD_TESTS=OFF \
  -DSKUA_BUILD_EXAMPLES=OFF "${options[@]}" >"$build/$kind.log" 2>&1 ||
  ! ninja -C "$build/$kind" skua_tool bench_mac >>"$build/$kind.log" 2>&1; then
  tail -n 20 "$build/$kind.log" >&2
  die "building in $build/$kind failed"
fi
skua=$build/$kind/tools/skua

work=$(mktemp -d ${dir:+-p "$dir"})
running=()
finish() {
  local pid
  for pid in "${running[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
  wait
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

mkdir "$work/share" "$work/in" "$work/home"
export HOME=$work/home
bytes=$((size << 20))
"$skua" keygen "$work/server.key" >"$work/server.pub"
"$skua" keygen "$work/client.key" >"$work/client.pub"
head -c "$bytes" /dev/urandom >"$work/file"
ln "$work/file" "$work/share/file"
key=$(grep -oE '[A-Za-z0-9+/]{43}=' "$work/server.pub" | head -n 1)

port=$((20000 + RANDOM % 20000))
"$skua" serve "$work/share" --key "$work/server.key" --allow "$work/client.pub" --listen "127.0.0.1:$port" \
  >"$work/serve.log" 2>&1 &
running+=($!)
"$skua" perf -s --quiet --allow-any --listen "127.0.0.1:$((port + 1))" >"$work/perf.log" 2>&1 &
running+=($!)
for _ in $(seq 150); do
  grep -qs "$(printf ':%04X ' "$port")" /proc/net/udp && grep -qs "$(printf ':%04X ' $((port + 1)))" /proc/net/udp && break
  sleep 0.02
done

# took COMMAND...: bytes per second of the file by the whole time of the command.
took() {
  local begun=$EPOCHREALTIME
  "$@" >"$work/out" 2>&1 || { cat "$work/out" "$work/serve.log" >&2 && die "failed: $*"; }
  awk -v a="$begun" -v b="$EPOCHREALTIME" -v n="$bytes" 'BEGIN { printf "%.0f", n / (b - a) }'
}

copy=("$skua" cp --quiet --key "$work/client.key" --server-key "$key" -P "$port")
measure() {
  case $1 in
  memory) took "$skua" perf 127.0.0.1 -p $((port + 1)) -n "$bytes" --json -i 0 ;;
  mac) "$build/$kind/bench/mac" "$bytes" | sed 's/.*_per_s": \([0-9]*\).*/\1/' ;;
  cache) took cp "$work/file" "$work/in/cache" ;;
  up) took "${copy[@]}" "$work/file" 127.0.0.1:up && cmp "$work/file" "$work/share/up" >&2 ;;
  down) took "${copy[@]}" 127.0.0.1:file "$work/in/down" && cmp "$work/file" "$work/in/down" >&2 ;;
  esac
  rm -f "$work/in/"* "$work/share/up"
}

programs=(memory mac cache up down)
for ((round = 1; round <= rounds; round++)); do
  for ((i = 0; i < ${#programs[@]}; i++)); do
    name=${programs[$(((i + round) % ${#programs[@]}))]}
    rate=$(measure "$name")
    printf '%s\t%s\t%s\n' "$round" "$name" "$rate" | tee -a "$work/results" |
      awk '{ printf "round %d: %-7s %6.2f Gbit/s\n", $1, $2, $3 * 8 / 1e9 }' >&2
  done
done

python3 - "$work/results" "$size" "$(cut -d' ' -f1 /proc/loadavg)" $json <<'PYTHON'
import json
import statistics
import sys

rates = {}
for line in open(sys.argv[1]):
    turn, name, rate = line.split()
    rates.setdefault(name, {})[turn] = float(rate)
floors = ("memory", "mac", "cache")
result = {"mib": int(sys.argv[2]), "load": float(sys.argv[3]), "gbps": {}, "of_slowest": {}}
for name, by_round in rates.items():
    result["gbps"][name] = round(statistics.median(by_round.values()) * 8 / 1e9, 2)
for name in ("up", "down"):
    ratios = [rate / min(rates[f][turn] for f in floors) for turn, rate in rates[name].items()]
    result["of_slowest"][name] = round(statistics.median(ratios), 2)
if len(sys.argv) > 4:
    print(json.dumps(result))
else:
    for name, rate in result["gbps"].items():
        print(f"{name:8} {rate:6.2f} Gbit/s")
    for name, ratio in result["of_slowest"].items():
        print(f"skua cp {name}: {ratio:.2f} of the slowest part")
PYTHON
