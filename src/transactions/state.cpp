#include "transactions/state.h"

namespace klamm::transactions {

using coordination::node_bytes;
using coordination::string_bytes;

std::size_t bytes_of(const Partitions& partitions) {
  std::size_t bytes = 0;
  for (const auto& [topic, numbers] : partitions) {
    bytes += node_bytes + string_bytes(topic) + sizeof(numbers) + numbers.size() * node_bytes;
  }
  // In the transaction; in the queue as missing and as waiting; in a marker.
  return 4 * bytes;
}

std::size_t bytes_of(const std::string& id, const Transaction& transaction) {
  // In the map, among the timeouts, and twice in the queue of markers.
  return sizeof(transaction) + 4 * (node_bytes + string_bytes(id)) + bytes_of(transaction.partitions);
}

bool Turn::has_room(std::size_t bytes) {
  if (state.held.has_room(bytes)) return true;
  if (moment.now >= state.next_warning_of_memory) {
    state.next_warning_of_memory = moment.now + std::chrono::minutes(1);
    state.log.warn("There is no room for {} bytes of transactions more.", bytes);
  }
  return false;
}

void Turn::append_prepared(const std::string& id, Transaction prepared) {
  append(id, prepared);
  if (prepared.partitions.empty()) return append_completed(id, prepared);
  state.markers.add(id, prepared.partitions);
}

void Turn::append_completed(const std::string& id, const Transaction& prepared) {
  state.markers.forget(id);
  append(id, completed(prepared, moment.wall));
}

}  // namespace klamm::transactions
