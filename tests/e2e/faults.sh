# Copies over bad networks arrive whole.
. "$(dirname "$0")/lib.sh"
serve --allow-any
real=$port
head -c 8000000 /dev/urandom >big
mkdir -p tree/sub
for i in $(seq 400); do
  head -c 4096 /dev/urandom >"tree/sub/f$i"
done

# over NAME OPTIONS...: both ways over such a link.
over() {
  local name=$1
  shift
  port=$real
  through_link "$@"
  expect 0 copy big "127.0.0.1:big-$name"
  cmp big "srv/big-$name" || fail "$name: put"
  expect 0 copy "127.0.0.1:big-$name" "big-$name"
  cmp big "big-$name" || fail "$name: get"
  expect 0 copy -r tree "127.0.0.1:tree-$name"
  same tree "srv/tree-$name"
  expect 0 copy -r "127.0.0.1:tree-$name" "tree-$name"
  same tree "tree-$name"
  kill "$link"
  wait "$link" 2>/dev/null
  link=
}
over loss --loss 2% --delay 5ms --rate 100mbit
over mixed --loss 1% --delay 5ms --jitter 2ms --reorder 2% --reorder-by 5ms --duplicate 2% --corrupt 1% --rate 100mbit
over mtu --mtu 1300 --delay 2ms --rate 200mbit
no_temp_files srv || fail "temporary files are left"
finish
