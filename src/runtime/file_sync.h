// Group fdatasync of one reactor: all that is asked for in a turn goes to the disk together, off the loop. A request
// that comes while a group is on its way waits for the next, which covers what was written in between.
#pragma once

#include <exception>
#include <vector>

#include "runtime/disk.h"
#include "runtime/reactor.h"
#include "runtime/task.h"
#include "runtime/waiting.h"

namespace klamm::runtime {

class FileSync : private TurnEnd {
 public:
  FileSync(Reactor& reactor, Disk& disk) : reactor_(reactor), disk_(disk) {}
  ~FileSync() override;

  // On the reactor. Throws DiskError when the sync failed; that is final for the file's data.
  Task<void> sync(FileRef file);

 private:
  struct Request;
  struct Group;
  void turn_ended() override;
  void launch();

  Reactor& reactor_;
  Disk& disk_;
  Request* waiting_ = nullptr;  // for the next group
  Group* in_flight_ = nullptr;
};

}  // namespace klamm::runtime
