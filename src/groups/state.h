// What a decision about groups looks at, and where it puts what it wants done.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/logger.h"
#include "coordination/decision.h"
#include "groups/call.h"
#include "groups/classic_group.h"
#include "groups/consumer_group.h"
#include "groups/deadlines.h"
#include "groups/memory.h"
#include "groups/offset_store.h"
#include "groups/record.h"
#include "groups/settings.h"
#include "metadata/image.h"

namespace klamm::groups {

using Decision = coordination::Decision<Record, Answer>;

// A group of a kind that this room does not run: its name is taken, and it can be listed.
struct ForeignGroup {
  ForeignGroup(Held&, std::string_view) {}
  enum class Type : std::uint8_t { share, streams };
  Type type = Type::share;
};

// Each on its own piece of memory: there are many idle ones, and they differ in size.
using Group =
    std::variant<std::unique_ptr<ClassicGroup>, std::unique_ptr<ConsumerGroup>, std::unique_ptr<ForeignGroup>>;

struct State {
  Held held;  // before what is counted in it
  std::map<std::string, Group, std::less<>> groups;
  OffsetStore offsets{held};
  Deadlines deadlines;
  metadata::ImageRef image = metadata::Image::empty();
  std::int64_t image_with_new_topics = 0;  // offset of the last image that brought new topics

  const Settings& settings;
  Logger log;
  std::chrono::nanoseconds next_warning_of_memory{0};

  State(const Settings& s, Memory& memory, Logger l) : held(memory), settings(s), log(std::move(l)) {}

  Group* find(std::string_view id) {
    const auto found = groups.find(id);
    return found == groups.end() ? nullptr : &found->second;
  }
  // Null when there is none, or one of another type.
  template <typename Kind>
  Kind* find_as(std::string_view id) {
    Group* group = find(id);
    auto* kind = group ? std::get_if<std::unique_ptr<Kind>>(group) : nullptr;
    return kind ? kind->get() : nullptr;
  }
  ClassicGroup* classic(std::string_view id) { return find_as<ClassicGroup>(id); }
  ConsumerGroup* consumer(std::string_view id) { return find_as<ConsumerGroup>(id); }
  const ConsumerGroup* consumer(std::string_view id) const {
    return const_cast<State*>(this)->find_as<ConsumerGroup>(id);  // the look-up changes nothing
  }
  template <typename Kind>
  Kind& put(const std::string& id) {
    Group& group = groups[id];
    if constexpr (std::is_constructible_v<Kind, Held&, const std::string&>) {
      group = std::make_unique<Kind>(held, id);
    } else {
      group = std::make_unique<Kind>();
    }
    return *std::get<std::unique_ptr<Kind>>(group);
  }
  void remove(std::string_view id) {
    const auto found = groups.find(id);
    if (found == groups.end()) return;
    deadlines.cancel_group(found->first);
    groups.erase(found);
  }
};

// One decision in the making.
struct Turn {
  State& state;
  const coordination::Moment& moment;
  Decision decision = {};

  void reply(coordination::Ticket to, Answer answer) { decision.replies.push_back({to, std::move(answer)}); }
  void append(Record record) { decision.records.push_back(std::move(record)); }
  // Whether the groups of this broker may hold so many bytes more. Who is refused is told COORDINATOR_NOT_AVAILABLE:
  // clients come again later, and lose nothing.
  bool has_room(std::size_t bytes) {
    if (state.held.has_room(bytes)) return true;
    if (moment.now >= state.next_warning_of_memory) {
      state.next_warning_of_memory = moment.now + std::chrono::minutes(1);
      state.log.warn("There is no room for {} bytes of groups and offsets more (klamm.groups.memory.bytes).", bytes);
    }
    return false;
  }
  void set_deadline(const DeadlineKey& key, std::chrono::nanoseconds after) {
    state.deadlines.set(key, moment.now + after);
  }
};

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

}  // namespace klamm::groups
