# For Windows a folder in an archive, which runs from where it is unpacked.
if(WIN32)
  set(CPACK_GENERATOR ZIP)
  set(CPACK_STRIP_FILES ON)
  include(CPack)
  return()
endif()

# `cpack -G DEB` in the build folder makes a Debian package. CPack gives it scripts that call ldconfig; the caches of icons, menus and
# types are renewed by the triggers of those who keep them.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME pumice)
set(CPACK_PACKAGE_VENDOR Pumice)
set(CPACK_PACKAGE_CONTACT "The Pumice maintainers <maintainers@pumice.invalid>" CACHE STRING "Who makes the package")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "chat with language models on any Vulkan GPU")
set(CPACK_PACKAGE_DESCRIPTION "Pumice runs LLaMA-family language models, kept in GGUF files, on any GPU that has a
Vulkan driver, and on a CPU driver where there is none. This package holds the
window (pumice-chat), the command-line program (pumice) and the library.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
# Whatever the umask of who makes it.
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_LIBRARY_OUTPUT_DIRECTORY})
# Opened while running, so that dpkg-shlibdeps does not see it.
set(CPACK_DEBIAN_PACKAGE_DEPENDS libvulkan1)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "mesa-vulkan-drivers, fonts-dejavu-core, ca-certificates")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS fonts-noto-cjk)
include(CPack)
