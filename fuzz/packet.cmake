skua_fuzz_target(NAME packet SOURCES fuzz_packet.c FLOORS base wire crypto packet)
