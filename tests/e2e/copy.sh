# Trees and files both ways: what arrives is what was sent, names and times included.
. "$(dirname "$0")/lib.sh"
serve --allow-any

mkdir -p tree/deep/er tree/empty 'tree/with space'
for i in $(seq 300); do
  head -c $((i * 41)) /dev/urandom >"tree/deep/small$i"
done
head -c 20000000 /dev/urandom >tree/big
: >tree/zero
echo x >"tree/with space/-rf *"
echo y >"tree/deep/er/ä€😀"
truncate -s 200M tree/sparse
echo island | dd of=tree/sparse bs=1 seek=150000000 conv=notrunc status=none
ln -s ../zero tree/deep/link
chmod 0640 tree/zero
chmod 0755 tree/deep/small7
chmod 0500 tree/deep/er
touch -d '2001-02-03 04:05:06.123456789' tree/zero tree/empty tree/deep
touch -h -d '2002-02-03 04:05:06.5' tree/deep/link

# A new name becomes the copy; an existing directory takes it in.
expect 0 copy -r --links tree 127.0.0.1:new
same tree srv/new
same_metadata tree srv/new
expect 0 copy -r --links 127.0.0.1:new back
same tree back
same_metadata tree back
mkdir srv/box into
expect 0 copy -r --links tree 127.0.0.1:box
same tree srv/box/tree
expect 0 copy -r --links 127.0.0.1:box/tree into
same tree into/tree
[ "$(stat -c %b srv/new/sparse)" -lt 10000 ] || fail "the sparse file is not sparse any more"
no_temp_files srv || fail "temporary files are left"

# The same again replaces what is there.
expect 0 copy -r --links tree/. 127.0.0.1:new
same tree srv/new

# Contents of a folder, and of the whole served folder.
mkdir contents
expect 0 copy -r tree/deep/. "skua://127.0.0.1:$port/box"
same tree/deep/small9 srv/box/small9
expect 0 copy -r "skua://127.0.0.1:$port/" contents
same tree/big contents/new/big

# Files.
expect 0 copy tree/big 127.0.0.1:
cmp tree/big srv/big || fail "file into the served folder"
expect 0 copy tree/big 127.0.0.1:box/renamed
cmp tree/big srv/box/renamed || fail "file with a new name"
expect 0 copy tree/zero tree/deep/small1 tree/deep/small2 127.0.0.1:box/
cmp tree/deep/small2 srv/box/small2 || fail "several files"
expect 0 copy 127.0.0.1:/box/zero 127.0.0.1:box/./renamed .
cmp tree/big renamed || fail "several files from the server"
expect 0 copy --checksum --fsync tree/big 127.0.0.1:sum
cmp tree/big srv/sum || fail "with --checksum"
expect 0 copy --checksum 127.0.0.1:sum sum
cmp tree/big sum || fail "from the server with --checksum"

# Links: skipped with a notice; one that is named is followed; none leads out.
expect 0 copy -r tree/deep 127.0.0.1:nolinks
says 'deep/link: symbolic link, skipped'
[ ! -e srv/nolinks/link ] || fail "a link was copied without --links"
ln -s tree/big named
expect 0 copy named 127.0.0.1:named
cmp tree/big srv/named || fail "a named link"
mkdir outward && ln -s /etc/passwd outward/l
expect 1 copy -r --links outward 127.0.0.1:outward
says 'points out of the tree'
ln -s /etc srv/etc
expect 7 copy 127.0.0.1:etc/passwd .
says 'symbolic link'

