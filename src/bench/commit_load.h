// Consumers that are no members commit offsets as fast as answers come, each connection for groups of its own.
#pragma once

#include "bench/commit_frame.h"
#include "bench/load.h"
#include "bench/target.h"

namespace klamm::bench {

class CommitLoad final : public Load {
 public:
  CommitLoad(runtime::Reactor& reactor, const Plan& plan, Report& report, const Target& target);
  ~CommitLoad() override = default;

  // Before run(): one more group for this channel. Every channel has one at least.
  void serve(std::size_t channel, std::string group);
  // After run(): which groups a channel served, and the offset that it sent last for each; -1 when it came to none.
  std::vector<std::string> groups_of(std::size_t channel) const;
  std::int64_t last_of(std::size_t channel, std::size_t group) const;
  std::size_t partitions() const { return partitions_.size(); }

 private:
  struct Group {
    std::string name;
    CommitFrame frame;
  };
  struct Served {
    std::vector<Group> groups;
    std::size_t turn = 0;
  };
  const Frame& next_request(std::size_t channel, std::uint64_t& tag) override;
  Outcome look_at(std::size_t channel, const Sent& sent, Bytes answer, runtime::MonoTime at) override;

  const Target& target_;
  std::int16_t version_;
  std::vector<std::int32_t> partitions_;
  std::vector<Served> channels_;
  std::int64_t next_offset_ = 0;
};

// Commits, then looks whether what was acknowledged last is there.
runtime::Task<void> run_commits(runtime::Environment& environment, runtime::Reactor& reactor, const Plan& plan,
                                const Target& target, Report& report, Moments moments, std::string run);

}  // namespace klamm::bench
