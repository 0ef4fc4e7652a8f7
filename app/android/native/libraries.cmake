# What pkg-config finds on a desktop, for the NDK from the sources of Debian's packages in PUMICE_ANDROID_SOURCES (tools/android puts them there).
set(PUMICE_ANDROID_SOURCES "" CACHE PATH "Folder with pcre2, libsdl2, libsdl2-ttf, freetype, md4c, fribidi, utf8proc, vulkan-volk, sqlite3, jansson, mbedtls, curl and nettle")
foreach(name pcre2 libsdl2 libsdl2-ttf freetype md4c fribidi utf8proc vulkan-volk sqlite3 jansson mbedtls curl nettle)
  if(NOT IS_DIRECTORY "${PUMICE_ANDROID_SOURCES}/${name}")
    message(FATAL_ERROR "PUMICE_ANDROID_SOURCES: expected the sources of ${name} in ${PUMICE_ANDROID_SOURCES}/${name}, got none: "
      "tools/android gets them")
  endif()
endforeach()

# Pages of 16 KiB, as newer devices have them.
add_link_options(-Wl,-z,max-page-size=16384)

set(BUILD_SHARED_LIBS OFF)
set(PCRE2_BUILD_PCRE2GREP OFF CACHE BOOL "")
set(PCRE2_BUILD_TESTS OFF CACHE BOOL "")
add_subdirectory(${PUMICE_ANDROID_SOURCES}/pcre2 libraries/pcre2 EXCLUDE_FROM_ALL)

foreach(feature ZLIB BZIP2 PNG HARFBUZZ BROTLI)
  set(FT_DISABLE_${feature} ON CACHE BOOL "")
endforeach()
add_subdirectory(${PUMICE_ANDROID_SOURCES}/freetype libraries/freetype EXCLUDE_FROM_ALL)

# SDL is a library of its own: its activity loads it by name. SDL2_ttf is one file, and text is drawn without kerning: no HarfBuzz.
set(SDL_SHARED ON CACHE BOOL "")
set(SDL_STATIC OFF CACHE BOOL "")
set(SDL_TEST OFF CACHE BOOL "")
add_subdirectory(${PUMICE_ANDROID_SOURCES}/libsdl2 libraries/sdl EXCLUDE_FROM_ALL)
add_library(sdl2_ttf STATIC ${PUMICE_ANDROID_SOURCES}/libsdl2-ttf/SDL_ttf.c)
target_include_directories(sdl2_ttf PUBLIC ${PUMICE_ANDROID_SOURCES}/libsdl2-ttf)
target_compile_definitions(sdl2_ttf PRIVATE TTF_USE_HARFBUZZ=0)
target_link_libraries(sdl2_ttf PUBLIC SDL2 PRIVATE freetype)

add_library(md4c STATIC ${PUMICE_ANDROID_SOURCES}/md4c/src/md4c.c)
target_include_directories(md4c PUBLIC ${PUMICE_ANDROID_SOURCES}/md4c/src)
target_compile_definitions(md4c PRIVATE MD4C_USE_UTF8)
add_library(PkgConfig::MD4C ALIAS md4c)

