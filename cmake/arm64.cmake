# Builds for arm64 Linux on another Debian: with its cross compiler, against the packages that tools/arm64 unpacks, and with its qemu
# for what is run while testing.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

set(arm64_tool ${CMAKE_CURRENT_LIST_DIR}/../tools/arm64)
execute_process(COMMAND ${arm64_tool} path OUTPUT_VARIABLE CMAKE_SYSROOT OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
if(NOT EXISTS ${CMAKE_SYSROOT}/.ready)
  message(FATAL_ERROR "${CMAKE_SYSROOT}: expected arm64 packages there, got none: run tools/arm64 setup first")
endif()
file(REAL_PATH ${arm64_tool} arm64_tool)
set(CMAKE_CROSSCOMPILING_EMULATOR ${arm64_tool} run) # on sid's drivers

set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_DIR} "")
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${CMAKE_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${CMAKE_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${CMAKE_SYSROOT}/usr/share/pkgconfig)
