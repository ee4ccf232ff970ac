#!/usr/bin/env bash
# Measures Skua beside the floor (UDP and an AEAD without a protocol) and beside other transports, in one run:
#   bench/run.sh [OPTION...]
#     --quick           2 seconds and 3 rounds
#     --seconds S       how long each measurement sends (default 3)
#     --rounds N        how often each is made (default 5)
#     --only LIST       settings and programs, with commas; a program's first letters do ("skua,floor,loopback")
#     --out DIR         where results go (default: build/bench/out)
#     --docs            also put tables and plots into docs/performance.md and docs/performance/
#     --json            print the medians as JSON on stdout
#     --build DIR       where to build (default: build/bench)
#     --no-pin          let the scheduler place both sides (default: sender and receiver on a processor each)
#     --install-peers   first install the peers' Debian packages (needs root)
#     --list            print settings and programs
#
# A round measures every program of a setting once; each round starts with the next program. Ratios are taken inside a
# round, and the median of them counts. Loopback needs no root; the settings over veth make two network namespaces,
# which needs root, and remove them at the end. Nothing leaves the machine. bench/README.md explains the figures.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=${here%/*}
# shellcheck source=tests/packages.sh
. "$root/tests/packages.sh"
PATH=$PATH:/usr/sbin:/sbin # gtlsserver, ethtool, ip

seconds=3 rounds=5 only='' out='' build=$root/build/bench docs='' json='' pin=yes port=17000
settings=(loopback large batch veth veth-bare ping)
programs=(floor-none floor-aes skua-aes floor-chacha skua-chacha floor-aes-new skua-aes-new floor-aegis skua-aegis
  tcp-cubic tcp-bbr tls ngtcp2 srt udt enet sctp)
packages=(iperf3 ethtool openssl libssl-dev ngtcp2-client ngtcp2-server libsrt-openssl-dev libudt-dev libenet-dev
  libusrsctp-dev g++ python3)

# in_setting SETTING: which programs are measured there.
in_setting() {
  case $1 in
  loopback) echo "${programs[@]}" ;;
  large) echo floor-none floor-aes skua-aes floor-aegis skua-aegis ;;
  batch) echo floor-none floor-aes skua-aes floor-aegis skua-aegis ;;
  veth | veth-bare) echo floor-aes skua-aes floor-aegis skua-aegis tcp-cubic tcp-bbr tls ngtcp2 srt udt enet sctp ;;
  ping) echo floor-ping skua-ping skua-dgram ;;
  esac
}

say() { printf '%s\n' "$*" >&2; }

while [ $# -gt 0 ]; do
  case $1 in
  --quick) seconds=2 rounds=3 ;;
  --seconds) seconds=${2:?} && shift ;;
  --rounds) rounds=${2:?} && shift ;;
  --only) only=${2:?} && shift ;;
  --out) out=${2:?} && shift ;;
  --build) build=${2:?} && shift ;;
  --docs) docs=yes ;;
  --json) json=yes ;;
  --no-pin) pin='' ;;
  --install-peers)
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends "${packages[@]}" >/dev/null ||
      die "apt-get could not install: ${packages[*]}"
    ;;
  --list)
    for setting in "${settings[@]}"; do echo "$setting: $(in_setting "$setting")"; done
    exit 0
    ;;
  --help | -h)
    sed -n '2,/^set /{ /^set /d; s/^# \{0,1\}//; p }' "$0"
    exit 0
    ;;
  *) die "unknown option $1 (see --help)" ;;
  esac
  shift
done
[[ $seconds =~ ^[1-9][0-9]*$ && $rounds =~ ^[1-9][0-9]*$ ]] || die "--seconds and --rounds are whole numbers"
out=${out:-$build/out}
pin_send=-1 pin_recv=-1
if [ -n "$pin" ] && [ "$(nproc)" -ge 2 ]; then
  pin_recv=0 pin_send=1
fi

# --- what there is ---

