// What most files of this room include, compiled once: directories and the state of a log.
#pragma once

#include "base/precompiled.h"
#include "storage/log_directories.h"
#include "storage/log_state.h"
