# schemas/ -> ${CMAKE_BINARY_DIR}/generated/protocol/messages/*.h and *.cpp, by tools/schemagen.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
file(GLOB_RECURSE KLAMM_SCHEMAS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/schemas/*.schema)
file(GLOB KLAMM_SCHEMAGEN CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/schemagen/*.py)
