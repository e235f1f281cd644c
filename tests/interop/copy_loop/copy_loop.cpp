// Copies a topic into another one exactly once: reads what is committed as a member of a group, produces, puts the
// offsets into the same transaction, commits.
//
//   klamm_copy_loop BOOTSTRAP FROM TO GROUP TRANSACTIONAL-ID [records of a transaction] [key=value of the producer]...
//
// Says on standard output "open" before and "committed N" after each commit, "aborted WHY" when a transaction came to
// nothing, "fatal WHY" when another producer has its id; then it ends with 3. It begins a transaction without offsets
// and reads lines when FROM is "-": "begin", "send VALUE", "commit", "abort", "drop" (the transaction is destroyed).
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <iostream>
#include <string>

#include "client/client.h"
#include "client/consumer.h"
#include "client/producer.h"
#include "runtime/os/line_log.h"
#include "runtime/os/system.h"

namespace klamm::client {
namespace {

using namespace std::chrono_literals;
using runtime::Task;

constexpr int exit_fenced = 3;

struct Wanted {
  std::string bootstrap;
  std::string from;
  std::string to;
  std::string group;
  std::string transactional_id;
  std::size_t records = 100;
  Properties producer;
};

void say(const std::string& text) {
  std::puts(text.c_str());
  std::fflush(stdout);
}

// --- a copy ----------------------------------------------------------------------------------------------------------

// One transaction; its error, when it came to nothing.
Task<Result<std::size_t>> copy_some(Consumer& in, Producer& out, const std::string& to) {
  Result<Batch> batch = co_await in.poll(200ms);
  if (!batch) co_return batch.error();
  if (batch->empty()) co_return std::size_t{0};
  Result<Transaction> transaction = co_await out.begin();
  if (!transaction) co_return transaction.error();
  std::optional<Error> refused;
  std::size_t unanswered = 0;
  for (const Record& record : *batch) {
    const RecordView copy{.topic = to, .key = record.key(), .value = record.value(), .headers = {}};
    const auto delivered = [&](const Result<Produced>& at) {
      --unanswered;
      if (!at && !refused) refused = at.error();
    };
    ++unanswered;
    while (!out.post(copy, delivered)) {
      const Result<void> ready = co_await out.ready(copy);
      if (!ready) {
        --unanswered;
        refused = ready.error();
        break;
      }
    }
    if (refused) break;
  }
  std::optional<Error> failed = refused;
  if (!failed) {
    const Result<void> added = co_await transaction->add_offsets(in);
    if (!added) failed = added.error();
  }
  say("open");
  if (!failed) {
    Result<void> committed = co_await transaction->commit();
    // Not known yet: asked again it waits for the same commit.
    while (!committed && committed.error().code() == ErrorCode::request_timed_out && !out.fatal()) {
      committed = co_await transaction->commit();
    }
    if (!committed) failed = committed.error();
  }
  if (!failed) co_return batch->size();
  if (!out.fatal()) {
    const Result<void> aborted = co_await transaction->abort();
    if (!aborted) say("abort: " + aborted.error().to_string());
  }
  const Result<void> rest = co_await out.flush();  // nobody calls back into this frame any more
  static_cast<void>(rest);
  co_return *failed;
}

// What was polled and not committed is read again.
Task<Result<void>> rewind(Consumer& in) {
  const std::vector<PartitionName> assigned = in.assignment();
  const Result<Offsets> committed = co_await in.committed(assigned);
  if (!committed) co_return committed.error();
  for (const PartitionName& name : assigned) {
    const auto found = committed->find(name);
    if (found == committed->end()) {
      in.seek_to_beginning(name);
    } else {
      in.seek(name, found->second.offset);
    }
  }
  co_return Result<void>();
}

std::string with_causes(const Error& error) {
  std::string text = error.to_string();
  for (const Error* cause = error.cause(); cause != nullptr; cause = cause->cause()) text += " / " + cause->to_string();
  return text;
}

Task<int> copy(runtime::Environment& environment, runtime::Reactor& reactor, Wanted wanted) {
  // Clients of their own: requests of one connection are answered in order, and a Fetch waits for records.
  Client readers(environment, reactor, {{"bootstrap.servers", wanted.bootstrap}});
  Client writers(environment, reactor, {{"bootstrap.servers", wanted.bootstrap}});
  Properties reading{{"group.id", wanted.group},
                     {"isolation.level", "read_committed"},
                     {"enable.auto.commit", "false"},
                     {"auto.offset.reset", "earliest"},
                     {"session.timeout.ms", "1500"},
                     {"heartbeat.interval.ms", "300"},
                     {"max.poll.records", std::to_string(wanted.records)}};
  Consumer in(readers, reading);
  Producer out(writers, wanted.producer);
  // Before the first poll: offsets that a killed one left open in its transaction hold up whoever asks for them.
  const Result<void> initialized = co_await out.init_transactions();
  if (!initialized) {
    say("fatal " + with_causes(initialized.error()));
    co_return 1;
  }
  const Result<void> subscribed = in.subscribe({wanted.from});
  if (!subscribed) {
    say("fatal " + subscribed.error().to_string());
    co_return 1;
  }
  for (;;) {
    const Result<std::size_t> copied = co_await copy_some(in, out, wanted.to);
    if (copied) {
      if (*copied > 0) say(fmt::format("committed {}", *copied));
      continue;
    }
    if (const auto why = out.fatal()) {
      say("fatal " + with_causes(*why));
      co_return exit_fenced;
    }
    say("aborted " + with_causes(copied.error()));
    const Result<void> rewound = co_await rewind(in);
    if (!rewound) say("rewind: " + rewound.error().to_string());
  }
}

// --- by hand ---------------------------------------------------------------------------------------------------------

std::string outcome(const Result<void>& result) {
  return result ? "ok" : with_causes(result.error());
}

Task<int> obey(runtime::Environment& environment, runtime::Reactor& reactor, Wanted wanted) {
  Client client(environment, reactor, {{"bootstrap.servers", wanted.bootstrap}});
  Producer out(client, wanted.producer);
  std::optional<Transaction> open;
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line == "init") {
      const Result<void> done = co_await out.init_transactions();
      say(outcome(done));
    } else if (line == "begin") {
      Result<Transaction> begun = co_await out.begin();
      say(begun ? "ok" : with_causes(begun.error()));
      if (begun) open.emplace(*std::move(begun));
    } else if (line.starts_with("send ")) {
      const std::string value = line.substr(5);
      const RecordView record{.topic = wanted.to, .key = {}, .value = value, .headers = {}};
      const Result<Produced> sent = co_await out.send(record);
      say(sent ? "ok" : with_causes(sent.error()));
    } else if (line == "commit" && open) {
      const Result<void> done = co_await open->commit();
      say(outcome(done));
    } else if (line == "abort" && open) {
      const Result<void> done = co_await open->abort();
      say(outcome(done));
    } else if (line == "drop") {
      open.reset();
      say("ok");
    } else {
      say("what?");
    }
  }
  open.reset();
  const Result<void> closed = co_await out.close(10s);
  co_return closed ? 0 : 1;
}

}  // namespace

