#include "runtime/stop.h"

namespace klamm::runtime {

bool StopToken::stop_asked() const {
  return source_->asked();
}

StopSource::~StopSource() {
  while (first_ != nullptr) first_->leave();
}

void StopSource::ask() {
  if (asked_) return;
  asked_ = true;
  while (first_ != nullptr) {
    StopListener& listener = *first_;
    listener.leave();
    listener.stop_asked();
  }
}

StopListener::StopListener(StopToken token) : source_(token.source_) {
  previous_ = source_->last_;
  (previous_ != nullptr ? previous_->next_ : source_->first_) = this;
  source_->last_ = this;
}

StopListener::~StopListener() {
  leave();
}

void StopListener::leave() {
  if (source_ == nullptr) return;
  (previous_ != nullptr ? previous_->next_ : source_->first_) = next_;
  (next_ != nullptr ? next_->previous_ : source_->last_) = previous_;
  source_ = nullptr;
  previous_ = next_ = nullptr;
}

}  // namespace klamm::runtime