# wanted KIND NAME: whether --only leaves it in. A list that names nothing of a kind leaves all of that kind in.
wanted() {
  local item found='' named=''
  [ -n "$only" ] || return 0
  for item in ${only//,/ }; do
    if [ "$1" = setting ]; then
      [[ " ${settings[*]} " == *" $item "* ]] || continue
      named=yes
      [ "$item" = "$2" ] && found=yes
    else
      [[ " ${settings[*]} " == *" $item "* ]] && continue
      named=yes
      [[ $2 == "$item"* ]] && found=yes
    fi
  done
  [ -z "$named" ] || [ -n "$found" ]
}

system=$build/system newer=$build/newer
build_one() {
  if ! cmake -S "$root" -B "$1" -G Ninja -DCMAKE_BUILD_TYPE=Release -DSKUA_BUILD_TESTS=OFF -DSKUA_BUILD_EXAMPLES=OFF \
    "${@:2}" >"$1.log" 2>&1 || ! ninja -C "$1" skua_tool bench/all >>"$1.log" 2>&1; then
    tail -n 20 "$1.log" >&2
    die "building in $1 failed"
  fi
}
need build
mkdir -p "$build" "$out"
load=$(cut -d' ' -f1-3 /proc/loadavg)
[ "${load%%.*}" -eq 0 ] || say "this machine is busy (load $load): ratios will scatter"
say "building in $build"
build_one "$system"
if [ -e "$root/third_party/libsodium/skua-stamp" ]; then
  build_one "$newer" "-DSKUA_SODIUM=$root/third_party/libsodium"
else
  say "no AEGIS-128L: tools/newer-libsodium.sh gets a libsodium that has it"
fi

# missing NAME: prints why it cannot be measured here; nothing where it can.
missing() {
  case $1 in
  *-aegis | *-aes-new) [ -x "$newer/tools/skua" ] || echo "no newer libsodium" ;;
  floor-* | skua-*) ;;
  tcp-*)
    command -v iperf3 >/dev/null || { echo "no iperf3" && return; }
    local list=available
    [ "$(id -u)" -eq 0 ] || list=allowed
    grep -qw "${1#tcp-}" "/proc/sys/net/ipv4/tcp_${list}_congestion_control" ||
      echo "${1#tcp-} is not in tcp_${list}_congestion_control"
    ;;
  ngtcp2)
    for tool in gtlsserver gtlsclient openssl; do
      command -v $tool >/dev/null || { echo "no $tool" && return; }
    done
    ;;
  *) [ -x "$system/bench/$1" ] || echo "its library's -dev package is not installed" ;;
  esac
}

# why_not SETTING: prints why it cannot be measured here; nothing where it can.
why_not() {
  [[ $1 == veth* ]] || return 0
  [ "$(id -u)" -eq 0 ] || { echo "network namespaces need root" && return; }
  command -v ip >/dev/null || { echo "no ip (iproute2)" && return; }
  [ "$1" = veth ] || command -v ethtool >/dev/null || echo "no ethtool to turn offloads off"
}

# --- processes and namespaces ---

