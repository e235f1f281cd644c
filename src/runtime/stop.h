// Cancellation: a StopSource is asked once, and every wait that was given its token hears of it.
#pragma once

#include <atomic>
#include <exception>
#include <memory>

#include "runtime/lock.h"
#include "runtime/reactor.h"

namespace klamm::runtime {

// Thrown at a wait when what it belongs to is being stopped.
class Cancelled : public std::exception {
 public:
  const char* what() const noexcept override { return "cancelled"; }
};

class StopSource;
class StopListener;

// Cheap to copy; must not outlive its source.
class StopToken {
 public:
  explicit StopToken(StopSource& source) : source_(&source) {}
  bool stop_asked() const;
  // Throws Cancelled once asked.
  void check() const {
    if (stop_asked()) throw Cancelled();
  }

 private:
  friend class StopListener;
  StopSource* source_;
};

// Belongs to one reactor: everything on it happens there.
class StopSource {
 public:
  StopSource() = default;
  StopSource(const StopSource&) = delete;
  StopSource& operator=(const StopSource&) = delete;
  ~StopSource();

  // Calls the listeners, in the order in which they came.
  void ask();
  bool asked() const { return asked_; }
  StopToken token() { return StopToken(*this); }

 private:
  friend class StopListener;
  bool asked_ = false;
  StopListener* first_ = nullptr;
  StopListener* last_ = nullptr;
};

// Told when the stop is asked; on the reactor of the source.
class StopListener {
 public:
  explicit StopListener(StopToken token);
  StopListener(const StopListener&) = delete;
  StopListener& operator=(const StopListener&) = delete;
  virtual ~StopListener();
  virtual void stop_asked() = 0;

 private:
  friend class StopSource;
  void leave();
  StopSource* source_;
  StopListener* previous_ = nullptr;
  StopListener* next_ = nullptr;
};

}  // namespace klamm::runtime
