# Targets that drive whole endpoints, in the world of tests/sim.
include(${PROJECT_SOURCE_DIR}/tests/sim/simulator.cmake)
set(floors base wire crypto packet handshake recovery cc stream path conn endpoint)
skua_fuzz_target(NAME connection SOURCES fuzz_connection.c FLOORS ${floors} LIBS skua_simulator)
skua_fuzz_target(NAME scenario SOURCES fuzz_scenario.c FLOORS ${floors} LIBS skua_simulator)
skua_fuzz_target(NAME paths SOURCES fuzz_paths.c paths_check.c FLOORS ${floors} LIBS skua_simulator)
skua_fuzz_target(NAME early SOURCES fuzz_early.c early_apps.c early_forge.c FLOORS ${floors} LIBS skua_simulator)
