#include "metadata/transaction_filter.h"

#include <utility>

namespace klamm::metadata {

Records TransactionFilter::pass(Offset offset, Record record) {
  if (std::holds_alternative<protocol::BeginTransactionRecord>(record.message)) {
    if (begin_) throw BadRecord("Encountered BeginTransactionRecord while already in a transaction");
    begin_ = offset;
    return {};
  }
  if (std::holds_alternative<protocol::EndTransactionRecord>(record.message)) {
    if (!begin_) throw BadRecord("Encountered EndTransactionRecord without having seen a BeginTransactionRecord");
    begin_.reset();
    return std::exchange(held_, {});
  }
  if (std::holds_alternative<protocol::AbortTransactionRecord>(record.message)) {
    if (!begin_) throw BadRecord("Encountered AbortTransactionRecord without having seen a BeginTransactionRecord");
    begin_.reset();
    held_.clear();
    return {};
  }
  if (begin_) {
    held_.push_back(std::move(record));
    return {};
  }
  Records out;
  out.push_back(std::move(record));
  return out;
}

}  // namespace klamm::metadata
