# What a packet costs in the core, without sockets.
add_executable(bench_core core.c)
target_compile_definitions(bench_core PRIVATE _GNU_SOURCE)
target_include_directories(bench_core PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(bench_core PRIVATE skua_flags skua::skua PkgConfig::SODIUM)
set_target_properties(bench_core PROPERTIES OUTPUT_NAME core)
