# What `cmake --install` puts where: programs, library, header, a pkg-config file and a CMake package. Everything finds
# everything else by relative paths, so that the installed folder may be moved.
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/pumice)

install(TARGETS pumice EXPORT pumiceTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${CMAKE_SOURCE_DIR}/runtime/pumice.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

file(RELATIVE_PATH bin_to_lib ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
foreach(program pumice_cli pumice_window)
  if(TARGET ${program})
    set_target_properties(${program} PROPERTIES INSTALL_RPATH $ORIGIN/${bin_to_lib})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()

file(RELATIVE_PATH PUMICE_PC_TO_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(${CMAKE_SOURCE_DIR}/cmake/pumice.pc.in ${CMAKE_BINARY_DIR}/cmake/pumice.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/cmake/pumice.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/pumiceConfig.cmake.in ${CMAKE_BINARY_DIR}/cmake/pumiceConfig.cmake
  INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/cmake/pumiceConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/cmake/pumiceConfig.cmake ${CMAKE_BINARY_DIR}/cmake/pumiceConfigVersion.cmake
  DESTINATION ${package_folder})
install(EXPORT pumiceTargets NAMESPACE pumice:: DESTINATION ${package_folder})
