// Rows of a plan of offsets as comma separated values: "topic,partition,offset", with the group in front where a plan
// is of several groups. Reads and refuses what Jackson's CsvMapper does in Kafka. Source:
// org.apache.kafka.tools.consumer.group.CsvUtils.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/java.h"
#include "client/consumer.h"

namespace klamm::cli {

struct PlannedOffset {
  std::string group = {};  // only of rows that have it
  client::PartitionName partition = {};
  std::int64_t offset = 0;
};

enum class CsvColumns : std::uint8_t { without_group, with_group };

// Values that a line does not have are empty or 0. Throws JavaException with the name of Jackson's exception.
PlannedOffset parse_offset_row(std::string_view line, CsvColumns columns);

// With a line break at its end.
std::string offset_row(const PlannedOffset& row, CsvColumns columns);

}  // namespace klamm::cli
