#include "runtime/os/disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

namespace klamm::runtime::os {
namespace {

class OsDiskTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() / fmt::format("klamm-disk-{}", ::getpid());
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string path(std::string_view name) const { return directory_.string() + "/" + std::string(name); }
  // Where memory is the disk, nothing ever leaves it.
  bool in_memory() const {
    struct statfs status{};
    return ::statfs(directory_.c_str(), &status) == 0 && status.f_type == TMPFS_MAGIC;
  }

  struct Range {
    std::uint64_t at;
    std::uint64_t size;
  };
  // Whether what was forgotten is found to be gone. The kernel may keep a page that something else looks at in that
  // moment: asked again, it goes. One look only, since looking by reading calls for what is not there.
  static bool found_gone(File& file, Range forgotten, Range looked_at) {
    for (int tries = 0; tries < 200; ++tries) {
      file.sync_data();
      file.forget(forgotten.at, forgotten.size);
      if (!file.resident(looked_at.at, looked_at.size)) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  std::filesystem::path directory_;
};

TEST_F(OsDiskTest, ResidencyIsToldByCachestatAndByReadingAlike) {
  for (const bool cachestat : {true, false}) {
    OsDisk disk({.cachestat = cachestat});
    const FileRef file = disk.open(path(cachestat ? "a" : "b"), OpenMode::create);
    file->write_at(0, ByteVector(1 << 20, std::byte{7}));
    EXPECT_TRUE(file->resident(0, 1 << 20));
    EXPECT_TRUE(file->resident(12345, 6789));
    EXPECT_TRUE(file->resident(1000, 1 << 21)) << "beyond the end is nothing to wait for";
    EXPECT_TRUE(file->resident(1 << 22, 100));
    if (in_memory()) continue;
    const Range all{0, 1 << 20};
    EXPECT_TRUE(found_gone(*file, all, all));
    EXPECT_TRUE(found_gone(*file, all, {500'000, 10}));
    file->load(0, 1 << 20);
    EXPECT_TRUE(file->resident(0, 1 << 20));
    // A hole in the middle is found.
    EXPECT_TRUE(found_gone(*file, {256 * 1024, 256 * 1024}, all));
    EXPECT_TRUE(file->resident(0, 128 * 1024));
  }
}

TEST_F(OsDiskTest, AGroupOfSyncsGoesThroughTheRingOrThreadsAlike) {
  for (const bool ring : {true, false}) {
    OsDisk disk({.io_uring = ring});
    std::vector<FileRef> files;
    for (int i = 0; i < 150; ++i) {
      files.push_back(disk.open(path(fmt::format("{}{}", ring, i)), OpenMode::create));
      files.back()->write_at(0, as_bytes("x"));
    }
    for (const std::exception_ptr& error : disk.sync_files(files)) EXPECT_EQ(error, nullptr);
    if (!ring) EXPECT_EQ(disk.ring_syncs(), 0u);
  }
}

TEST_F(OsDiskTest, ASyncThatFailsIsTheFilesOwn) {
  for (const bool ring : {true, false}) {
    OsDisk disk({.io_uring = ring});
    // A pipe cannot be synced.
    ASSERT_EQ(::mkfifo(path(ring ? "pipe1" : "pipe2").c_str(), 0600), 0);
    const std::vector<FileRef> files = {disk.open(path("good"), OpenMode::create),
                                        disk.open(path(ring ? "pipe1" : "pipe2"), OpenMode::write),
                                        disk.open(path("fine"), OpenMode::create)};
    const auto errors = disk.sync_files(files);
    EXPECT_EQ(errors[0], nullptr);
    EXPECT_EQ(errors[2], nullptr);
    ASSERT_NE(errors[1], nullptr);
    try {
      std::rethrow_exception(errors[1]);
    } catch (const DiskError& error) {
      EXPECT_EQ(error.code().value(), EINVAL);
      EXPECT_EQ(error.path(), files[1]->path());
    }
  }
}

TEST_F(OsDiskTest, FilesMakeRoomForOneAnotherWhenTheProcessHasNoDescriptorLeft) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  OsDisk disk({.descriptors_max = 10'000});
  std::vector<FileRef> files;
  for (int i = 0; i < 20; ++i) files.push_back(disk.open(path(fmt::format("f{}", i)), OpenMode::create));
  const int next = ::dup(0);
  ::close(next);
  rlimit small = before;
  small.rlim_cur = static_cast<rlim_t>(next);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &small), 0);
  for (int i = 20; i < 40; ++i) files.push_back(disk.open(path(fmt::format("f{}", i)), OpenMode::create));
  for (const FileRef& file : files) file->write_at(0, as_bytes("x"));
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  for (const FileRef& file : files) EXPECT_EQ(file->size(), 1u);
}

TEST_F(OsDiskTest, ManyThreadsUseFewDescriptors) {
  OsDisk disk({.descriptors_max = 16});
  std::vector<FileRef> files;
  for (int i = 0; i < 64; ++i) files.push_back(disk.open(path(fmt::format("f{}", i)), OpenMode::create));
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (unsigned i = 0; i < 2000; ++i) {
        const FileRef& file = files[(i * 7 + t * 13) % files.size()];
        file->write_at(t, as_bytes("x"));
        if (i % 50 == 0) file->close();
        if (i % 70 == 0) file->renamed(file->path());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(disk.open_descriptors(), 16u + 4u) << "one more for each call under way";
  for (const FileRef& file : files) EXPECT_GE(file->size(), 1u);
}

TEST_F(OsDiskTest, AFileFollowsItsNewName) {
  OsDisk disk;
  const FileRef file = disk.open(path("old"), OpenMode::create);
  disk.rename(path("old"), path("new"));
  file->renamed(path("new"));
  file->close();
  file->write_at(0, as_bytes("found"));
  EXPECT_EQ(as_text(disk.read_file(path("new"), 100)), "found");
  EXPECT_FALSE(disk.exists(path("old")));
}

TEST_F(OsDiskTest, ReservedSpaceIsNotSize) {
  OsDisk disk;
  const FileRef file = disk.open(path("f"), OpenMode::create);
  file->reserve(0, 1 << 20);
  EXPECT_EQ(file->size(), 0u);
}

// The JVM takes a classic record lock on the whole file; ours and it exclude each other.
TEST_F(OsDiskTest, ALockConflictsWithTheJvmsOne) {
  OsDisk disk;
  const auto lock = disk.try_lock(path(".lock"));
  ASSERT_NE(lock, nullptr);
  const std::string its = path(".lock");
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const int descriptor = ::open(its.c_str(), O_RDWR);
    struct flock classic{};
    classic.l_type = F_WRLCK;
    classic.l_whence = SEEK_SET;
    ::_exit(::fcntl(descriptor, F_SETLK, &classic) != 0 && (errno == EAGAIN || errno == EACCES) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(OsDiskTest, ALocksFileSystemIsSyncedWhole) {
  OsDisk disk;
  const auto lock = disk.try_lock(path(".lock"));
  ASSERT_NE(lock, nullptr);
  disk.make_directories(path("a"));
  const std::vector<std::string> here{path("a")};
  EXPECT_TRUE(lock->file_system_holds(here));
  EXPECT_FALSE(lock->file_system_holds(std::vector<std::string>{path("a"), "/proc"})) << "another file system";
  EXPECT_FALSE(lock->file_system_holds(std::vector<std::string>{path("none")}));
  disk.open(path("a/f"), OpenMode::create)->write_at(0, as_bytes("x"));
  lock->sync_file_system();
  EXPECT_EQ(disk.file_size(path("a/f")), 1u);
}

TEST_F(OsDiskTest, WhatIsMissingSaysWhichAndWhy) {
  OsDisk disk;
  try {
    disk.open(path("none"), OpenMode::read);
    ADD_FAILURE();
  } catch (const DiskError& error) {
    EXPECT_TRUE(error.is(std::errc::no_such_file_or_directory));
    EXPECT_EQ(std::string(error.what()), "open " + path("none") + ": No such file or directory");
  }
  EXPECT_THROW(disk.list(path("none")), DiskError);
  disk.remove_file(path("none"));
  disk.remove_tree(path("none"));
}

}  // namespace
}  // namespace klamm::runtime::os
