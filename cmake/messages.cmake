# schemas/ -> ${CMAKE_BINARY_DIR}/generated/protocol/messages/*.h and *.cpp, by tools/schemagen.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
file(GLOB_RECURSE KLAMM_SCHEMAS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/schemas/*.schema)
file(GLOB KLAMM_SCHEMAGEN CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/schemagen/*.py)

set(schemagen ${CMAKE_SOURCE_DIR}/tools/schemagen/generate.py)
set(generated ${CMAKE_BINARY_DIR}/generated)

# Which files there will be depends on the schemas alone; a new schema file configures again.
execute_process(COMMAND ${Python3_EXECUTABLE} -B ${schemagen} --list ${CMAKE_SOURCE_DIR}/schemas ${generated}
                OUTPUT_VARIABLE generated_names OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "\n" ";" generated_names "${generated_names}")
list(TRANSFORM generated_names PREPEND ${generated}/ OUTPUT_VARIABLE generated_files)

# The stamp is the output and the files are by-products, so that what did not change is not compiled again.
add_custom_command(
  OUTPUT ${generated}/schemas.stamp
  BYPRODUCTS ${generated_files}
  COMMAND ${Python3_EXECUTABLE} -B ${schemagen} ${CMAKE_SOURCE_DIR}/schemas ${generated}
  COMMAND ${CMAKE_COMMAND} -E touch ${generated}/schemas.stamp
  DEPENDS ${KLAMM_SCHEMAS} ${KLAMM_SCHEMAGEN} ${CMAKE_SOURCE_DIR}/src/base/error_code.h
  COMMENT "schemas to messages"
  VERBATIM)
add_custom_target(klamm_messages DEPENDS ${generated}/schemas.stamp)

set(KLAMM_GENERATED_protocol ${generated_files})
list(FILTER KLAMM_GENERATED_protocol INCLUDE REGEX "\\.cpp$")
set(KLAMM_GENERATED_TARGETS_protocol klamm_messages)

# Printing and the catalog of all messages are cold: less optimisation halves what they take to compile.
set(cold ${KLAMM_GENERATED_protocol})
list(FILTER cold INCLUDE REGEX "_json\\.cpp$")
set_source_files_properties(${cold} ${CMAKE_SOURCE_DIR}/src/protocol/catalog.cpp PROPERTIES COMPILE_OPTIONS "-O1")
