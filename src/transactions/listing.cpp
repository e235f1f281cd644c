#include "transactions/listing.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "coordination/pattern.h"

namespace klamm::transactions {

protocol::DescribeTransactionsResponse describe_transactions(const State& state,
                                                             const protocol::DescribeTransactionsRequest& request) {
  protocol::DescribeTransactionsResponse response;
  for (const std::string& id : request.transactional_ids) {
    auto& described = response.transaction_states.emplace_back();
    described.transactional_id = id;
    const Transaction* known = state.find(id);
    if (known == nullptr) {
      described.error_code = wire_of(id.empty() ? ErrorCode::invalid_request : ErrorCode::transactional_id_not_found);
      continue;
    }
    described.transaction_state = name_of(known->state);
    described.transaction_timeout_ms = known->timeout_ms;
    described.transaction_start_time_ms = known->started_at.value;
    described.producer_id = known->producer_id.value;
    described.producer_epoch = known->producer_epoch.value;
    // While markers are written: those partitions that still need one.
    const Partitions* left = state.markers.left(id);
    for (const auto& [topic, partitions] : left != nullptr ? *left : known->partitions) {
      auto& each = described.topics.emplace_back();
      each.topic = topic;
      each.partitions.assign(partitions.begin(), partitions.end());
    }
  }
  return response;
}

namespace {

struct Filters {
  protocol::ListTransactionsResponse response;  // what does not make sense in them
  std::optional<coordination::Pattern> pattern;
  std::set<TransactionState> states;
};

Filters filters_of(const Settings& settings, const protocol::ListTransactionsRequest& request) {
  Filters filters;
  if (!request.transactional_id_pattern.value_or("").empty()) {
    if (request.transactional_id_pattern->size() <= settings.pattern_bytes_max) {
      if (auto parsed = coordination::Pattern::parse(*request.transactional_id_pattern)) {
        filters.pattern = std::move(*parsed);
      }
    }
    if (!filters.pattern) {
      filters.response.error_code = wire_of(ErrorCode::invalid_regular_expression);
      return filters;
    }
  }
  for (const std::string& name : request.state_filters) {
    auto& unknown = filters.response.unknown_state_filters;
    if (const auto known = state_named(name)) {
      filters.states.insert(*known);
    } else if (std::ranges::find(unknown, name) == unknown.end()) {
      unknown.push_back(name);
    }
  }
  return filters;
}

}  // namespace

protocol::ListTransactionsResponse check_filters(const Settings& settings,
                                                 const protocol::ListTransactionsRequest& request) {
  return filters_of(settings, request).response;
}

protocol::ListTransactionsResponse list_transactions(const State& state, Timestamp now,
                                                     const protocol::ListTransactionsRequest& request) {
  Filters filters = filters_of(state.settings, request);
  protocol::ListTransactionsResponse response = std::move(filters.response);
  if (response.error_code != 0) return response;
  const std::set<std::int64_t> producers(request.producer_id_filters.begin(), request.producer_id_filters.end());
  for (const auto& [id, transaction] : state.transactions) {
    if (!producers.empty() && !producers.contains(transaction.producer_id.value)) continue;
    if (!request.state_filters.empty() && !filters.states.contains(transaction.state)) continue;
    // One that has not begun counts as begun just before time itself, as in Kafka.
    if (request.duration_filter >= 0 && now - transaction.started_at <= request.duration_filter) continue;
    if (filters.pattern && !filters.pattern->matches(id)) continue;
    auto& listed = response.transaction_states.emplace_back();
    listed.transactional_id = id;
    listed.producer_id = transaction.producer_id.value;
    listed.transaction_state = name_of(transaction.state);
  }
  return response;
}

}  // namespace klamm::transactions
