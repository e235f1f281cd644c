// Metadata transactions (KIP-868): records between a begin and an end count together or not at all. A reader of the log
// passes every record through here and replays what comes out.
// Source of behaviour: org.apache.kafka.image.loader.MetadataBatchLoader.
#pragma once

#include <optional>

#include "base/types.h"
#include "metadata/record.h"

namespace klamm::metadata {

class TransactionFilter {
 public:
  // The records that may be replayed now, in order: the record itself outside of a transaction, all of a transaction at
  // its end, none inside of one. Throws BadRecord when begin, end and abort do not fit.
  Records pass(Offset offset, Record record);

  // Where the open transaction began; nothing outside of one. What is still in it when the log ends was never
  // committed.
  std::optional<Offset> open_since() const { return begin_; }

 private:
  std::optional<Offset> begin_;
  Records held_;
};

}  // namespace klamm::metadata
