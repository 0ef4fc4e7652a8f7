# One shader: GLSL → SPIR-V → spirv-val → C. Run by the build as a script, with NAME, SOURCE, DEFINES, TARGET, INCLUDE, OUT.
# SPIR-V 1.3, that of Vulkan 1.1, has the size of a workgroup as a built-in constant; 1.6 would have it as a mode, and the layer calls the
# older way BestPractices-SpirvDeprecated_WorkgroupSize. The floor is 1.1, and every driver takes it.
set(flags "")
foreach(define IN LISTS DEFINES)
  list(APPEND flags -D${define})
endforeach()
execute_process(COMMAND ${GLSLANG} -V --target-env ${TARGET} -I${INCLUDE} ${flags} --depfile ${OUT}.spv.d -o ${OUT}.spv ${SOURCE}
  RESULT_VARIABLE failed OUTPUT_VARIABLE log ERROR_VARIABLE log)
if(failed OR log MATCHES "WARNING|ERROR")
  message(FATAL_ERROR "${NAME} (${SOURCE}; ${DEFINES}) does not compile cleanly:\n${log}")
endif()
execute_process(COMMAND ${SPIRV_VAL} --target-env ${TARGET} ${OUT}.spv RESULT_VARIABLE failed OUTPUT_VARIABLE log ERROR_VARIABLE log)
if(failed)
  message(FATAL_ERROR "${NAME} (${SOURCE}): spirv-val refuses it:\n${log}")
endif()
file(READ ${OUT}.spv hex HEX)
string(REGEX REPLACE "(..)(..)(..)(..)" "0x\\4\\3\\2\\1," words "${hex}")
string(REGEX REPLACE "((0x........,)(0x........,)(0x........,)(0x........,)(0x........,)(0x........,)(0x........,)(0x........,))" "\\1\n" words "${words}")
file(WRITE ${OUT} "/* Generated from ${NAME} of shaders/variants.txt. */
#include <stddef.h>
#include <stdint.h>
extern const uint32_t shader_${NAME}[];
extern const size_t shader_${NAME}_words;
const uint32_t shader_${NAME}[] = {
${words}
};
const size_t shader_${NAME}_words = sizeof shader_${NAME} / 4;
")
# The build waits for OUT, not for the SPIR-V that the compiler names in its dependency file.
file(READ ${OUT}.spv.d deps)
string(REPLACE "${OUT}.spv:" "${OUT}:" deps "${deps}")
file(WRITE ${OUT}.d "${deps}")
