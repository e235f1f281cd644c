// Runs a tool inside a test: what it prints and its exit code. For tests only.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "cli/command_line.h"

namespace klamm::cli {

struct ToolRun {
  int code = -1;  // -1: it went on (ToolRun of a function that only parses)
  std::string out;
  std::string error;
};

// `tool` is given Streams that write into files which nobody has to drain.
template <typename Tool>
ToolRun run_in_test(Tool&& tool) {
  std::FILE* out = std::tmpfile();
  std::FILE* error = std::tmpfile();
  ToolRun run;
  {
    Streams streams(0, ::fileno(out), ::fileno(error));
    try {
      run.code = tool(streams);
    } catch (const ToolExit& exit) {
      run.code = exit.code;
    }
  }
  const auto content = [](std::FILE* file) {
    std::string text;
    char buffer[4096];
    std::rewind(file);
    while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, file)) text.append(buffer, n);
    std::fclose(file);
    return text;
  };
  run.out = content(out);
  run.error = content(error);
  return run;
}

}  // namespace klamm::cli