work=$(mktemp -d)
ns_a=skua-bench-$$-a ns_b=skua-bench-$$-b has_ns='' running=()
finish() {
  local pid
  for pid in "${running[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
  wait
  if [ -n "$has_ns" ]; then
    ip netns delete "$ns_a" 2>/dev/null || true
    ip netns delete "$ns_b" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

make_namespaces() {
  has_ns=yes
  ip netns add "$ns_a" && ip netns add "$ns_b"
  ip -n "$ns_a" link add bench0 mtu 1500 type veth peer name bench0 mtu 1500 netns "$ns_b"
  ip -n "$ns_a" addr add 198.18.0.1/30 dev bench0
  ip -n "$ns_b" addr add 198.18.0.2/30 dev bench0
  local ns
  for ns in "$ns_a" "$ns_b"; do
    ip -n "$ns" link set lo up
    ip -n "$ns" link set bench0 up
    if [ "$1" = veth-bare ]; then
      ip netns exec "$ns" ethtool -K bench0 tso off gso off gro off tx-udp-segmentation off >/dev/null
    fi
  done
}

remove_namespaces() {
  ip netns delete "$ns_a" && ip netns delete "$ns_b"
  has_ns=''
}

# The network that a setting's receiver and sender are in.
enter_recv=() enter_send=() address=127.0.0.1
enter() {
  enter_recv=() enter_send=() address=127.0.0.1
  if [[ $1 == veth* ]]; then
    make_namespaces "$1"
    enter_recv=(ip netns exec "$ns_b") enter_send=(ip netns exec "$ns_a") address=198.18.0.2
  fi
}

leave() { [[ $1 != veth* ]] || remove_namespaces; }

# Waits until the receiver has its port, at most 3 seconds.
await_port() {
  local hex tries
  hex=$(printf ':%04X ' "$port")
  for ((tries = 0; tries < 150; tries++)); do
    "${enter_recv[@]}" grep -qs "$hex" /proc/net/{udp,tcp,udp6,tcp6} && return
    sleep 0.02
  done
  return 1
}

# --- one measurement ---

# number FILE KEY: the first number of that name in a JSON file; nothing where there is none.
number() { grep -o "\"$2\":[[:space:]]*[0-9.e+]*" "$1" | sed -n '1s/.*:[[:space:]]*//p'; }

# Sets recv=() and send=(): the two commands of a program in a setting.
commands() {
  local setting=$1 name=$2 size=1452 bin=$system offload=() cipher
  local at=("$address" "$port")
  case $setting in
  large) size=65507 ;;
  batch) offload=(--no-offload) ;;
  veth-bare) [[ $name != floor-* ]] || offload=(--no-offload) ;;
  esac
  case $name in
  *-aegis) bin=$newer cipher=aegis-128l ;;
  *-aes-new) bin=$newer cipher=aes-256-gcm ;;
  *-aes) cipher=aes-256-gcm ;;
  *-chacha) cipher=chacha20-poly1305 ;;
  *) cipher=none ;;
  esac
  case $name in
  floor-ping)
    recv=("$bin/bench/floor" echo "${at[@]}")
    send=("$bin/bench/floor" ping "${at[@]}" --seconds "$seconds")
    ;;
  skua-ping | skua-dgram)
    mode=--rr
    [ "$name" = skua-ping ] || mode=--dgram
    recv=("$bin/tools/skua" perf -s --once --quiet --allow-any --listen "$address:$port")
    send=("$bin/tools/skua" perf "$address" -p "$port" -t "$seconds" "$mode" --json -i 0)
    ;;
  floor-*)
    recv=("$bin/bench/floor" recv "${at[@]}" --cipher "$cipher" --size "$size" "${offload[@]}")
    send=("$bin/bench/floor" send "${at[@]}" --cipher "$cipher" --size "$size" "${offload[@]}" --seconds "$seconds")
    ;;
  skua-*)
    recv=("$bin/tools/skua" perf -s --once --quiet --allow-any --listen "$address:$port" --mtu "$size" "${offload[@]}")
    send=("$bin/tools/skua" perf "$address" -p "$port" -t "$seconds" --cipher "$cipher" --mtu "$size" "${offload[@]}"
      --json -i 0)
    ;;
  tcp-*)
    recv=(iperf3 -s -1 -B "$address" -p "$port")
    send=(iperf3 -c "$address" -p "$port" -t "$seconds" -C "${name#tcp-}" -J)
    ;;
  ngtcp2) # its client only receives: the file that it asks for comes from the other side
    recv=(gtlsserver -q -d "$work/www" "$address" "$port" "$work/key.pem" "$work/cert.pem")
    send=(gtlsclient -q --exit-on-all-streams-close "$address" "$port" "https://$address:$port/bulk")
    ;;
  *)
    recv=("$bin/bench/$name" recv "${at[@]}" --size "$size")
    send=("$bin/bench/$name" send "${at[@]}" --size "$size" --seconds "$seconds")
    ;;
  esac
}

# Reads what the two sides said into goodput, received, sent, p50, p99 (0 where there is none).
read_results() {
  goodput=0 received=0 sent=0 p50=0 p99=0
  case $1 in
  *-ping | skua-dgram)
    p50=$(number "$work/send" p50) p99=$(number "$work/send" p99)
    ;;
  skua-*)
    goodput=$(number "$work/send" goodput_bps) received=$(number "$work/send" bytes) sent=$received
    ;;
  tcp-*)
    sed -n '/"sum_received"/,/}/p' "$work/send" >"$work/sum"
    goodput=$(number "$work/sum" bits_per_second) received=$(number "$work/sum" bytes) sent=$received
    ;;
  ngtcp2)
    received=$bulk sent=$bulk
    goodput=$(awk -v bytes="$bulk" '{ printf "%.0f", bytes * 8 / $3 }' "$work/send.cost")
    ;;
  *)
    goodput=$(number "$work/recv" goodput_bps) received=$(number "$work/recv" bytes) sent=$(number "$work/send" bytes)
    ;;
  esac
  [ -n "$goodput" ] && [ -n "$received" ] && [ -n "$sent" ] && [ -n "$p50" ] && [ -n "$p99" ]
}