# Directories need -r; what fails does not stop the others.
expect 6 copy tree 127.0.0.1:norec
says 'use -r'
one_line
expect 7 copy 127.0.0.1:box norec
mkdir mixed && echo a >mixed/a && echo b >"$(printf 'mixed/b\033[2J')"
expect 1 copy -r mixed 127.0.0.1:mixed
says 'b\\x1b\[2J: name not allowed'
cmp mixed/a srv/mixed/a || fail "the good file beside a bad one"
mkfifo mixed/fifo && rm mixed/b*
expect 0 copy -r mixed 127.0.0.1:mixed
says 'neither file, directory nor link'
# What was named and is not copied is a failure; what is left out of a folder is told even with -q.
expect 6 copy -q mixed/fifo 127.0.0.1:
says 'mixed/fifo: neither file, directory nor link'
one_line
expect 1 copy mixed/fifo mixed/a 127.0.0.1:box
mkfifo srv/pipe
expect 7 copy -q 127.0.0.1:pipe .
says '127.0.0.1:pipe: neither file, directory nor link'
one_line
expect 0 copy -q -r tree/deep 127.0.0.1:quiet
says 'tree/deep/link: symbolic link, skipped'
one_line
expect 1 copy tree/zero nosuch 127.0.0.1:
says '^skua cp: nosuch: no such file'
bad=$(printf 'new\nline')
echo c >"$bad" && cp "$bad" srv && echo d >good && mkdir both
expect 1 copy "$bad" good 127.0.0.1:
says '^skua cp: new\\x0aline: name not allowed'
cmp good srv/good || fail "a good file beside one with a bad name"
expect 1 copy "127.0.0.1:$bad" 127.0.0.1:good 127.0.0.1:../other both
says '^skua cp: 127.0.0.1:new\\x0aline: name not allowed'
says '^skua cp: 127.0.0.1:../other: name not allowed'
# Reasons have quotes, names whatever they like: each line is JSON.
if command -v python3 >/dev/null; then
  expect 1 copy --json "127.0.0.1:$bad" 127.0.0.1:good 127.0.0.1:../other both
  python3 -c 'import json, sys; [json.loads(line) for line in sys.stdin]' <out || fail "not JSON: $(cat out)"
fi
cmp good both/good || fail "from the server: a good file beside one with a bad name"
expect 6 copy "$bad" 127.0.0.1:
one_line
# Several sources go into a directory, also when only one of them can be copied.
expect 7 copy good nosuch 127.0.0.1:no-directory
says 'refused "no-directory": no such file'
[ ! -e srv/no-directory ] || fail "the one source that is left became the destination"

# For scripts.
expect 0 copy --json -q tree/zero 127.0.0.1:
[ ! -s err ] || fail "-q says something: $(cat err)"
grep -q '^{"type":"file","path":"tree/zero","size":0,"status":"ok","side":"remote"}$' out || fail "JSON: $(cat out)"
grep -q '^{"type":"summary","files":1,"bytes":0,.*"exit":0}$' out || fail "JSON summary: $(cat out)"

# Each name whole, as long as names can be, and a script that cannot be told is an error.
part=$(printf '%0250d' 0)
mkdir -p "long/$part/$part/$part/$part/$part"
long=$(printf 'long/%s/%s/%s/%s/%s/' "$part" "$part" "$part" "$part" "$part")
echo 1 >"${long}one" && echo 2 >"${long}$(printf '\344two')"
expect 0 copy -r --json -q long 127.0.0.1:
grep -q "\"path\":\"${long}one\"" out || fail "a long name is cut: $(cut -c1-200 out)"
grep -q "\"path\":\"${long}.u00e4two\"" out || fail "a long name is cut: $(cut -c1-200 out)"
code=0
"$skua" cp --json -P "$port" --server-key "$key" tree/zero 127.0.0.1: >/dev/full 2>err || code=$?
[ $code -eq 6 ] || fail "JSON that cannot be written: ended with $code"
says 'cannot write to stdout'

# Five clients at once.
pids=
for i in 1 2 3 4 5; do
  "$skua" cp -q -r -P "$port" --server-key "$key" tree/deep "127.0.0.1:many$i" 2>"err$i" &
  pids="$pids $!"
done
for pid in $pids; do
  wait "$pid" || fail "one of several clients failed"
done
for i in 1 2 3 4 5; do
  cmp tree/deep/small299 "srv/many$i/small299" || fail "client $i"
done

expect 0 stop_server TERM
finish
