#!/usr/bin/env bash
# Two builds of Skua talk to each other, in both roles, with and without a pre-shared key, under every suite that both
# have and under the one that they agree on by themselves. Meant for builds with different libsodiums (tests/run.sh
# --aegis runs it so); every other difference between two builds must not matter either.
#   tests/interop.sh BUILD_A BUILD_B
set -euo pipefail

die() {
  printf 'interop: %s\n' "$*" >&2
  exit 1
}

[ $# -eq 2 ] || die "usage: interop.sh BUILD_A BUILD_B"
peers=("$1/tests/interop/interop_peer" "$2/tests/interop/interop_peer")
for peer in "${peers[@]}"; do
  [ -x "$peer" ] || die "$peer is not built"
done

suites=(ChaCha20-Poly1305 AES-256-GCM AEGIS-128L) # bit i of a set is suites[i]; the later, the better
dir=$(mktemp -d)
server=
cleanup() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi
  rm -rf "$dir"
}
trap cleanup EXIT

# rank NAME: its place in the list.
rank() {
  local i
  for i in "${!suites[@]}"; do
    if [ "${suites[$i]}" = "$1" ]; then
      echo "$i"
      return
    fi
  done
  die "no such suite: $1"
}

# talk SERVER CLIENT PSK SET EXPECTED: one connection; both must say that they used the expected suite, the
# client also that keys changed three times.
talk() {
  local port key code=0 i
  : >"$dir/server"
  "$1" server "$3" >"$dir/server" 2>"$dir/server.err" &
  server=$!
  # The first line comes when it listens.
  for ((i = 0; i < 500; i++)); do
    read -r port key <"$dir/server" && break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.01
  done
  [ -n "${key:-}" ] || die "$1 does not listen: $(cat "$dir/server.err")"
  "$2" client "$3" "$4" "$port" "$key" >"$dir/client" 2>"$dir/client.err" || code=$?
  wait "$server" || code=$?
  server=
  local said
  said="$(tail -n 1 "$dir/server"), $(cat "$dir/client")"
  # The client may ask for the next keys only when the server has answered with its own: its count speaks for both.
  if [ $code -ne 0 ] || [ "$said" != "$5, $5 3" ]; then
    cat "$dir/server.err" "$dir/client.err" >&2
    die "server $1, client $2, psk $3, set $4: expected \"$5, $5 3\"; server and client said \"$said\", exit code $code"
  fi
}

ranks=("$(rank "$("${peers[0]}" best)")" "$(rank "$("${peers[1]}" best)")")
common=$((ranks[0] < ranks[1] ? ranks[0] : ranks[1]))
echo "A: up to ${suites[${ranks[0]}]}   B: up to ${suites[${ranks[1]}]}   together: ${suites[$common]}"

for pair in "0 1" "1 0" "0 0" "1 1"; do
  read -r s c <<<"$pair"
  best=$((ranks[s] < ranks[c] ? ranks[s] : ranks[c]))
  for psk in 0 1; do
    talk "${peers[$s]}" "${peers[$c]}" $psk 0 "${suites[$best]}"
    for ((i = 0; i <= best; i++)); do
      talk "${peers[$s]}" "${peers[$c]}" $psk $((1 << i)) "${suites[$i]}"
    done
  done
  echo "server $s, client $c: ${suites[$best]} by themselves, $((best + 1)) suites on request: good"
done
