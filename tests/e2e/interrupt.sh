# Either side ends in mid-copy: no wrong file under its final name, no temporary files where a
# process could clean up, and the other side says what happened.
. "$(dirname "$0")/lib.sh"
serve --allow-any
head -c 40000000 /dev/urandom >big
# Where SIGHUP is ignored, as under nohup, it is ignored by all that is started here, and no shell
# can take that back.
hangup=HUP
if [ $((0x$(awk '$1 == "SigIgn:" { print $2 }' "/proc/$$/status") & 1)) -ne 0 ]; then
  echo "SIGHUP is ignored here: what it does is not tested" >&2
  hangup=
fi
real=$port
# Slow enough that the copy is under way for seconds.
slow() {
  through_link --rate 50mbit --delay 2ms
}
slow

# start_put NAME, start_get NAME: a copy in the background, until it has stored something.
start_put() {
  "$skua" cp -P "$port" --server-key "$key" big "127.0.0.1:$1" >out 2>err </dev/null &
  client=$!
  until_true 20 has_temp_file srv 500 || fail "put $1 does not start: $(cat err)"
}
start_get() {
  "$skua" cp -P "$port" --server-key "$key" 127.0.0.1:source "got/$1" >out 2>err </dev/null &
  client=$!
  until_true 20 has_temp_file got 500 || fail "get $1 does not start: $(cat err)"
}
# ends CODE: how the client ended.
ends() {
  wait "$client" 2>/dev/null
  local got=$?
  [ "$got" -eq "$1" ] || fail "the client ended with $got instead of $1: $(cat err)"
}
mkdir got
cp big srv/source

# The client is told to stop.
for signal in INT TERM $hangup; do
  start_put "by-$signal"
  kill "-$signal" "$client"
  ends 130
  one_line
  until_true 10 no_temp_files srv || fail "temporary files on the server after SIG$signal"
  start_get "by-$signal"
  kill "-$signal" "$client"
  ends 130
  no_temp_files got || fail "temporary files at the client after SIG$signal"
done

# The client is killed.
start_put by-KILL
kill -KILL "$client"
ends 137
rm -f srv/.skua-tmp-*
start_get by-KILL
kill -KILL "$client"
ends 137
rm -f got/.skua-tmp-*

# The server is told to stop.
start_put by-stop
expect 0 stop_server TERM
ends 9
one_line
no_temp_files srv || fail "temporary files after the server's SIGTERM: $(find srv -name '.skua-tmp-*')"
kill "$link"
serve --allow-any
slow
start_get by-stop
expect 0 stop_server TERM
ends 9
no_temp_files got || fail "temporary files at the client after the server's SIGTERM"

# Its terminal is closed: bash and the kernel send a SIGHUP each, one right after the other. It ends
# in order all the same.
for round in ${hangup:+1 2 3 4 5 6}; do
  kill "$link"
  serve --allow-any --fsync
  slow
  start_put by-hangup
  kill -HUP "$server"
  expect 0 stop_server HUP
  ends 9
  no_temp_files srv || fail "temporary files after the server's terminal was closed, round $round"
  rm -f srv/.skua-tmp-*
done

# The server is killed: nobody says anything; the client finds out by itself. Without the link, so
# that the kernel's answer to packets for a closed port reaches the client, as it does in real life.
kill "$link"
serve --allow-any
truncate -s 0 big && head -c 1500000000 /dev/zero >big
"$skua" cp -P "$port" --server-key "$key" big 127.0.0.1:killed >out 2>err </dev/null &
client=$!
until_true 20 has_temp_file srv 500 || fail "put does not start: $(cat err)"
stop_server KILL
ends 9
says 'lost'

# One that nohup has started stays.
trap '' HUP
serve --allow-any
trap - HUP
kill -HUP "$server"
echo small >small
expect 0 copy small 127.0.0.1:
expect 0 stop_server TERM

for name in by-INT by-TERM by-HUP by-KILL by-stop by-hangup killed; do
  [ ! -e "srv/$name" ] || fail "srv/$name exists"
  [ ! -e "got/$name" ] || fail "got/$name exists"
done
finish
