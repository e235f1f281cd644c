// Hands each new image of the cluster, with what changed, to all that live by it: once, in order, each on its own
// reactor, and only when the records behind it are committed. Every reactor has its own pointer to the current image,
// so that reading it is free of contention.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "metadata/delta.h"
#include "metadata/image.h"
#include "runtime/environment.h"

namespace klamm::hosting {

using DeltaRef = std::shared_ptr<const metadata::Delta>;

// Called on the reactor it subscribed on. Does not throw; long work is started, not done, here.
class MetadataSubscriber {
 public:
  virtual ~MetadataSubscriber() = default;
  // The image after the delta is `delta.image()`. The first delta a subscriber sees begins at the empty image and holds
  // all there is.
  virtual void metadata_changed(const metadata::Delta& delta) = 0;
};

class MetadataPublisher {
 public:
  explicit MetadataPublisher(runtime::Environment& environment);
  // No reactor runs any of its work any more.
  ~MetadataPublisher();
  MetadataPublisher(const MetadataPublisher&) = delete;
  MetadataPublisher& operator=(const MetadataPublisher&) = delete;

  // The image as this reactor sees it; on that reactor only. Valid until the next turn: copy the pointer to keep it.
  // Whoever got an answer of the controller on a reactor sees what it speaks of there.
  const metadata::ImageRef& image(const runtime::Reactor& reactor) const;
  // Any thread: the newest image that was published.
  metadata::ImageRef latest() const;

  // On `reactor`. Called at once when an image was published before. `subscriber` outlives this or unsubscribes.
  void subscribe(runtime::Reactor& reactor, MetadataSubscriber& subscriber);
  void unsubscribe(runtime::Reactor& reactor, MetadataSubscriber& subscriber);

  // By the owner of the metadata alone, on its reactor, in order. The delta is finished.
  void publish(runtime::Reactor& owner, DeltaRef delta);

 private:
  struct Slot;
  struct Delivery;

  Slot& slot(const runtime::Reactor& reactor) const;

  std::vector<std::unique_ptr<Slot>> slots_;  // by index of the reactor
  mutable runtime::ShortLock lock_;
  metadata::ImageRef latest_;
};

}  // namespace klamm::hosting
