// The metadata of a cluster: bootstrap.checkpoint, snapshots and records in any order. Records are decoded, go through
// the filter of transactions into a delta, and become an image; the image's own records make the same image again.
#include "batches.h"
#include "hosting/checkpoint.h"
#include "metadata/delta.h"
#include "metadata/transaction_filter.h"
#include "storage/test_world.h"

namespace klamm::fuzz {
namespace {

metadata::ImageRef image_of(const metadata::Records& records) {
  metadata::Delta delta(metadata::Image::empty());
  metadata::TransactionFilter filter;
  Offset offset(0);
  try {
    for (const auto& record : records) {
      for (const auto& passed : filter.pass(offset, record)) delta.replay(passed);
      offset = offset + 1;
    }
  } catch (const metadata::BadRecord&) {
    return {};
  }
  return delta.finish({});
}

// Bytes, because a quota may be no number at all, which equals nothing.
ByteVector written(const metadata::Image& image) {
  ByteVector bytes;
  for (const auto& record : image.to_records()) metadata::encode(record, bytes);
  return bytes;
}

void use(const metadata::Records& records) {
  for (const auto& record : records) (void)metadata::to_json(record);
  const auto image = image_of(records);
  if (!image) return;
  const auto again = image_of(image->to_records());
  ENSURE(again, "an image writes records that no image comes of");
  ENSURE(written(*again) == written(*image), "an image's records make another image");
}

// A file, as a snapshot or as bootstrap.checkpoint.
void checkpoint(Bytes content, bool repair) {
  storage::test::World world;
  auto node = std::make_shared<storage::test::DiskState::Node>();
  node->content = exact_copy(content);
  if (repair) repair_checksums(node->content);
  const std::string path = "/bootstrap.checkpoint";
  world.disk.state.names[path] = node;
  metadata::Records records;
  try {
    (void)hosting::read_checkpoint_timestamp(world.disk, path);
  } catch (const std::runtime_error&) {
    // what the reader says of a file that is none
  }
  try {
    (void)hosting::read_checkpoint(world.disk, path,
                                   [&](metadata::Record record) { records.push_back(std::move(record)); });
  } catch (const std::runtime_error&) {
    // as above; what came before it is used all the same
  }
  use(records);
}

// Records, each with its length in front.
void framed(Input input) {
  metadata::Records records;
  while (input.size() > 0) {
    auto record = metadata::decode(input.take_bytes(input.take<std::uint16_t>()));
    if (record) records.push_back(*std::move(record));
  }
  use(records);
}

}  // namespace
}  // namespace klamm::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace klamm::fuzz;
  Input input(data, size);
  const auto kind = input.take<std::uint8_t>();
  if (kind & 1)
    framed(input);
  else
    checkpoint(input.rest(), kind & 2);
  return 0;
}
