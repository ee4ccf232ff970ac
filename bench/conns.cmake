# Many connections over one pair of sockets. A test runs it small.
add_executable(bench_conns conns.c)
target_link_libraries(bench_conns PRIVATE skua_flags skua::skua_ev)
set_target_properties(bench_conns PROPERTIES OUTPUT_NAME conns)
add_test(NAME e2e.conns COMMAND bench_conns 500 2000)
set_tests_properties(e2e.conns PROPERTIES LABELS e2e TIMEOUT 120)
