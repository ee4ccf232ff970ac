# What a flood of SYNs costs a server: in the core, and over sockets.
add_executable(bench_retry retry.c)
target_compile_definitions(bench_retry PRIVATE _GNU_SOURCE)
target_link_libraries(bench_retry PRIVATE skua_flags skua::skua PkgConfig::SODIUM)
set_target_properties(bench_retry PROPERTIES OUTPUT_NAME retry)

add_executable(bench_flood flood.c flood_server.c flood_client.c)
target_compile_definitions(bench_flood PRIVATE _GNU_SOURCE)
target_link_libraries(bench_flood PRIVATE skua_flags skua::skua_ev LibEv::LibEv)
set_target_properties(bench_flood PROPERTIES OUTPUT_NAME flood)
