// What most files of this room include, compiled once: calls and the image.
#pragma once

#include "base/precompiled.h"
#include "controller/call.h"
#include "metadata/delta.h"
