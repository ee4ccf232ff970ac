# libsodium: the system's, or with -DSKUA_SODIUM=DIR the one installed under that prefix (tools/newer-libsodium.sh makes
# one). AEGIS-128L is compiled in where its headers have it.
set(SKUA_SODIUM "" CACHE PATH "Install prefix of the libsodium to use instead of the system's")
if(NOT "${SKUA_SODIUM}" STREQUAL "${SKUA_SODIUM_FOUND_IN}")
  # FindPkgConfig remembers what it found first.
  unset(__pkg_config_checked_SODIUM CACHE)
  unset(pkgcfg_lib_SODIUM_sodium CACHE)
endif()
set(SKUA_SODIUM_FOUND_IN "${SKUA_SODIUM}" CACHE INTERNAL "the prefix that was looked in last")

set(path "$ENV{PKG_CONFIG_PATH}")
if(SKUA_SODIUM)
  get_filename_component(SKUA_SODIUM_PC "${SKUA_SODIUM}/lib/pkgconfig" ABSOLUTE BASE_DIR "${PROJECT_SOURCE_DIR}")
  if(NOT EXISTS "${SKUA_SODIUM_PC}/libsodium.pc")
    message(FATAL_ERROR "SKUA_SODIUM: there is no ${SKUA_SODIUM_PC}/libsodium.pc; tools/newer-libsodium.sh makes one")
  endif()
  set(ENV{PKG_CONFIG_PATH} "${SKUA_SODIUM_PC}:${path}")
endif()
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium>=1.0.18)
set(ENV{PKG_CONFIG_PATH} "${path}")
if(SKUA_SODIUM)
  # It is not on the loader's path: what is installed remembers where it is, as what is built does anyway.
  set(CMAKE_INSTALL_RPATH "${SODIUM_LIBDIR}")
endif()

# What an installed Skua asks for: a static library with AEGIS-128L in it does not link with less.
set(SKUA_SODIUM_NEEDED 1.0.18)
if(SODIUM_VERSION VERSION_GREATER_EQUAL 1.0.19)
  set(SKUA_SODIUM_NEEDED 1.0.19)
endif()
message(STATUS "libsodium ${SODIUM_VERSION} in ${SODIUM_PREFIX}")
