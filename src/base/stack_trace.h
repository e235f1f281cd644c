// The stack of the calling thread and the build id of the program, for an ENSURE and for fatal signals.
#pragma once

namespace klamm {

// Writes to the file descriptor: the build id, then a line per frame (module, offset, symbol when it is known). Safe in
// a signal handler once it was called before (the first call may load the unwinder).
void print_stack_trace(int fd);

}  // namespace klamm
