// What most files of this room include, compiled once: the client that the tools share.
#pragma once

#include "base/precompiled.h"
#include "cli/tool_client.h"
