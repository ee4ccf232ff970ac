skua_fuzz_target(NAME recovery SOURCES fuzz_recovery.c FLOORS base recovery)
