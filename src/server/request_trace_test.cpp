#include "server/request_trace.h"

#include <gtest/gtest.h>

#include <vector>

namespace klamm::server {
namespace {

using std::chrono::microseconds;

class Lines final : public LogSink {
 public:
  bool enabled(std::string_view, LogLevel) const override { return true; }
  void write(std::string_view, LogLevel, std::string_view message) override { said.emplace_back(message); }
  std::vector<std::string> said;
};

RequestSteps produced(int microseconds_to_handle) {
  RequestSteps steps;
  auto now = runtime::MonoTime{} + microseconds(1000);
  steps.take(Step::received, now);
  steps.take(Step::started, now += microseconds(1));
  steps.take(Step::decoded, now += microseconds(2));
  steps.take(Step::handled, now += microseconds(microseconds_to_handle));
  steps.take(Step::answered, now += microseconds(3));
  steps.take(Step::sent, now += microseconds(10));
  return steps;
}

TEST(RequestTrace, says_after_so_many_requests_what_each_step_took_and_begins_anew) {
  Lines lines;
  RequestTrace trace(Logger(lines, "test"), 2);
  trace.count("PRODUCE", produced(4));
  EXPECT_TRUE(lines.said.empty());
  trace.count("PRODUCE", produced(6));
  ASSERT_EQ(lines.said.size(), 1u);
  EXPECT_EQ(lines.said[0],
            "2 PRODUCE requests, mean (most) in us: waited 1.0 (1.0), decoded 2.0 (2.0), handled 5.0 (6.0), "
            "answered 3.0 (3.0), sent 10.0 (10.0), all 21.0 (22.0)");
  trace.say();
  EXPECT_EQ(lines.said.size(), 1u);
}

TEST(RequestTrace, a_step_that_a_request_does_not_come_by_takes_no_time_from_the_others) {
  Lines lines;
  RequestTrace trace(Logger(lines, "test"), 100);
  RequestSteps steps;
  const auto now = runtime::MonoTime{} + microseconds(1000);
  steps.take(Step::received, now);
  steps.take(Step::started, now);
  steps.take(Step::decoded, now + microseconds(2));
  steps.take(Step::answered, now + microseconds(9));
  steps.take(Step::sent, now + microseconds(12));
  trace.count("FETCH", steps);
  trace.count("METADATA", steps);
  trace.say();
  ASSERT_EQ(lines.said.size(), 2u);
  EXPECT_EQ(lines.said[0],
            "1 FETCH requests, mean (most) in us: waited 0.0 (0.0), decoded 2.0 (2.0), handled 0.0 (0.0), answered "
            "7.0 (7.0), sent 3.0 (3.0), all 12.0 (12.0)");
}

}  // namespace
}  // namespace klamm::server
