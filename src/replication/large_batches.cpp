#include "replication/large_batches.h"

#include "runtime/waiting.h"

namespace klamm::replication {

using runtime::ShortLock;

// Awaited, it is somebody's turn until it is destroyed; then it is the next one's.
class LargeBatches::Turn {
 public:
  Turn(LargeBatches& owner, runtime::Reactor& reactor) : owner_(owner), resumption_(reactor) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    const ShortLock::Guard guard(owner_.lock_);
    if (waits_) {
      unlink();
    } else if (Turn* next = has_ ? owner_.first_ : nullptr) {
      next->unlink();
      next->has_ = true;
      next->resumption_.post();
    } else if (has_) {
      owner_.busy_ = false;
    }
  }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> handle) {
    resumption_.wait_for(handle);
    const ShortLock::Guard guard(owner_.lock_);
    if (!owner_.busy_) {
      owner_.busy_ = has_ = true;
      return false;
    }
    previous_ = owner_.last_;
    (previous_ ? previous_->next_ : owner_.first_) = this;
    owner_.last_ = this;
    waits_ = true;
    return true;
  }
  void await_resume() const noexcept {}

 private:
  // Under the lock.
  void unlink() {
    (previous_ ? previous_->next_ : owner_.first_) = next_;
    (next_ ? next_->previous_ : owner_.last_) = previous_;
    previous_ = next_ = nullptr;
    waits_ = false;
  }

  LargeBatches& owner_;
  runtime::Resumption resumption_;
  bool waits_ = false;
  bool has_ = false;
  Turn* previous_ = nullptr;
  Turn* next_ = nullptr;
};

runtime::Task<std::expected<records::ValidatedBatch, records::ValidationError>> LargeBatches::validate(
    runtime::Reactor& reactor, Bytes records, records::ValidationOptions options) {
  Turn turn(*this, reactor);
  co_await turn;
  // The function may outlive this task: it owns what it works on.
  auto validating =
      runtime::blocking(reactor, [bytes = to_vector(records), topic = std::string(options.topic), options]() mutable {
        options.topic = topic;
        records::ProduceValidator validator(aside(bytes.size()));
        auto batch = validator.validate(MutableBytes(bytes), options);
        if (batch && !batch->rebuilt) batch->storage = std::move(bytes);
        return batch;
      });
  co_return co_await std::move(validating);
}

}  // namespace klamm::replication
