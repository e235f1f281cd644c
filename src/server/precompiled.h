// What most files of this room include, compiled once: calls, shards and the view of the metadata.
#pragma once

#include "base/precompiled.h"
#include "controller/call.h"
#include "server/exchange.h"
#include "server/group_calls.h"
#include "server/metadata_view.h"
#include "server/transaction_shards.h"
#include "server/worker.h"
