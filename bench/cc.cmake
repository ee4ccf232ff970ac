# Congestion controllers in virtual time: the simulator of the tests.
include(${PROJECT_SOURCE_DIR}/tests/sim/simulator.cmake)
add_executable(bench_cc cc.c)
target_link_libraries(bench_cc PRIVATE skua_flags skua_simulator ${SKUA_SIM_FLOORS})
set_target_properties(bench_cc PROPERTIES OUTPUT_NAME cc)
