# What a server lets its clients do.
. "$(dirname "$0")/lib.sh"
echo mine >file
echo theirs >srv/file
echo secret >secret

serve --allow-any --read-only
expect 4 copy file 127.0.0.1:new
says 'read-only'
one_line
expect 0 copy 127.0.0.1:file got
cmp srv/file got || fail "get from a read-only server"
[ ! -e srv/new ] || fail "put on a read-only server"

# Nothing outside of the served folder.
expect 4 copy 127.0.0.1:../secret got2
says 'name not allowed'
expect 4 copy -r 127.0.0.1:a/../../secret got2
expect 7 copy "127.0.0.1:/$dir/secret" got2
[ ! -e got2 ] || fail "a file from outside"
expect 7 copy 127.0.0.1:nosuch got2
says '127.0.0.1:nosuch: no such file'
stop_server TERM

serve --allow-any --write-only
expect 4 copy 127.0.0.1:file got3
says 'write-only'
one_line
expect 0 copy file 127.0.0.1:new
cmp file srv/new || fail "put on a write-only server"
expect 4 copy file 127.0.0.1:../outside
says 'name not allowed'
one_line
[ ! -e outside ] || fail "a file beside the served folder"
expect 7 copy file 127.0.0.1:no/such/folder
says 'no such file or directory'
one_line
expect 7 copy file 127.0.0.1:nosuchdir/
expect 7 copy file 127.0.0.1:file/
says 'is not a directory'
mkdir srv/d
mkdir -p d && echo x >d/x
expect 7 copy -r d 127.0.0.1:file

# What is neither file nor link is not replaced: named as the destination, or met in it.
mkfifo srv/pipe srv/d/x
expect 7 copy file 127.0.0.1:pipe
says 'refused "pipe": cannot put'
one_line
expect 7 copy d/x 127.0.0.1:d
says 'd/x: cannot put'
[ -p srv/pipe ] && [ -p srv/d/x ] || fail "a FIFO was replaced"
no_temp_files srv || fail "temporary files beside a FIFO"
stop_server TERM

# Too many clients: the next is told. One that asks for nothing does not block others.
serve --allow-any --max-clients 1
head -c 30000000 /dev/urandom >big
through_link --rate 40mbit --delay 5ms
copy big 127.0.0.1: &
first=$!
until_true 20 has_temp_file srv 100 || fail "the first client does not start"
expect 4 copy file 127.0.0.1:second
one_line
kill "$first"
wait "$first"
finish
