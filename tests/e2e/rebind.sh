# A NAT that gives the client another port every second: the copy goes on.
. "$(dirname "$0")/lib.sh"
serve --allow-any
head -c 16000000 /dev/urandom >big
through_link --rebind-every 1s --delay 5ms --rate 40mbit
expect 0 copy big 127.0.0.1:big
cmp big srv/big || fail "put"
expect 0 copy 127.0.0.1:big back
cmp big back || fail "get"
kill -INT "$link"
wait "$link"
link=
changes=$(sed -n 's/.*source ports changed: \([0-9]*\).*/\1/p' link.out link.err | tail -1)
[ "${changes:-0}" -ge 3 ] || fail "the link changed the port $changes times"
finish
