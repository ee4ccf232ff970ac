#!/usr/bin/env bash
# Says where Skua's time goes, in nanoseconds per packet, by part of the program, on both sides of a bulk transfer:
#   bench/profile.sh [--cipher NAME] [--mtu UDP_PAYLOAD] [--seconds S] [--out DIR] [--build DIR] [-- OPTION of skua perf...]
# default: aes-256-gcm, 1452, 4 s, build/bench/profile. It samples with `perf record -e cpu-clock` over loopback. A cipher of
# a newer libsodium needs tools/newer-libsodium.sh. Prints a Markdown table; DIR keeps what perf recorded.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/packages.sh
. "$root/tests/packages.sh"

cipher=aes-256-gcm mtu=1452 seconds=4 build=$root/build/bench/profile out='' port=16998
while [ $# -gt 0 ]; do
  case $1 in
  --cipher) cipher=${2:?} && shift ;;
  --mtu) mtu=${2:?} && shift ;;
  --seconds) seconds=${2:?} && shift ;;
  --out) out=${2:?} && shift ;;
  --build) build=${2:?} && shift ;;
  --) shift && break ;;
  --help | -h)
    sed -n '2,/^set /{ /^set /d; s/^# \{0,1\}//; p }' "$0"
    exit 0
    ;;
  *) die "unknown option $1 (see --help)" ;;
  esac
  shift
done
for tool in perf nm python3; do command -v $tool >/dev/null || die "needs $tool (Debian: linux-perf, binutils, python3)"; done
sodium=''
[ "$cipher" != aegis-128l ] || sodium=$root/third_party/libsodium
[ -z "$sodium" ] || build=$build-newer
out=${out:-$build/$cipher-$mtu}
mkdir -p "$out"
if ! cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS=-g -DSKUA_BUILD_TESTS=OFF \
  -DSKUA_BUILD_EXAMPLES=OFF "-DSKUA_SODIUM=$sodium" >"$build/log" 2>&1 ||
  ! ninja -C "$build" skua_tool >>"$build/log" 2>&1; then
  die "building failed: $build/log"
fi

record=(perf record -q -F 4999 -e cpu-clock) server='' pin_recv=() pin_send=()
if [ "$(nproc)" -ge 2 ]; then
  pin_recv=(taskset -c 0) pin_send=(taskset -c 1)
fi
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true' EXIT
"${pin_recv[@]}" "${record[@]}" -o "$out/recv.data" "$build/tools/skua" perf -s --once --quiet --allow-any \
  --listen "127.0.0.1:$port" --mtu "$mtu" "$@" >/dev/null 2>"$out/recv.log" &
server=$!
sleep 0.7
"${pin_send[@]}" "${record[@]}" -o "$out/send.data" "$build/tools/skua" perf 127.0.0.1 -p "$port" -t "$seconds" \
  --cipher "$cipher" --mtu "$mtu" --json -i 0 "$@" >"$out/send.json" 2>"$out/send.log" ||
  die "skua perf failed: $(tail -n 1 "$out/send.log")"
wait "$server"
server=''
nm -l "$build/tools/skua" >"$out/symbols" 2>/dev/null
for side in send recv; do
  perf report -i "$out/$side.data" --no-children -F sample,dso,sym -t '|' --stdio >"$out/$side.txt" 2>/dev/null
done
python3 "$root/bench/profile.py" "$out" "$root"
