// The invariants of the files that a broker leaves after a clean stop, looked at from outside:
//   F1  each log is a row of whole batches: checksums right, offsets without a gap, epochs never going back
//   F2  each entry of an offset index names the last offset of a batch and points at it, in growing order
//   F3  each entry of a time index names the largest timestamp so far and an offset up to which it holds
//   F4  checkpoints speak of offsets that are there; a clean stop leaves recovery points at the ends
//   F5  the producer snapshot at a log's end equals a scan of the log
//   F6  a producer id was given to one producer only
#pragma once

#include "history.h"
#include "runtime/simulation/disk.h"

namespace klamm::simulation {

// Tells the history of each violation.
void check_files(const runtime::simulation::SimulatedDisk& disk, History& history);

}  // namespace klamm::simulation
