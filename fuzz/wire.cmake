skua_fuzz_target(NAME headers SOURCES fuzz_headers.c FLOORS base wire)
skua_fuzz_target(NAME frames SOURCES fuzz_frames.c FLOORS base wire)
skua_fuzz_target(NAME ack SOURCES fuzz_ack.c FLOORS base wire)
skua_fuzz_target(NAME params SOURCES fuzz_params.c FLOORS base wire)
