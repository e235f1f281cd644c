// What most files of this room include, compiled once: the controller, the image and the table of partitions.
#pragma once

#include "base/precompiled.h"
#include "controller/controller.h"
#include "metadata/delta.h"
#include "replication/partition_table.h"
