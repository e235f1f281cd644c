#include "storage/transaction_index.h"

namespace klamm::storage {

void AbortedEntry::store(std::byte* to) const {
  store_big(to, std::int16_t{0});
  store_big(to + 2, producer_id.value);
  store_big(to + 10, first_offset.value);
  store_big(to + 18, last_offset.value);
  store_big(to + 26, last_stable_offset.value);
}

std::optional<AbortedEntry> AbortedEntry::load(const std::byte* from) {
  if (load_big<std::int16_t>(from) != 0) return std::nullopt;
  return AbortedEntry{.producer_id = ProducerId(load_big<std::int64_t>(from + 2)),
                      .first_offset = Offset(load_big<std::int64_t>(from + 10)),
                      .last_offset = Offset(load_big<std::int64_t>(from + 18)),
                      .last_stable_offset = Offset(load_big<std::int64_t>(from + 26))};
}

}  // namespace klamm::storage
