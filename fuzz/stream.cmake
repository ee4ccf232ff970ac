# The stream floor: reassembly and send buffer against naive models, and two tables of streams that talk through a
# lossy channel, with the input as the source of all choices. Models and channel are shared with the unit tests.
set(stream_shared ${PROJECT_SOURCE_DIR}/tests/unit/stream)
foreach(target stream_recv stream_send stream_pair)
  skua_fuzz_target(NAME ${target}
    SOURCES fuzz_${target}.c ${stream_shared}/model.c ${stream_shared}/pair.c FLOORS base wire stream)
  target_include_directories(fuzz_${target} PRIVATE ${stream_shared})
endforeach()
