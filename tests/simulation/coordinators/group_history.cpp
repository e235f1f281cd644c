#include "coordinators/group_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace klamm::simulation {
namespace {

constexpr std::string_view name_begin = "commit-";

std::string shown(const PartitionName& partition) {
  return fmt::format("{}-{}", partition.topic, partition.partition);
}

std::optional<std::size_t> number_in(std::string_view metadata) {
  if (!metadata.starts_with(name_begin)) return std::nullopt;
  metadata.remove_prefix(name_begin.size());
  std::size_t number = 0;
  const auto [end, wrong] = std::from_chars(metadata.data(), metadata.data() + metadata.size(), number);
  if (wrong != std::errc() || end != metadata.data() + metadata.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string GroupHistory::name_of(std::size_t commit) {
  return fmt::format("{}{}", name_begin, commit);
}

// --- who has what ----------------------------------------------------------------------------------------------------

void GroupHistory::notice_new_beginning(const std::string& group, std::int32_t epoch) {
  std::int32_t& highest = highest_[group];
  if (epoch < highest) std::erase_if(given_, [&](const auto& each) { return each.first.first == group; });
  highest = epoch;
}

// The first epochs of a mixed group may be those of a new beginning that looks like the one before.
bool GroupHistory::tells_nothing(const std::string& group, std::int32_t epoch) const {
  constexpr std::int32_t ambiguous_max = 2;
  return epoch <= ambiguous_max && mixed_.contains(group);
}

void GroupHistory::given(const std::string& group, const std::string& who, const std::string& topic,
                         std::int32_t partition, std::int32_t epoch) {
  note_(fmt::format("{} of group {} has {}-{} in epoch {}", who, group, topic, partition, epoch));
  if (mixed_.contains(group)) notice_new_beginning(group, epoch);
  if (tells_nothing(group, epoch)) return;
  auto& all = given_[{group, {topic, partition}}];
  for (const Given& other : all) {
    if (other.epoch != epoch || other.who == who) continue;
    fail_({group}, fmt::format("G1: in epoch {} of group {} both {} and {} own {}-{}", epoch, group, other.who, who,
                               topic, partition));
  }
  const auto known =
      std::ranges::find_if(all, [&](const Given& each) { return each.who == who && each.epoch == epoch; });
  if (known == all.end()) all.push_back({who, epoch, now()});
}

void GroupHistory::went_on(const std::string& group, const std::string& who, const std::string& topic,
                           std::int32_t partition, std::int32_t epoch, std::uint64_t begun, std::string_view by) {
  for (const Given& other : given_[{group, {topic, partition}}]) {
    if (other.who == who || other.epoch <= epoch || other.at >= begun) continue;
    fail_({group},
          fmt::format("G2: {} of {} in group {} counted for {}-{}, which it was given in epoch {}, when {} had "
                      "it since epoch {}",
                      by, who, group, topic, partition, epoch, other.who, other.epoch));
  }
}

// --- committed offsets -----------------------------------------------------------------------------------------------

std::size_t GroupHistory::commit_begun(std::string group, PartitionName partition, std::int64_t offset,
                                       std::optional<std::size_t> transaction) {
  commits_.push_back({.group = std::move(group),
                      .partition = std::move(partition),
                      .offset = offset,
                      .transaction = transaction,
                      .begun = now()});
  return commits_.size() - 1;
}

void GroupHistory::acknowledged(std::size_t number) {
  Commit& commit = commits_[number];
  commit.state = Commit::State::acknowledged;
  if (commit.transaction) return;
  ++acknowledged_;
  took_effect(number);
}

void GroupHistory::took_effect(std::size_t number) {
  Commit& commit = commits_[number];
  if (commit.effective == 0) commit.effective = now();
  std::uint64_t& floor = floors_[{commit.group, commit.partition}];
  floor = std::max(floor, commit.begun);
}

std::uint64_t GroupHistory::floor(const std::string& group, const PartitionName& partition) const {
  const auto found = floors_.find({group, partition});
  return found == floors_.end() ? 0 : found->second;
}

void GroupHistory::read(const std::string& group, const PartitionName& partition, std::uint64_t floor,
                        std::int64_t offset, const std::string& metadata, bool stable) {
  ++reads_;
  const auto about = [&](std::string what) { fail_({group}, std::move(what)); };
  if (offset < 0) {
    if (stable && floor > 0) {
      about(fmt::format("G3: group {} has no offset of {}, though commits were acknowledged", group, shown(partition)));
    }
    return;
  }
  const auto number = number_in(metadata);
  if (!number || *number >= commits_.size() || commits_[*number].group != group ||
      commits_[*number].partition != partition || commits_[*number].offset != offset) {
    return about(fmt::format("G4: group {} has offset {} of {} with '{}', which nobody committed", group, offset,
                             shown(partition), metadata));
  }
  Commit& commit = commits_[*number];
  commit.seen = true;
  if (commit.state == Commit::State::refused) {
    return about(
        fmt::format("G4: group {} has offset {} of {}, whose commit was refused", group, offset, shown(partition)));
  }
  if (stable && commit.effective != 0 && commit.effective < floor) {
    about(fmt::format("G3: group {} has {} at offset {} again ({}), after a later commit", group, shown(partition),
                      offset, metadata));
  }
  took_effect(*number);
}

}  // namespace klamm::simulation
