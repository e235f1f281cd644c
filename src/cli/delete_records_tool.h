// klamm delete-records: deletes the records of partitions before an offset (kafka-delete-records).
// Source of behaviour: org.apache.kafka.tools.DeleteRecordsCommand.
#pragma once

#include "cli/command_line.h"

namespace klamm::cli {

int delete_records_tool(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
