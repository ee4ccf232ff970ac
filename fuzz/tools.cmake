skua_fuzz_target(NAME file_control SOURCES fuzz_file_control.c FLOORS files)
skua_fuzz_target(NAME file_names SOURCES fuzz_file_names.c FLOORS files)
skua_fuzz_target(NAME file_sink SOURCES fuzz_file_sink.c FLOORS files)
