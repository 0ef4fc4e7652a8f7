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

# The helper that the library starts, where base/child.c looks for it.
file(RELATIVE_PATH libexec_to_lib ${CMAKE_INSTALL_FULL_LIBEXECDIR}/pumice ${CMAKE_INSTALL_FULL_LIBDIR})
set_target_properties(pumice_check PROPERTIES INSTALL_RPATH $ORIGIN/${libexec_to_lib})
if(WIN32)
  install(TARGETS pumice_check RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  # Of what is linked in.
  install(DIRECTORY ${PUMICE_WINDOWS_LIBRARIES}/licences DESTINATION ${CMAKE_INSTALL_DOCDIR})
else()
  install(TARGETS pumice_check RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/pumice)
endif()

# What each program brings along: its manual page and completions; the window also what makes it part of a desktop.
set(programs pumice)
if(TARGET pumice_window)
  list(APPEND programs pumice-chat)
  install(FILES ${CMAKE_SOURCE_DIR}/assets/pumice-chat.desktop DESTINATION ${CMAKE_INSTALL_DATADIR}/applications)
  install(FILES ${CMAKE_SOURCE_DIR}/assets/pumice-chat.svg DESTINATION ${CMAKE_INSTALL_DATADIR}/icons/hicolor/scalable/apps)
  install(FILES ${CMAKE_SOURCE_DIR}/assets/org.pumice.Pumice.metainfo.xml DESTINATION ${CMAKE_INSTALL_DATADIR}/metainfo)
  install(FILES ${CMAKE_SOURCE_DIR}/assets/pumice-mime.xml DESTINATION ${CMAKE_INSTALL_DATADIR}/mime/packages RENAME pumice.xml)
endif()
if(WIN32) # which has neither manual pages nor these shells
  set(programs "")
endif()
set(completions ${CMAKE_SOURCE_DIR}/assets/completions)
foreach(program ${programs})
  install(FILES ${CMAKE_SOURCE_DIR}/docs/man/${program}.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${completions}/${program}.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME ${program})
  install(FILES ${completions}/_${program} DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES ${completions}/${program}.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
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
