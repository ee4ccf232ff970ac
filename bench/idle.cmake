# What connections cost apart from their bytes: handshakes, memory, timers. In one process, in virtual time.
add_library(bench_pair OBJECT pair.c)
target_compile_definitions(bench_pair PUBLIC _GNU_SOURCE)
target_link_libraries(bench_pair PRIVATE skua_flags PUBLIC skua::skua)

foreach(name idle handshake)
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${name}.c)
    add_executable(bench_${name} ${name}.c)
    target_include_directories(bench_${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(bench_${name} PRIVATE skua_flags bench_pair skua::skua PkgConfig::SODIUM)
    set_target_properties(bench_${name} PROPERTIES OUTPUT_NAME ${name})
  endif()
endforeach()
target_sources(bench_idle PRIVATE fields.c)

if(SKUA_BUILD_TESTS AND CMAKE_SIZEOF_VOID_P EQUAL 8)
  enable_testing() # the tests' folder, which does that for all others, comes later
  add_test(NAME docs.idle COMMAND bench_idle --check ${PROJECT_SOURCE_DIR}/docs/performance-idle.md)
  set_tests_properties(docs.idle PROPERTIES LABELS docs)
endif()
