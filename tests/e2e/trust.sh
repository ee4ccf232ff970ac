# Who is served, and which server is believed.
. "$(dirname "$0")/lib.sh"
echo content >file
"$skua" keygen "$dir/one.key" >one.pub
"$skua" keygen "$dir/two.key" >two.pub
"$skua" keygen "$dir/server.key" >server.pub
"$skua" keygen "$dir/other.key" >other.pub
known=$HOME/.config/skua/known_hosts
grep -v '^#' one.pub >allowed

# Without a list of keys nobody is served, and the server says what to do.
expect 2 run "$skua" serve "$dir/srv"
says 'allowed_keys'
one_line

serve --allow allowed --key server.key
[ "$key" = "$(cat server.pub)" ] || fail "the announced key is $key"

# An unknown server is not believed without a terminal to ask on.
expect 5 run "$skua" cp -P "$port" -i one.key file 127.0.0.1:
says "$key"
one_line
[ ! -e srv/file ] || fail "copied to an unknown server"
[ ! -e "$known" ] || fail "remembered an unknown server"
expect 0 run "$skua" cp -P "$port" -i one.key --accept-new file 127.0.0.1:
cmp file srv/file || fail "copy with --accept-new"
grep -qxF "127.0.0.1:$port $key" "$known" || fail "known_hosts: $(cat "$known")"
expect 0 run "$skua" cp -P "$port" -i one.key file 127.0.0.1:again
cmp file srv/again || fail "copy to a known server"

# A key that is not listed: refused, and told what to do. A line in the list helps at once.
expect 4 copy -i two.key file 127.0.0.1:two
says "$(grep -v '^#' two.pub)"
one_line
until_true 5 has_line serve.err 'not allowed' || fail "the server's log: $(cat serve.err)"
[ ! -e srv/two ] || fail "a key that is not listed was served"
echo "$(grep -v '^#' two.pub) the second one # comment" >>allowed
expect 0 copy -i two.key file 127.0.0.1:two
cmp file srv/two || fail "copy after the key was listed"

# A list that became unreadable leaves the former one in use.
echo 'not a key' >>allowed
expect 0 copy -i two.key file 127.0.0.1:three

# Key files that others can read are refused.
chmod 644 one.key
expect 6 copy -i one.key file 127.0.0.1:
says 'chmod 600'
one_line
chmod 600 one.key
expect 6 copy -i missing.key file 127.0.0.1:
one_line

# The wrong key, given or known: loud, and nothing is sent.
wrong=$(cat other.pub)
expect 5 run "$skua" cp -P "$port" -i one.key --server-key "$wrong" file 127.0.0.1:never
says "$key"
one_line
sed -i "s|$key|$wrong|" "$known"
expect 5 run "$skua" cp -P "$port" -i one.key file 127.0.0.1:never
says 'HAS CHANGED'
one_line
[ ! -e srv/never ] || fail "copied to a server with another key"
finish
