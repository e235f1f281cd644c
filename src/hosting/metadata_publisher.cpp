#include "hosting/metadata_publisher.h"

#include <algorithm>
#include <deque>

#include "base/ensure.h"

namespace klamm::hosting {

// What one reactor knows. Deliveries come by its queue, in order, or directly on the owner's own reactor.
struct MetadataPublisher::Slot final : runtime::Work {
  Slot(runtime::Reactor& r, runtime::Scheduling& scheduling, metadata::ImageRef first)
      : reactor(r), image(std::move(first)), lock(scheduling) {}

  void run() override {
    for (;;) {
      DeltaRef delta;
      {
        const runtime::ShortLock::Guard guard(lock);
        if (waiting.empty()) {
          posted = false;
          return;
        }
        delta = std::move(waiting.front());
        waiting.pop_front();
      }
      deliver(*delta);
    }
  }

  // From the owner's reactor.
  void hand_over(DeltaRef delta) {
    {
      const runtime::ShortLock::Guard guard(lock);
      waiting.push_back(std::move(delta));
      if (posted) return;
      posted = true;
    }
    reactor.post(*this);
  }

  void deliver(const metadata::Delta& delta) {
    image = delta.image();
    published = true;
    // A subscriber may unsubscribe itself or others meanwhile.
    const auto now = subscribers;
    for (MetadataSubscriber* subscriber : now) {
      if (std::ranges::find(subscribers, subscriber) != subscribers.end()) subscriber->metadata_changed(delta);
    }
  }

  runtime::Reactor& reactor;
  metadata::ImageRef image;
  bool published = false;
  std::vector<MetadataSubscriber*> subscribers;

  runtime::ShortLock lock;
  std::deque<DeltaRef> waiting;
  bool posted = false;
};

MetadataPublisher::MetadataPublisher(runtime::Environment& environment)
    : lock_(environment.scheduling), latest_(metadata::Image::empty()) {
  for (runtime::Reactor* reactor : environment.reactors) {
    if (slots_.size() <= reactor->index()) slots_.resize(reactor->index() + 1);
    slots_[reactor->index()] = std::make_unique<Slot>(*reactor, environment.scheduling, latest_);
  }
}

MetadataPublisher::~MetadataPublisher() = default;

MetadataPublisher::Slot& MetadataPublisher::slot(const runtime::Reactor& reactor) const {
  ENSURE(reactor.index() < slots_.size() && slots_[reactor.index()]);
  return *slots_[reactor.index()];
}

const metadata::ImageRef& MetadataPublisher::image(const runtime::Reactor& reactor) const {
  return slot(reactor).image;
}

metadata::ImageRef MetadataPublisher::latest() const {
  const runtime::ShortLock::Guard guard(lock_);
  return latest_;
}

void MetadataPublisher::subscribe(runtime::Reactor& reactor, MetadataSubscriber& subscriber) {
  Slot& here = slot(reactor);
  here.subscribers.push_back(&subscriber);
  if (!here.published) return;
  metadata::Delta all(metadata::Image::empty());
  here.image->each_record([&](metadata::Record record) { all.replay(record); });
  all.finish(here.image->provenance());
  subscriber.metadata_changed(all);
}

void MetadataPublisher::unsubscribe(runtime::Reactor& reactor, MetadataSubscriber& subscriber) {
  std::erase(slot(reactor).subscribers, &subscriber);
}

void MetadataPublisher::publish(runtime::Reactor& owner, DeltaRef delta) {
  ENSURE(delta->image() != nullptr);
  {
    const runtime::ShortLock::Guard guard(lock_);
    latest_ = delta->image();
  }
  for (const auto& slot : slots_) {
    if (!slot) continue;
    if (slot->reactor.index() == owner.index()) {
      slot->deliver(*delta);
    } else {
      slot->hand_over(delta);
    }
  }
}

}  // namespace klamm::hosting
