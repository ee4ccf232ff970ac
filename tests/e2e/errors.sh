# Bad input and bad surroundings: one clear line, the documented exit code, nothing left behind.
. "$(dirname "$0")/lib.sh"
echo content >file
serve --allow-any

# Usage.
expect 2 run "$skua" cp file
one_line
expect 2 run "$skua" cp file file2
says 'no side is remote'
one_line
expect 2 run "$skua" cp a:x b:y
says 'both sides are remote'
expect 2 run "$skua" cp user@host:x y
says 'no user names'
one_line
expect 2 run "$skua" cp -P 99999 file 127.0.0.1:
expect 2 run "$skua" cp -P 0 file 127.0.0.1:
says 'no such port'
one_line
expect 2 run "$skua" cp --server-key nonsense file 127.0.0.1:
expect 2 run "$skua" cp skua://host:0/x y
mkdir -p p q && echo 1 >p/same && echo 2 >q/same
expect 2 run "$skua" cp p/same q/same 127.0.0.1:
says 'several sources would become "same"'
expect 2 run "$skua" serve --read-only --write-only .
one_line
expect 2 run "$skua" serve --allow f --allow-any .

# Local files.
expect 6 copy nosuch 127.0.0.1:
says 'nosuch: no such file'
one_line
expect 6 copy 127.0.0.1:x no/such/folder/x
one_line

# The server's side.
expect 6 run "$skua" serve --allow-any --listen 127.0.0.1:0 nosuchdir
says 'nosuchdir'
one_line
expect 10 run "$skua" serve --allow-any --listen "127.0.0.1:$port" srv
says 'already in use'
one_line
expect 10 run "$skua" serve --allow-any --listen 192.0.2.77:0 srv
one_line
expect 10 run "$skua" serve --allow-any --listen nonsense srv
one_line

# No room: a limit on the size of files stands in for a full disk, which would need root.
head -c 3000000 /dev/urandom >big
stop_server TERM
limit=$(ulimit -f)
if (ulimit -f 1000) 2>/dev/null; then
  : >serve.out # not what the former server said, whose line would be taken for the new one's
  (ulimit -f 1000 && exec "$skua" serve --allow-any --listen 127.0.0.1:0 srv) >serve.out 2>serve.err &
  server=$!
  until_true 10 has_line serve.out '^listening ' || fail "server with a limit"
  read -r _ address key <serve.out
  port=${address##*:}
  expect 7 copy big 127.0.0.1:
  says 'file too large (on the other side)'
  [ -z "$(ls srv)" ] || fail "left on a server without room: $(ls -a srv)"
  mkdir some && cp file big some
  expect 1 copy -r some 127.0.0.1:some
  cmp file srv/some/file || fail "the small file beside one that is too large"
  [ ! -e srv/some/big ] || fail "a file that had no room has its name"
  stop_server TERM
else
  echo "skipped: ulimit -f cannot be lowered from $limit" >&2
fi
serve --allow-any
cp big srv/big
mkdir got
got=0
(ulimit -f 1000 && exec "$skua" cp -P "$port" --server-key "$key" 127.0.0.1:big got) >out 2>err </dev/null || got=$?
[ "$got" -eq 6 ] || fail "no room on this side ended with $got: $(cat err)"
says 'file too large'
[ -z "$(ls -A got)" ] || fail "left on a client without room: $(ls -A got)"

# Nobody there.
stop_server KILL
expect 3 copy file 127.0.0.1:
one_line
expect 3 run "$skua" cp --accept-new file no-such-host.invalid:
one_line
finish
