# What bench/copy.sh measures beside skua cp.
if(SKUA_BUILD_TOOLS)
  add_executable(bench_mac mac.c)
  target_link_libraries(bench_mac PRIVATE skua_flags skua_files)
  set_target_properties(bench_mac PROPERTIES OUTPUT_NAME mac)
endif()