int run_copy_loop(std::span<char* const> arguments) {
  if (arguments.size() < 6) {
    std::fputs("klamm_copy_loop BOOTSTRAP FROM|- TO GROUP TRANSACTIONAL-ID [RECORDS] [KEY=VALUE]...\n", stderr);
    return 2;
  }
  Wanted wanted{arguments[1], arguments[2], arguments[3], arguments[4], arguments[5], 100, {}};
  wanted.producer = {{"transactional.id", wanted.transactional_id}, {"linger.ms", "1"}};
  for (std::size_t i = 6; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    const std::size_t equals = argument.find('=');
    if (equals == std::string_view::npos) {
      std::from_chars(argument.data(), argument.data() + argument.size(), wanted.records);
    } else {
      wanted.producer.insert_or_assign(std::string(argument.substr(0, equals)),
                                       std::string(argument.substr(equals + 1)));
    }
  }
  runtime::os::LineLog log({.descriptor = 2, .level = LogLevel::info});
  runtime::os::System system({.reactors = 1, .io_threads = 1, .io_uring = false}, log);
  runtime::Reactor& reactor = system.reactor(0);
  const bool by_hand = wanted.from == "-";
  return system.run_until_done(by_hand ? obey(system.environment(), reactor, std::move(wanted))
                                       : copy(system.environment(), reactor, std::move(wanted)));
}

}  // namespace klamm::client

int main(int count, char** arguments) {
  return klamm::client::run_copy_loop({arguments, static_cast<std::size_t>(count)});
}
