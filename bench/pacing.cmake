# How exactly the driver keeps to a pacing rate: sets the rate from inside, through the controllers' interface.
add_executable(bench_pacing pacing.c)
target_compile_definitions(bench_pacing PRIVATE _GNU_SOURCE)
target_include_directories(bench_pacing PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(bench_pacing PRIVATE skua_flags skua::skua_ev)
set_target_properties(bench_pacing PROPERTIES OUTPUT_NAME pacing)
