skua_fuzz_target(NAME initiator SOURCES fuzz_initiator.c FLOORS base wire crypto handshake)
skua_fuzz_target(NAME token SOURCES fuzz_token.c FLOORS base wire crypto handshake)
skua_fuzz_target(NAME responder SOURCES fuzz_responder.c FLOORS base wire crypto handshake)
