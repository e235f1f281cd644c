#include "server/request_trace.h"

#include <algorithm>

namespace klamm::server {

namespace {
constexpr std::array<std::string_view, step_count> step_names = {"all",     "waited",   "decoded",
                                                                 "handled", "answered", "sent"};
constexpr runtime::MonoTime not_taken{};
}  // namespace

runtime::Duration RequestSteps::before(Step step) const {
  auto at = static_cast<std::size_t>(step);
  const runtime::MonoTime end = times_[at];
  if (end == not_taken) return {};
  while (at > 0 && times_[--at] == not_taken) {
  }
  return times_[at] == not_taken ? runtime::Duration{} : end - times_[at];
}

runtime::Duration RequestSteps::all() const {
  const runtime::MonoTime last = std::ranges::max(times_);
  return times_[0] == not_taken ? runtime::Duration{} : last - times_[0];
}

void RequestTrace::Sum::add(runtime::Duration one) {
  total += one;
  most = std::max(most, one);
}

std::string RequestTrace::Sum::told(std::uint64_t count) const {
  using Microseconds = std::chrono::duration<double, std::micro>;
  return fmt::format("{:.1f} ({:.1f})", Microseconds(total).count() / static_cast<double>(count),
                     Microseconds(most).count());
}

void RequestTrace::came_to(const Exchange& exchange, Step step, runtime::MonoTime now) {
  auto found = std::ranges::find(under_way_.rbegin(), under_way_.rend(), &exchange, &UnderWay::exchange);
  if (found == under_way_.rend()) {
    under_way_.push_back({&exchange, {}});
    found = under_way_.rbegin();
  }
  found->steps.take(step, now);
}

void RequestTrace::sent(const Exchange& exchange, std::string_view api, runtime::MonoTime now) {
  came_to(exchange, Step::sent, now);
  const auto found = std::ranges::find(under_way_.rbegin(), under_way_.rend(), &exchange, &UnderWay::exchange);
  count(api, found->steps);
  forget(exchange);
}

void RequestTrace::forget(const Exchange& exchange) {
  std::erase_if(under_way_, [&](const UnderWay& one) { return one.exchange == &exchange; });
}

void RequestTrace::count(std::string_view api, const RequestSteps& steps) {
  auto kind = kinds_.find(api);
  if (kind == kinds_.end()) kind = kinds_.emplace(std::string(api), Kind{}).first;
  ++kind->second.count;
  kind->second.steps[0].add(steps.all());
  for (std::size_t i = 1; i < step_count; ++i) kind->second.steps[i].add(steps.before(static_cast<Step>(i)));
  if (++counted_ >= requests_) say();
}

void RequestTrace::say() {
  for (const auto& [api, kind] : kinds_) {
    std::string steps;
    for (std::size_t i = 1; i < step_count; ++i)
      steps += fmt::format("{} {}, ", step_names[i], kind.steps[i].told(kind.count));
    log_.info("{} {} requests, mean (most) in us: {}{} {}", kind.count, api, steps, step_names[0],
              kind.steps[0].told(kind.count));
  }
  kinds_.clear();
  counted_ = 0;
}

}  // namespace klamm::server
