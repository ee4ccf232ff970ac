# libev ships neither a pkg-config file nor a CMake package in most distributions: find header and library by name.
find_path(LibEv_INCLUDE_DIR ev.h)
find_library(LibEv_LIBRARY ev)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibEv REQUIRED_VARS LibEv_LIBRARY LibEv_INCLUDE_DIR)
if(LibEv_FOUND AND NOT TARGET LibEv::LibEv)
  add_library(LibEv::LibEv UNKNOWN IMPORTED)
  set_target_properties(LibEv::LibEv PROPERTIES IMPORTED_LOCATION "${LibEv_LIBRARY}"
                        INTERFACE_INCLUDE_DIRECTORIES "${LibEv_INCLUDE_DIR}")
endif()