# FriBidi's release holds its tables; what its configuring finds out is the same on every Android.
file(GLOB fribidi_sources ${PUMICE_ANDROID_SOURCES}/fribidi/lib/*.c)
add_library(fribidi STATIC ${fribidi_sources})
target_include_directories(fribidi PUBLIC ${PUMICE_ANDROID_SOURCES}/fribidi/lib)
target_compile_definitions(fribidi PUBLIC DONT_HAVE_FRIBIDI_CONFIG_H PRIVATE HAVE_STDLIB_H=1 HAVE_STRING_H=1 HAVE_MEMORY_H=1 STDC_HEADERS=1
  HAVE_STRINGIZE=1)
add_library(PkgConfig::FRIBIDI ALIAS fribidi)

# One file, which includes its tables.
add_library(utf8proc STATIC ${PUMICE_ANDROID_SOURCES}/utf8proc/utf8proc.c)
target_include_directories(utf8proc PUBLIC ${PUMICE_ANDROID_SOURCES}/utf8proc)
target_compile_definitions(utf8proc PUBLIC UTF8PROC_STATIC)
add_library(PkgConfig::UTF8PROC ALIAS utf8proc)

# SQLite is one file, sqlite3.c, with its full-text index.
add_library(sqlite3 STATIC ${PUMICE_ANDROID_SOURCES}/sqlite3/sqlite3.c)
target_include_directories(sqlite3 PUBLIC ${PUMICE_ANDROID_SOURCES}/sqlite3)
target_compile_definitions(sqlite3 PRIVATE SQLITE_ENABLE_FTS5 SQLITE_SECURE_DELETE)
target_link_libraries(sqlite3 PRIVATE m)
set(JANSSON_BUILD_DOCS OFF CACHE BOOL "")
set(JANSSON_EXAMPLES OFF CACHE BOOL "")
set(JANSSON_WITHOUT_TESTS ON CACHE BOOL "")
add_subdirectory(${PUMICE_ANDROID_SOURCES}/jansson libraries/jansson EXCLUDE_FROM_ALL)
add_library(pumice_jansson INTERFACE)
target_include_directories(pumice_jansson INTERFACE ${CMAKE_BINARY_DIR}/libraries/jansson/include)
target_link_libraries(pumice_jansson INTERFACE jansson)
add_library(PkgConfig::STORE_JANSSON ALIAS pumice_jansson)
add_library(PkgConfig::SQLITE ALIAS sqlite3)

# curl, for http and https alone, with Mbed TLS and the certificates that Android has. It looks for Mbed TLS as an installed library.
set(ENABLE_PROGRAMS OFF CACHE BOOL "")
set(ENABLE_TESTING OFF CACHE BOOL "")
set(MBEDTLS_FATAL_WARNINGS OFF CACHE BOOL "")
add_subdirectory(${PUMICE_ANDROID_SOURCES}/mbedtls libraries/mbedtls EXCLUDE_FROM_ALL)
set(MBEDTLS_INCLUDE_DIRS ${PUMICE_ANDROID_SOURCES}/mbedtls/include CACHE PATH "")
set(MBEDTLS_LIBRARY mbedtls CACHE STRING "")
set(MBEDX509_LIBRARY mbedx509 CACHE STRING "")
set(MBEDCRYPTO_LIBRARY mbedcrypto CACHE STRING "")
set(HTTP_ONLY ON CACHE BOOL "")
set(CURL_USE_MBEDTLS ON CACHE BOOL "")
set(CURL_USE_OPENSSL OFF CACHE BOOL "")
foreach(option BUILD_CURL_EXE BUILD_TESTING CURL_USE_LIBSSH2 USE_NGHTTP2 USE_LIBIDN2 CURL_ZLIB CURL_BROTLI CURL_ZSTD
    CURL_ENABLE_EXPORT_TARGET)
  set(${option} OFF CACHE BOOL "")
endforeach()
set(CURL_CA_BUNDLE none CACHE STRING "")
set(CURL_CA_PATH none CACHE STRING "") # download_fetch.c names the folder
add_subdirectory(${PUMICE_ANDROID_SOURCES}/curl libraries/curl EXCLUDE_FROM_ALL)
add_library(pumice_curl INTERFACE)
target_link_libraries(pumice_curl INTERFACE libcurl)
add_library(PkgConfig::CURL ALIAS pumice_curl)

# Of nettle SHA-256 alone: plain C, without what its configuring finds out.
set(nettle ${PUMICE_ANDROID_SOURCES}/nettle)
file(GLOB nettle_sources ${nettle}/sha256.c ${nettle}/sha256-compress*.c ${nettle}/write-be32.c)
add_library(nettle STATIC ${nettle_sources})
target_include_directories(nettle PUBLIC ${PUMICE_ANDROID_SOURCES} PRIVATE ${nettle})
target_compile_definitions(nettle PUBLIC NETTLE_VERSION_MAJOR=3)
add_library(PkgConfig::NETTLE ALIAS nettle)

add_library(pumice_pcre2 INTERFACE)
target_link_libraries(pumice_pcre2 INTERFACE pcre2-8-static)
add_library(PkgConfig::PCRE2 ALIAS pumice_pcre2)
add_library(pumice_sdl INTERFACE)
target_link_libraries(pumice_sdl INTERFACE SDL2 sdl2_ttf)
add_library(PkgConfig::SDL ALIAS pumice_sdl)
set(VOLK_INCLUDE_DIR ${PUMICE_ANDROID_SOURCES}/vulkan-volk CACHE PATH "")
