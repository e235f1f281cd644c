// Bugs that can be planted, to see that tests find them. In every program that is shipped none can be: planted() is a
// constant there. Only what is compiled with KLAMM_PLANTS (tests/simulation compiles these sources once more for
// itself) asks a variable. docs/simulation.md tells what each does.
#pragma once

#include <cstdint>

namespace klamm {

enum class Plant : std::uint8_t {
  none,
  unsynced_ack,          // flush.messages=1 does not make an acknowledgement wait for the disk
  unsynced_metadata,     // an answer, image or producer id rests on records of the metadata log that are not on disk
  torn_tail,             // recovery takes a batch whose checksum is wrong
  duplicate_sequence,    // a batch that was sent again is appended again
  index_beyond_log,      // recovery leaves old entries of an index behind the new ones
  checkpoint_ahead,      // the recovery point is that of the log's end, synced or not
  unsynced_roll,         // the directory is not synced after a roll
  good_batch_truncated,  // recovery cuts off the last batch, whole as it is
  lost_wake_up,          // who asks for a flush while one is running is not served by the next
  tail_behind_end,       // recovery leaves what lies behind the end of a segment, in the end's own block
  early_answer,          // a coordinator answers before what the answer rests on is in its log
  lost_marker,           // a marker that cannot be written now is never written
  skipped_fence,         // the coordinator does not look at the epoch with which a transaction is ended
  two_owners,            // a member is given what another one has not given up
  skipped_generation,    // a commit counts whatever its generation
};

#ifdef KLAMM_PLANTS
inline Plant the_plant = Plant::none;
inline bool planted(Plant plant) {
  return the_plant == plant;
}
#else
constexpr bool planted(Plant) {
  return false;
}
#endif

}  // namespace klamm
