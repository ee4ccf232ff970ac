# How every target of this project is compiled, and the floors of docs/architecture.md as object libraries.

add_library(skua_flags INTERFACE)
target_compile_options(skua_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes
  -Wswitch-enum -Wundef -Wcast-align -Wcast-qual -Wpointer-arith -Wwrite-strings -Wformat=2 -Wold-style-definition
  -Wnull-dereference -Wdouble-promotion -Wimplicit-fallthrough -Walloca -Wredundant-decls
  -fno-common -fstack-protector-strong $<$<BOOL:${SKUA_WERROR}>:-Werror>)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(skua_flags INTERFACE -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wjump-misses-init)
endif()
if(SKUA_SANITIZE)
  add_compile_options(-fsanitize=${SKUA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${SKUA_SANITIZE})
endif()
if(SKUA_COVERAGE)
  add_compile_options(--coverage -O0)
  add_link_options(--coverage)
endif()
if(SKUA_BUILD_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# skua_floor(NAME wire SOURCES a.c b.c): the object library skua_wire, one folder of src/.
function(skua_floor)
  cmake_parse_arguments(F "" "NAME" "SOURCES;LIBS" ${ARGN})
  add_library(skua_${F_NAME} OBJECT ${F_SOURCES})
  target_include_directories(skua_${F_NAME} PUBLIC ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(skua_${F_NAME} PRIVATE skua_flags PUBLIC PkgConfig::SODIUM ${F_LIBS})
endfunction()

# Where the compiler can, a release's libraries are optimised as a whole, so that floors cost no calls: a twentieth of a
# transfer's time. It happens once and leaves an ordinary object, not to be repeated by whoever links it.
set(SKUA_WHOLE OFF)
if(SKUA_LTO AND CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT SKUA_SANITIZE AND NOT SKUA_COVERAGE AND
   CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_C_COMPILER_VERSION VERSION_GREATER_EQUAL 9)
  include(CheckIPOSupported)
  check_ipo_supported(RESULT SKUA_WHOLE OUTPUT ignored LANGUAGES C)
endif()

# skua_whole_object(VARIABLE skua base wire ...): all of these floors in one object, whose path goes to the variable.
function(skua_whole_object variable name)
  set(sources)
  set(libraries)
  foreach(floor IN LISTS ARGN)
    if(TARGET skua_${floor})
      get_target_property(folder skua_${floor} SOURCE_DIR)
      get_target_property(files skua_${floor} SOURCES)
      list(TRANSFORM files PREPEND ${folder}/)
      list(APPEND sources ${files})
      get_target_property(needs skua_${floor} INTERFACE_LINK_LIBRARIES)
      list(APPEND libraries ${needs})
      get_target_property(defines skua_${floor} COMPILE_DEFINITIONS)
      if(defines)
        set(definitions ${defines})
      endif()
    endif()
  endforeach()
  add_library(${name}_whole OBJECT ${sources})
  target_compile_options(${name}_whole PRIVATE -flto)
  target_compile_definitions(${name}_whole PRIVATE ${definitions})
  target_include_directories(${name}_whole PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${name}_whole PRIVATE skua_flags ${libraries})
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}_whole.o)
  separate_arguments(flags UNIX_COMMAND "${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_RELEASE}")
  add_custom_command(OUTPUT ${object}
    COMMAND ${CMAKE_C_COMPILER} ${flags} -fPIC -r -flto=auto -flinker-output=nolto-rel
      $<TARGET_OBJECTS:${name}_whole> -o ${object}
    DEPENDS ${name}_whole $<TARGET_OBJECTS:${name}_whole>
    COMMENT "Optimising ${name} as a whole" COMMAND_EXPAND_LISTS VERBATIM)
  set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  set(${variable} ${object} PARENT_SCOPE)
endfunction()

# skua_unit_test(NAME base_heap SOURCES test_heap.c FLOORS base wire): a cmocka program and a ctest of the same name,
# linked with just the named floors, so that a test also shows what its module needs.
function(skua_unit_test)
  cmake_parse_arguments(T "" "NAME" "SOURCES;FLOORS;LIBS;ARGS" ${ARGN})
  add_executable(test_${T_NAME} ${T_SOURCES})
  list(TRANSFORM T_FLOORS PREPEND skua_)
  target_link_libraries(test_${T_NAME} PRIVATE skua_flags cmocka ${T_FLOORS} ${T_LIBS})
  target_include_directories(test_${T_NAME} PRIVATE ${PROJECT_SOURCE_DIR}/tests/unit)
  add_test(NAME unit.${T_NAME} COMMAND test_${T_NAME} ${T_ARGS})
  set_tests_properties(unit.${T_NAME} PROPERTIES LABELS unit TIMEOUT 300)
endfunction()

# skua_fuzz_target(NAME frames SOURCES fuzz_frames.c FLOORS base wire): fuzz_frames, with libFuzzer where
# SKUA_BUILD_FUZZ is on, else with the replay main; and a ctest that replays fuzz/corpus/frames.
function(skua_fuzz_target)
  cmake_parse_arguments(T "" "NAME" "SOURCES;FLOORS;LIBS" ${ARGN})
  add_executable(fuzz_${T_NAME} ${T_SOURCES})
  if(NOT TARGET skua_fuzzers)
    add_custom_target(skua_fuzzers) # all of them: what a fuzzing build builds
  endif()
  add_dependencies(skua_fuzzers fuzz_${T_NAME})
  list(TRANSFORM T_FLOORS PREPEND skua_)
  target_link_libraries(fuzz_${T_NAME} PRIVATE skua_flags ${T_FLOORS} ${T_LIBS})
  target_include_directories(fuzz_${T_NAME} PRIVATE ${PROJECT_SOURCE_DIR}/fuzz)
  set(corpus ${PROJECT_SOURCE_DIR}/fuzz/corpus/${T_NAME})
  if(SKUA_BUILD_FUZZ)
    target_link_options(fuzz_${T_NAME} PRIVATE -fsanitize=fuzzer)
    set(arguments -runs=0 ${corpus})
  else()
    target_sources(fuzz_${T_NAME} PRIVATE ${PROJECT_SOURCE_DIR}/fuzz/replay.c)
    set(arguments ${corpus})
  endif()
  if(SKUA_BUILD_TESTS)
    add_test(NAME fuzz.${T_NAME} COMMAND fuzz_${T_NAME} ${arguments})
    set_tests_properties(fuzz.${T_NAME} PROPERTIES LABELS fuzz TIMEOUT 300)
  endif()
endfunction()
