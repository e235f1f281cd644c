// What most files of this room include, compiled once: the core that all calls go through.
#pragma once

#include "base/precompiled.h"
#include "client/core.h"
