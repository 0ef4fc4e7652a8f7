# The shader compilers of this machine, and what they can do.
#
# A word of a row's needs with a file probes/WORD.comp asks something of the compiler too: it must make valid SPIR-V of that file. Each
# row is built by the first compiler that can. SPIR-V is the same whoever made it. It is that of Vulkan 1.1, or of the version that is among
# the needs.
set(PUMICE_SHADER_TOOLS ${CMAKE_SOURCE_DIR}/build/shader-tools CACHE PATH
  "Folder with a newer glslang and spirv-val, made by tools/chat and tools/test")

# A compiler is a number i with GLSLANG_i and SPIRV_VAL_i.
set(compilers "")
# find_compiler(i options…): options are find_program's.
macro(find_compiler i)
  find_program(GLSLANG_${i} NAMES glslangValidator glslang ${ARGN})
  find_program(SPIRV_VAL_${i} NAMES spirv-val ${ARGN})
  mark_as_advanced(GLSLANG_${i} SPIRV_VAL_${i})
  if(GLSLANG_${i} AND SPIRV_VAL_${i})
    list(APPEND compilers ${i})
    set(n_built_by_${i} 0)
  endif()
endmacro()
find_compiler(0)
find_compiler(1 PATHS ${PUMICE_SHADER_TOOLS}/bin NO_DEFAULT_PATH)
if(compilers STREQUAL "")
  message(FATAL_ERROR "expected glslangValidator and spirv-val on the PATH, got ${GLSLANG_0} and ${SPIRV_VAL_0}: install Debian's "
    "glslang-tools and spirv-tools, or the Vulkan SDK")
endif()

# The first one, for the kernels of the tests.
list(GET compilers 0 first)
set(GLSLANG ${GLSLANG_${first}} PARENT_SCOPE)
set(SPIRV_VAL ${SPIRV_VAL_${first}} PARENT_SCOPE)

# Sets CAN_i to the words whose probe compiler i compiles.
file(GLOB probes CONFIGURE_DEPENDS probes/*.comp)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${probes})
set(probed_words "")
foreach(probe IN LISTS probes)
  cmake_path(GET probe STEM word)
  list(APPEND probed_words ${word})
  foreach(i IN LISTS compilers)
    set(spv ${CMAKE_CURRENT_BINARY_DIR}/probe_${word}_${i}.spv)
    foreach(target vulkan1.1 vulkan1.3)
      execute_process(COMMAND ${GLSLANG_${i}} -V --target-env ${target} -o ${spv} ${probe} RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
      if(NOT failed)
        execute_process(COMMAND ${SPIRV_VAL_${i}} --target-env ${target} ${spv} RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
      endif()
      if(NOT failed)
        list(APPEND CAN_${i} ${word})
        break()
      endif()
    endforeach()
  endforeach()
endforeach()

# choose_compiler(needs i lacking): the first compiler that can build a row with these needs; or "", and the words that the last one does
# not know.
function(choose_compiler needs i lacking)
  string(REPLACE "," ";" words "${needs}")
  foreach(compiler IN LISTS compilers)
    set(unknown "")
    foreach(word IN LISTS words)
      if(word IN_LIST probed_words AND NOT word IN_LIST CAN_${compiler})
        list(APPEND unknown ${word})
      endif()
    endforeach()
    if(unknown STREQUAL "")
      set(${i} ${compiler} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  set(${i} "" PARENT_SCOPE)
  set(${lacking} ${unknown} PARENT_SCOPE)
endfunction()

# Says which compiler builds how many variants (n_built_by_<i>), and which are left out (names) for want of what (words).
function(say_compilers left_out lacking)
  set(summary "")
  foreach(i IN LISTS compilers)
    if(n_built_by_${i})
      execute_process(COMMAND ${GLSLANG_${i}} --version OUTPUT_VARIABLE version ERROR_QUIET)
      string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" version "${version}")
      list(APPEND summary "${n_built_by_${i}} by glslang ${version} (${GLSLANG_${i}})")
    endif()
  endforeach()
  if(left_out)
    list(LENGTH left_out n)
    list(REMOVE_DUPLICATES lacking)
    list(JOIN lacking ", " words)
    list(JOIN left_out " " names)
    list(APPEND summary "${n} left out, because no compiler here knows ${words} (tools/chat and tools/test get one that does): ${names}")
  endif()
  list(JOIN summary ", " summary)
  message(STATUS "Shader variants: ${summary}")
endfunction()
