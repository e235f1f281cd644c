// What a simulated disk consists of.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "runtime/simulation/chance.h"

namespace klamm::runtime::simulation {

struct Inode;
using InodeRef = std::shared_ptr<Inode>;
using Names = std::map<std::string, InodeRef, std::less<>>;

// A change of names of one directory that happens as a whole; a null inode removes.
using NameChange = std::vector<std::pair<std::string, InodeRef>>;

// A file or a directory, as processes see it and as it is kept.
struct Inode {
  Inode(std::uint64_t its, bool directory) : number(its), is_directory(directory) {}

  std::uint64_t number;
  bool is_directory;

  // A file.
  ByteVector seen;
  ByteVector kept;
  // What an earlier cut left on the disk behind the kept end, in the end's own block: it comes back where a later cut
  // keeps a larger size without its bytes. Gone when the file is told to end there, or synced.
  ByteVector behind;
  std::vector<bool> dirty;      // by sector of `seen`: not synced
  std::size_t dirty_begin = 0;  // sectors; nothing is dirty outside
  std::size_t dirty_end = 0;
  bool loaded = false;  // resident for certain
  bool locked = false;

  // A directory.
  Names names;
  Names kept_names;
  std::vector<NameChange> unsynced;

  void write(std::uint64_t offset, Bytes bytes);
  void resize(std::uint64_t size);
  void sync();
  // The sync failed: the kernel forgets that the pages are dirty, so no later one writes them.
  void lose_dirty();
  void power_cut(Chance& chance);

 private:
  void mark(std::uint64_t from, std::uint64_t to);
  void clean();
  ByteVector left_behind(std::uint64_t size, Chance& chance) const;
};

void apply_change(Names& names, const NameChange& change);

}  // namespace klamm::runtime::simulation
