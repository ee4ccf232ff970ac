#!/usr/bin/env bash
# Shows Skua at work: real files over a network that loses 2 % of all packets each way and takes 40 ms there and back.
#   tools/demo.sh
#
# Builds the tool, starts a server and an emulated network (skua link; no root needed), copies a folder and one large
# file through it, compares every byte, and tells what the network did and what Skua did about it. What it starts it
# ends, and what it writes lies in one temporary folder, except the build in build/release.
#
#   SKUA_DEMO_MIB    size of the large file (default 256)
#   SKUA_DEMO_LINK   other faults, in the words of `skua help link` (default "--loss 2% --delay 20ms --rate 1gbit")
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/packages.sh

mib=${SKUA_DEMO_MIB:-256}
faults=${SKUA_DEMO_LINK:---loss 2% --delay 20ms --rate 1gbit}
skua=$PWD/build/release/tools/skua
dir=
server=
link=

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

cleanup() {
  local pid
  for pid in $link $server; do
    if kill "$pid" 2>/dev/null; then
      wait "$pid" 2>/dev/null || true
    fi
  done
  if [ -n "$dir" ]; then rm -rf "$dir"; fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# wait_line FILE PID: waits until the program has written its first line into the file, and prints it.
wait_line() {
  local i
  for ((i = 0; i < 100; i++)); do
    if [ -s "$1" ]; then
      head -n 1 "$1"
      return
    fi
    kill -0 "$2" 2>/dev/null || die "a program ended too early"
    sleep 0.05
  done
  die "a program did not get ready in time"
}

# copy FROM TO: through the emulated network, with progress on the terminal.
copy() {
  "$skua" cp -r --key "$dir/client.key" --server-key "$server_key" "$1" "skua://$address/$2"
}

say "1. Building Skua"
need build test
dir=$(mktemp -d)
if ! { cmake --preset release && cmake --build --preset release --target skua_tool; } >"$dir/build.log" 2>&1; then
  cat "$dir/build.log"
  die "the build failed"
fi
"$skua" --version

say "2. Keys for a server and a client"
mkdir "$dir/served"
server_key=$("$skua" keygen "$dir/server.key")
"$skua" keygen "$dir/client.key" >"$dir/allowed_keys"
echo "server  $server_key"
echo "client  $(cat "$dir/allowed_keys")   (the only one that the server admits)"

say "3. The server, and a bad network in front of it"
"$skua" serve --quiet --listen 127.0.0.1:0 --key "$dir/server.key" --allow "$dir/allowed_keys" "$dir/served" \
  >"$dir/server.out" &
server=$!
line=$(wait_line "$dir/server.out" "$server")
read -r _ behind _ <<<"$line"
# The faults are words to be split.
# shellcheck disable=SC2086
"$skua" link --listen 127.0.0.1:0 --to "$behind" $faults >"$dir/link.out" 2>"$dir/link.table" &
link=$!
line=$(wait_line "$dir/link.out" "$link")
read -r _ address <<<"$line"
echo "skua serve    on $behind"
echo "skua link     on $address: $faults (in each direction)"

cp -r /usr/include "$dir/include"
find "$dir/include" -type l -delete # some lead out of the folder, where Skua does not follow
say "4. A folder: /usr/include, $(find "$dir/include" -type f | wc -l) files, $(du -sh --apparent-size "$dir/include" | cut -f 1)"
copy "$dir/include" include
diff -r "$dir/include" "$dir/served/include" || die "the copy differs"
echo "diff -r: no difference"

say "5. One large file: $mib MiB of this machine's /usr/lib"
tar -cf - -C /usr lib 2>/dev/null | head -c "$((mib << 20))" >"$dir/large" || true
[ "$(stat -c %s "$dir/large")" -eq $((mib << 20)) ] || echo "(only $(du -h "$dir/large" | cut -f 1): /usr/lib is no larger)"
copy "$dir/large" large
cmp "$dir/large" "$dir/served/large" || die "the copy differs"
echo "cmp: identical"

say "6. What the network did"
kill "$link"
wait "$link" || true
link=
cat "$dir/link.table"

say "7. What Skua did about it"
files=$(find "$dir/served" -type f -printf '%s\n' | awk '{ n += $1 } END { printf "%d", n }')
sent=$(awk '/^bytes offered/ { print $3 }' "$dir/link.table")
absent=$(awk '/^lost on the wire|^dropped, queue full/ { n += $(NF - 1) } END { printf "%d", n }' "$dir/link.table")
echo "The files hold $files bytes. $absent packets towards the server never arrived; what they carried was sent again, so that"
echo "$sent bytes were offered to the network: $(((sent - files) * 1000 / files / 10)).$(((sent - files) * 1000 / files % 10)) % more, headers, authentication tags and repeats together."
echo "Every file was verified on the other side before it got its name there; diff and cmp above agree."