measure() {
  local setting=$1 round=$2 name=$3 recv send on_recv=$pin_recv on_send=$pin_send limit=$((seconds + 12)) ok=yes
  local goodput received sent p50 p99
  case $name in
  srt | udt | sctp) on_recv=-1 on_send=-1 ;; # several threads a side
  esac
  port=$((port + 2))
  commands "$setting" "$name"
  rm -f "$work"/{send,recv}{,.cost,.err}
  "$system/bench/spawn" "$work/recv.cost" "$on_recv" "$limit" "${enter_recv[@]}" "${recv[@]}" \
    >"$work/recv" 2>"$work/recv.err" </dev/null &
  running=($!)
  await_port || ok=''
  "$system/bench/spawn" "$work/send.cost" "$on_send" "$limit" "${enter_send[@]}" "${send[@]}" \
    >"$work/send" 2>"$work/send.err" </dev/null &
  running+=($!)
  wait "${running[1]}" || ok=''
  if [ -z "$ok" ] || [ "$name" = ngtcp2 ]; then kill -TERM "${running[0]}" 2>/dev/null || true; fi
  wait "${running[0]}" || true
  running=()
  if [ -z "$ok" ] || ! read_results "$name"; then
    say "  $name failed: $(tail -qn 2 "$work"/{send,recv}.err 2>/dev/null | tr '\n' ' ')"
    return
  fi
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$setting" "$round" "$name" "$goodput" "$received" "$sent" \
    "$(cut -d' ' -f1,2 "$work/send.cost" | tr ' ' +)" "$(cut -d' ' -f1,2 "$work/recv.cost" | tr ' ' +)" "$p50" "$p99" |
    awk 'BEGIN { FS = OFS = "\t" } { for (i = 7; i <= 8; i++) { split($i, t, "+"); $i = t[1] + t[2] } print }' |
    tee -a "$out/results.tsv" | awk -F'\t' '{
      if ($9 > 0) printf "  %-14s p50 %.1f us, p99 %.1f us\n", $3, $9 / 1e3, $10 / 1e3
      else printf "  %-14s %8.2f Gbit/s  %.3f + %.3f CPU s/GB\n", $3, $4 / 1e9, $7 / ($6 / 1e9), $8 / ($5 / 1e9) }' >&2
}

prepare_ngtcp2() {
  mkdir -p "$work/www"
  bulk=$((seconds * 150000000))
  truncate -s "$bulk" "$work/www/bulk"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench \
    -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
}

run_setting() {
  local setting=$1 name round i
  local -a list=()
  for name in $(in_setting "$setting"); do
    wanted program "$name" || continue
    if [ -n "$(missing "$name")" ]; then
      say "  $name left out: $(missing "$name")"
    else
      list+=("$name")
    fi
  done
  [ ${#list[@]} -gt 0 ] || return 0
  [[ " ${list[*]} " != *" ngtcp2 "* ]] || prepare_ngtcp2
  enter "$setting"
  for ((round = 1; round <= rounds; round++)); do
    say "$setting, round $round of $rounds (load $(cut -d' ' -f1 /proc/loadavg))"
    for ((i = 0; i < ${#list[@]}; i++)); do
      measure "$setting" "$round" "${list[(i + round - 1) % ${#list[@]}]}"
    done
  done
  leave "$setting"
}

# What the figures were taken on, for the report.
{
  printf 'date\t%s\n' "$(date -u '+%Y-%m-%d %H:%M UTC')"
  printf 'processor\t%s x %s\n' "$(nproc)" "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
  printf 'kernel\t%s\n' "$(uname -r)"
  printf 'system\t%s\n' "$(. /etc/os-release && echo "$PRETTY_NAME")"
  printf 'commit\t%s\n' "$(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)"
  printf 'libsodium\t%s' "$(pkg-config --modversion libsodium)"
  [ ! -x "$newer/tools/skua" ] || printf '; %s' "$(tail -n 1 "$root/third_party/libsodium/skua-stamp")"
  printf '\nseconds\t%s\nrounds\t%s\npinned\t%s\nload\t%s\n' "$seconds" "$rounds" "${pin:-no}" "$load"
} >"$out/machine.tsv"
: >"$out/results.tsv"
for setting in "${settings[@]}"; do
  wanted setting "$setting" || continue
  reason=$(why_not "$setting")
  if [ -n "$reason" ]; then
    say "$setting left out: $reason"
  else
    run_setting "$setting"
  fi
done

if command -v python3 >/dev/null; then
  python3 "$here/report.py" "$out" ${docs:+"$root/docs/performance.md"} ${json:+--json}
else
  say "no python3: the figures are in $out/results.tsv, without table and plots"
fi
