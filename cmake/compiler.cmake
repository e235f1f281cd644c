# Which compiler, how strict, and which sanitizer. Older compilers miscompile our coroutines (g++ 12 destroys
# temporaries in co_await expressions twice) or lack std::expected with libstdc++ 12 (clang 16 to 18).
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 19)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 14)
else()
  message(FATAL_ERROR "Klamm needs clang 19 or g++ 14 or newer; found ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}. "
                      "On Debian 12: apt-get install clang-19 lld-19, then cmake --preset release.")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
# -g1 keeps function names and lines for stack traces at a quarter of the size of full debug information.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1 -fno-omit-frame-pointer")

set(KLAMM_SANITIZE "" CACHE STRING "comma separated sanitizers: address,undefined or thread")
option(KLAMM_FUZZ "build the libFuzzer targets" OFF)

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wconversion -Wno-sign-conversion
                    -Wno-missing-field-initializers -Werror -fstack-protector-strong -fPIE)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-fcolor-diagnostics -Wno-missing-designated-field-initializers)
endif()
if(KLAMM_SANITIZE)
  add_compile_options(-fsanitize=${KLAMM_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${KLAMM_SANITIZE})
else()
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()
if(KLAMM_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
add_link_options(-fuse-ld=lld -pie -Wl,-z,relro,-z,now -Wl,--build-id)

find_program(CCACHE ccache)
if(CCACHE)
  # The precompiled header changes nothing in what a file means; ccache is told so.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
  add_compile_options(-Xclang -fno-pch-timestamp)
endif()
