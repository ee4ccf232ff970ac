# The simulator as a library: for the tests here and for fuzz/sim.cmake.
if(NOT TARGET skua_simulator)
  set(dir ${CMAKE_CURRENT_LIST_DIR})
  add_library(skua_simulator OBJECT
    ${dir}/app.c
    ${dir}/app_datagram.c
    ${dir}/app_early.c
    ${dir}/app_end.c
    ${dir}/app_message.c
    ${dir}/app_stream.c
    ${dir}/app_unordered.c
    ${dir}/flood.c
    ${dir}/heap.c
    ${dir}/link.c
    ${dir}/nat.c
    ${dir}/onlooker.c
    ${dir}/oracle.c
    ${dir}/pair.c
    ${dir}/scenario.c
    ${dir}/siege.c
    ${dir}/world.c)
  target_link_libraries(skua_simulator PRIVATE skua_flags PUBLIC PkgConfig::SODIUM)
  target_include_directories(skua_simulator PUBLIC ${dir} ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
  target_compile_definitions(skua_simulator PUBLIC _DEFAULT_SOURCE)
endif()
set(SKUA_SIM_FLOORS base wire crypto packet handshake recovery cc stream path conn endpoint)
list(TRANSFORM SKUA_SIM_FLOORS PREPEND skua_)
