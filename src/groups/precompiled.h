// What most files of this room include, compiled once: both kinds of groups.
#pragma once

#include "base/precompiled.h"
#include "groups/classic.h"
#include "groups/consumer.h"
#include "groups/group_coordinator.h"
