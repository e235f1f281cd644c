#include "runtime/file_sync.h"

#include <algorithm>

#include "base/ensure.h"

namespace klamm::runtime {

// One waiting coroutine. Linked in waiting_ or in the group that is on its way; both belong to the reactor.
struct FileSync::Request {
  explicit Request(FileSync& its, FileRef what) : sync(its), file(std::move(what)) {}
  ~Request() {
    if (list == nullptr) return;
    for (Request** at = list; *at != nullptr; at = &(*at)->next) {
      if (*at == this) {
        *at = next;
        return;
      }
    }
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    handle = waiting;
    list = &sync.waiting_;
    next = sync.waiting_;
    sync.waiting_ = this;
    if (sync.in_flight_ == nullptr) sync.reactor_.at_turn_end(sync);
  }
  void await_resume() const {
    if (failure) std::rethrow_exception(failure);
  }

  FileSync& sync;
  FileRef file;
  std::coroutine_handle<> handle;
  std::exception_ptr failure;
  Request** list = nullptr;
  Request* next = nullptr;
};

struct FileSync::Group final : BlockingWork {
  void block() override { errors = disk->sync_files(files); }
  void done() override {
    if (owner == nullptr) {
      delete this;
      return;
    }
    FileSync& sync = *owner;
    sync.in_flight_ = nullptr;
    if (sync.waiting_ != nullptr) sync.launch();
    while (requests != nullptr) {
      Request& request = *requests;
      requests = request.next;
      request.list = nullptr;
      const auto its = std::ranges::find(files, request.file) - files.begin();
      request.failure = failure ? failure : errors[static_cast<std::size_t>(its)];
      request.handle.resume();
    }
    delete this;
  }
  void dropped() noexcept override {
    if (owner != nullptr) owner->in_flight_ = nullptr;
    while (requests != nullptr) std::exchange(requests, requests->next)->list = nullptr;
    delete this;
  }

  FileSync* owner = nullptr;
  Disk* disk = nullptr;
  Request* requests = nullptr;
  std::vector<FileRef> files;
  std::vector<std::exception_ptr> errors;
};

FileSync::~FileSync() {
  ENSURE(waiting_ == nullptr);
  if (in_flight_ != nullptr) in_flight_->owner = nullptr;
}

Task<void> FileSync::sync(FileRef file) {
  Request request(*this, std::move(file));
  co_await request;
}

void FileSync::turn_ended() {
  if (in_flight_ == nullptr && waiting_ != nullptr) launch();
}

void FileSync::launch() {
  auto* group = new Group;
  group->owner = this;
  group->disk = &disk_;
  // The list is newest first; whoever asked first goes on first.
  while (waiting_ != nullptr) {
    Request* request = waiting_;
    waiting_ = request->next;
    request->next = group->requests;
    request->list = &group->requests;
    group->requests = request;
    if (std::ranges::find(group->files, request->file) == group->files.end()) group->files.push_back(request->file);
  }
  in_flight_ = group;
  reactor_.offload(*group);
}

}  // namespace klamm::runtime
