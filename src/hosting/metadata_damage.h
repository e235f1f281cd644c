// Damage in the metadata log: not to be mistaken for the torn end that a crash leaves, and cut off with all that
// follows.
#pragma once

#include <string>

#include "runtime/disk.h"

namespace klamm::hosting {

// Throws MetadataLogError when a segment in `directory` (of __cluster_metadata-0) has a batch that is not what was
// written while a later one is whole. A crash leaves such a thing only where a sector (512 bytes) of the bad batch was
// never written and reads as zeros; that is a torn end, as is everything after which nothing whole follows. Blocks.
void refuse_damaged_metadata(runtime::Disk& disk, const std::string& directory);

}  // namespace klamm::hosting
