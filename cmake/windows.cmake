# The tools that make Windows programs on Debian: MinGW-w64, in the variant with POSIX threads. tools/windows puts the libraries that it
# lacks into PUMICE_WINDOWS_LIBRARIES. Everything is linked in, so that nothing but the program and its library has to be carried.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc-posix)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)
# PCRE2's header wants to be told.
set(CMAKE_C_FLAGS_INIT -DPCRE2_STATIC)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_SHARED_LINKER_FLAGS_INIT -static)

set(PUMICE_WINDOWS_LIBRARIES ${CMAKE_CURRENT_LIST_DIR}/../build/windows-libraries CACHE PATH "Libraries for Windows, made by tools/windows")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES PUMICE_WINDOWS_LIBRARIES)
set(CMAKE_FIND_ROOT_PATH ${PUMICE_WINDOWS_LIBRARIES})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
# Theirs and nothing of this machine's.
set(ENV{PKG_CONFIG_LIBDIR} ${PUMICE_WINDOWS_LIBRARIES}/lib/pkgconfig)
set(ENV{PKG_CONFIG_PATH} "")
