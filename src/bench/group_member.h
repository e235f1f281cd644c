// Members of groups as machines: what is due now, what an answer means. No sockets, no clock: a driver asks, sends and
// tells. Source of the protocols: org.apache.kafka.clients.consumer.internals.AbstractCoordinator, KIP-848.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "bench/commit_frame.h"
#include "bench/frames.h"
#include "bench/target.h"
#include "runtime/clock.h"

namespace klamm::bench {

enum class Question : std::uint8_t { join, sync, heartbeat, commit, leave };

struct GroupVersions {
  std::int16_t join = 0, sync = 0, heartbeat = 0, commit = 0, leave = 0;
  std::int16_t consumer_heartbeat = -1;
};
GroupVersions group_versions(const Target& target);

struct MemberSettings {
  std::string group;
  std::size_t index = 0;  // among the members of its group
  std::string topic;
  Uuid topic_id;
  std::vector<std::int32_t> partitions = {};
  runtime::Duration heartbeat = std::chrono::seconds(3);
  runtime::Duration commit = std::chrono::seconds(1);  // zero: none
  GroupVersions versions = {};
};

class Member {
 public:
  struct Due {
    Question question;
    const Frame* frame;  // good until the next call
    runtime::MonoTime intended;
  };

  explicit Member(MemberSettings settings) : settings_(std::move(settings)) {}
  virtual ~Member() = default;

  // What to send now: call until there is nothing.
  virtual std::optional<Due> due(runtime::MonoTime now) = 0;
  // When there is something to send if no answer comes before.
  virtual runtime::MonoTime next() const = 0;
  // "" or what was wrong. An answer that only says "join again" is right until begin(), a failure afterwards.
  virtual std::string answered(Question question, Bytes answer, runtime::MonoTime now) = 0;
  // The member knows what it has, and may commit.
  virtual bool stable() const = 0;
  // Of the membership: generation or epoch.
  virtual std::int32_t generation() const = 0;
  virtual std::size_t partitions_owned() const = 0;
  virtual const Frame& leave() = 0;

  // From now on heartbeats and commits have their times; before, heartbeats are quick and nothing is committed. `phase`
  // (0 to 1) tells where in its intervals this member is.
  void begin(runtime::MonoTime now, double phase);
  std::uint64_t commits_sent() const { return commits_sent_; }

 protected:
  std::optional<Due> due_when_stable(runtime::MonoTime now, const Frame& heartbeat, CommitFrame& commit);
  runtime::MonoTime next_when_stable() const;
  void became_stable(runtime::MonoTime now);
  bool begun() const { return begun_; }
  // Commits are of one partition, another one for each member.
  CommitFrame commit_frame(const std::string& member, std::int32_t generation) const;
  std::string commit_answered(Bytes answer) const { return commit_failure(answer, settings_.versions.commit, 1); }
  const MemberSettings& settings() const { return settings_; }

 private:
  MemberSettings settings_;
  bool begun_ = false;
  runtime::MonoTime heartbeat_at_ = runtime::never, commit_at_ = runtime::never;
  std::uint64_t commits_sent_ = 0;
};

class ClassicMember final : public Member {
 public:
  explicit ClassicMember(MemberSettings settings) : Member(std::move(settings)) {}

  std::optional<Due> due(runtime::MonoTime now) override;
  runtime::MonoTime next() const override;
  std::string answered(Question question, Bytes answer, runtime::MonoTime now) override;
  bool stable() const override { return state_ == State::stable; }
  std::int32_t generation() const override { return generation_; }
  std::size_t partitions_owned() const override { return owned_; }
  const Frame& leave() override;

  // Joins again with a subscription that differs from the one before: the whole group has to.
  void subscribe_anew();
  // Members that the last join answered with, of the leader; 0 of others.
  std::size_t led() const { return assignments_.size(); }

 private:
  enum class State : std::uint8_t { out, joining, joined, syncing, stable, failed };
  std::string joined(Bytes answer, runtime::MonoTime now);
  std::string synced(Bytes answer, runtime::MonoTime now);
  std::string beaten(Bytes answer);
  void prepare_frames();
  Frame join_frame() const;
  Frame sync_frame() const;

  State state_ = State::out;
  runtime::MonoTime again_at_{};
  std::string id_;
  std::int32_t generation_ = -1;
  std::int32_t subscription_ = 0;                                // how many there were before
  std::vector<std::pair<std::string, ByteVector>> assignments_;  // of the leader's making
  std::size_t owned_ = 0;
  Frame frame_, heartbeat_;
  CommitFrame commit_;
};

// What a leader gives a member: the partitions of its rank, and its own id as user data, so that a member knows an
// assignment that is not its own. In the form of ConsumerProtocolAssignment, version 0.
ByteVector assignment_of(const MemberSettings& settings, std::size_t rank, std::size_t members, std::string_view id);
// How many partitions; nothing when it is another member's or cannot be read.
std::optional<std::size_t> partitions_of_assignment(Bytes assignment, std::string_view id);

class ConsumerMember final : public Member {
 public:
  ConsumerMember(MemberSettings settings, Uuid id);

  std::optional<Due> due(runtime::MonoTime now) override;
  runtime::MonoTime next() const override;
  std::string answered(Question question, Bytes answer, runtime::MonoTime now) override;
  bool stable() const override { return state_ == State::stable; }
  std::int32_t generation() const override { return epoch_; }
  std::size_t partitions_owned() const override { return owned_.size(); }
  const Frame& leave() override;

 private:
  enum class State : std::uint8_t { out, asked, told, stable, failed };  // told: of an assignment it must answer
  Frame frame_with(std::int32_t epoch, bool tells) const;
  std::string beaten(Bytes answer, runtime::MonoTime now);

  State state_ = State::out;
  runtime::MonoTime again_at_{};
  std::string id_;
  std::int32_t epoch_ = 0;
  std::vector<std::int32_t> owned_;
  Frame frame_, heartbeat_;
  CommitFrame commit_;
};

}  // namespace klamm::bench
