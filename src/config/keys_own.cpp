// Klamm's own keys. Apache Kafka only warns of them in the same file.
#include "config/key_table.h"

namespace klamm::config {
namespace {

constexpr std::string_view record_validations[] = {"pass-through", "strict"};
constexpr std::string_view switches[] = {"auto", "on", "off"};

// Internal, so that a broker on which none of them is set describes itself exactly as Apache Kafka does.
constexpr Key own[] = {
    {"klamm.validate.records", Type::string, "pass-through", one_of(record_validations), medium, read_only, active,
     "Whether compressed batches of ordinary topics are opened and checked record by record (strict), or stored after "
     "a check "
     "of their header and checksum (pass-through).",
     internal},
    {"klamm.groups.memory.bytes", Type::int64, "268435456", at_least(1048576), medium, read_only, active,
     "Memory for consumer groups and their offsets, in bytes; a call that would need more is answered with "
     "COORDINATOR_NOT_AVAILABLE, upon which clients come again later.",
     internal},
    {"klamm.transactions.memory.bytes", Type::int64, "268435456", at_least(1048576), medium, read_only, active,
     "Memory for transactions, in bytes; a call that would need more is answered with COORDINATOR_NOT_AVAILABLE, upon "
     "which clients come again later.",
     internal},
    {"klamm.io.uring", Type::string, "auto", one_of(switches), low, read_only, active,
     "Whether files are read and synced through io_uring: where the kernel allows it (auto), always (on), never (off).",
     internal},
    {"klamm.reactors", Type::int32, "0", between(0, 1024), medium, read_only, active,
     "Threads that serve connections; 0 for one a processor core.", internal},
    {"klamm.request.pool.bytes", Type::int64, "67108864", at_least(1048576), medium, read_only, active,
     "Memory for requests that are being received or handled, in bytes; when it is used up, sockets are not read.",
     internal},
    {"klamm.io.threads", Type::int32, "0", between(0, 1024), medium, read_only, active,
     "Threads for what blocks on the disk; 0 for four.", internal},
    {"klamm.trace.requests", Type::int32, "0", at_least(0), low, read_only, active,
     "After how many requests of a reactor the log says where their time went, step by step; 0 traces none.", internal},
};

}  // namespace

std::span<const Key> own_keys() {
  return own;
}

}  // namespace klamm::config
