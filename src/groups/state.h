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
#include "groups/deadlines.h"
#include "groups/offset_store.h"
#include "groups/record.h"
#include "groups/settings.h"
#include "metadata/image.h"

namespace klamm::groups {

using Decision = coordination::Decision<Record, Answer>;

// A group of a kind that this room does not run: its name is taken, and it can be listed.
struct ForeignGroup {
  enum class Type : std::uint8_t { share, streams };
  Type type = Type::share;
};

// Each on its own piece of memory: there are many idle ones, and they differ in size.
using Group = std::variant<std::unique_ptr<ClassicGroup>, std::unique_ptr<ForeignGroup>>;

struct State {
  std::map<std::string, Group, std::less<>> groups;
  OffsetStore offsets;
  Deadlines deadlines;
  metadata::ImageRef image = metadata::Image::empty();

  const Settings& settings;
  Logger log;

  State(const Settings& s, Logger l) : settings(s), log(std::move(l)) {}

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
  template <typename Kind>
  Kind& put(const std::string& id) {
    Group& group = groups[id];
    return *(group = std::make_unique<Kind>(), std::get<std::unique_ptr<Kind>>(group));
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
  void set_deadline(const DeadlineKey& key, std::chrono::nanoseconds after) {
    state.deadlines.set(key, moment.now + after);
  }
};

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

}  // namespace klamm::groups
