// Asks the coordinators of groups, again until each group has its answer. Source of the rules:
// org.apache.kafka.clients.admin.internals.{AdminApiDriver,CoordinatorStrategy}.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "client/core.h"
#include "client/result.h"
#include "runtime/task.h"

namespace klamm::client {

// What one answer of a coordinator means for a group.
enum class Verdict : std::uint8_t {
  settled,
  again,  // the same coordinator may answer soon
  moved,  // its coordinator has to be found anew
};

using Verdicts = std::map<std::string, Verdict>;  // by group

// Of a group that is told so by its coordinator; settled is the answer for all codes that are not about coordinators.
Verdict coordinator_verdict(ErrorCode code);

// What is asked. `call` is the call's name in Kafka's admin client ("deleteConsumerGroups"), `api` that of its request
// ("DELETE_GROUPS").
struct CoordinatorCall {
  // One request to a broker about groups that it coordinates; the verdict of each. What is settled the function keeps
  // itself. An error is one of the request as a whole.
  using Ask = std::function<runtime::Task<Result<Verdicts>>(std::int32_t, std::vector<std::string>)>;

  std::string_view call;
  std::string_view api;
  Ask ask;
};

// The groups that could not be asked until `deadline`, or whose coordinator cannot be found, with their errors.
runtime::Task<std::map<std::string, Error>> ask_coordinators(Core& core, std::vector<std::string> groups,
                                                             CoordinatorCall call, runtime::MonoTime deadline);

// One request to a broker, made by `make` for the version that both sides speak, at most `version_max`.
template <typename Response, typename Make>
runtime::Task<Result<Reply<Response>>> ask_broker(Core& core, std::int32_t broker, std::int16_t version_max,
                                                  runtime::MonoTime deadline, Make make) {
  using Request = std::invoke_result_t<Make, std::int16_t>;
  const Result<Link*> link = co_await core.link_to(Target::node(broker), deadline);
  if (!link) co_return link.error();
  const Result<void> ready = co_await (*link)->wait_ready(deadline);
  if (!ready) co_return ready.error();
  const auto version = (*link)->versions().latest_usable(Request::api_key, {Request::min_version, version_max});
  if (!version) co_return Error(version.error().code, version.error().message);
  const Request request = make(*version);
  Result<Reply<Response>> reply = co_await core.exchange<Response>(**link, request, deadline, version_max);
  co_return std::move(reply);
}

}  // namespace klamm::client
