# A port number has two spaces: a TCP server on the number of a Skua server disturbs nobody.
. "$(dirname "$0")/lib.sh"

serve --allow-any
cat >"$dir/tcp.py" <<'END'
import socket, sys
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen()
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
server, _ = listener.accept()
client.sendall(b"over TCP\n")
client.close()
print("ready", flush=True)
sys.stdin.readline()
sys.stdout.write(server.recv(100).decode())
END
mkfifo "$dir/go"
python3 "$dir/tcp.py" "$port" <"$dir/go" >"$dir/tcp.out" 2>"$dir/tcp.err" &
exec 3>"$dir/go"
until_true 10 has_line "$dir/tcp.out" '^ready$' || fail "no TCP server on port $port: $(cat "$dir/tcp.err")"
echo "over Skua" >"$dir/file"
expect 0 copy "$dir/file" 127.0.0.1:
same "$dir/file" "$dir/srv/file"
echo >&3
until_true 10 has_line "$dir/tcp.out" '^over TCP$' || fail "TCP has lost its bytes: $(cat "$dir/tcp.err")"

finish
