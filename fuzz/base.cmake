set(models ${PROJECT_SOURCE_DIR}/tests/unit/base)
skua_fuzz_target(NAME containers FLOORS base SOURCES fuzz_containers.c
  ${models}/model_handles.c ${models}/model_map.c ${models}/model_rangeset.c
  ${models}/model_replay.c ${models}/model_timers.c)
target_include_directories(fuzz_containers PRIVATE ${models})
