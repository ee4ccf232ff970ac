# A client's address changes in the middle of a copy, in both directions: the emulator gives its
# packets another source port every second, and once another address. The copy goes on and is
# verified, and nobody calls anything for it.
. "$(dirname "$0")/lib.sh"
"$skua" keygen server >server.pub || fail "no key: $(cat "$dir/err")"
serve --allow-any --key server
server_port=$port
head -c 24000000 /dev/urandom >big
cp big srv/source
mkdir got

# stop_link: ends the emulator; its summary is in $dir/link.out.
stop_link() {
  kill -INT "$link"
  wait "$link" 2>/dev/null
  link=
}

# moved N: the client's packets came from N other ports or addresses.
moved() {
  local count
  count=$(sed -n 's/.*"rebindings":\([0-9]*\).*/\1/p' link.out)
  [ "${count:-0}" -ge "$1" ] || fail "the address changed ${count:-0} times only: $(cat link.out)"
}

bad() {
  port=$server_port
  through_link --json --rate 50mbit --delay 10ms --mtu 1472 --rebind-every 1s --move-to 127.0.0.2 \
    --move-after 1500ms
}

bad
expect 0 copy big 127.0.0.1:put
stop_link
moved 4
same big srv/put

bad
expect 0 copy 127.0.0.1:source got/get
stop_link
moved 4
same big got/get
finish
