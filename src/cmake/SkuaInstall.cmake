# What `cmake --install` puts where: headers, libraries, pkg-config files and the CMake package. tests/install builds
# outside projects against the result.
include(CMakePackageConfigHelpers)
set(SKUA_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/skua)

set(libraries skua_static skua_shared)
set(modules skua)
if(TARGET skua_ev_static)
  list(APPEND libraries skua_ev_static skua_ev_shared)
  list(APPEND modules skua_ev)
endif()

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/skua DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h" PATTERN "*.def")
install(TARGETS ${libraries} EXPORT skua
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT skua NAMESPACE skua:: FILE skuaTargets.cmake DESTINATION ${SKUA_CMAKE_DIR})

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/skuaConfig.cmake.in ${PROJECT_BINARY_DIR}/skuaConfig.cmake
                              INSTALL_DESTINATION ${SKUA_CMAKE_DIR} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/skuaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/skuaConfig.cmake ${PROJECT_BINARY_DIR}/skuaConfigVersion.cmake
              ${CMAKE_CURRENT_LIST_DIR}/FindLibEv.cmake DESTINATION ${SKUA_CMAKE_DIR})

# The .pc files name their directories relative to themselves, so that an installed tree can be moved (and staged).
file(RELATIVE_PATH SKUA_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
foreach(module IN LISTS modules)
  configure_file(${CMAKE_CURRENT_LIST_DIR}/${module}.pc.in ${PROJECT_BINARY_DIR}/${module}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${module}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()

install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/SECURITY.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md")
