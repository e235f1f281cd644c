// Stories of connections: how frames arrive, in which order they are answered, and what a bad peer can do.
#include <gmock/gmock.h>

#include "server/testing.h"

namespace klamm::server::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Connection, ARequestIsAnsweredInTheTurnInWhichItCame) {
  Stage stage;
  const auto wire = stage.connect();
  send(*wire, heartbeat(7));
  stage.turn();
  EXPECT_THAT(answers(*wire), ElementsAre(7));
  EXPECT_EQ(wire->reads, 1);
  EXPECT_EQ(wire->writes, 1);
}

TEST(Connection, FramesCutAtEveryByteAreTheSameFrames) {
  const ByteVector first = heartbeat(1);
  const ByteVector second = heartbeat(2, 0, 300);
  ByteVector both = first;
  append_bytes(both, second);
  for (std::size_t cut = 1; cut < both.size(); ++cut) {
    Stage stage;
    const auto wire = stage.connect();
    send(*wire, ByteVector(both.begin(), both.begin() + static_cast<std::ptrdiff_t>(cut)));
    stage.turns(2);
    send(*wire, ByteVector(both.begin() + static_cast<std::ptrdiff_t>(cut), both.end()));
    stage.turns(2);
    ASSERT_THAT(answers(*wire), ElementsAre(1, 2)) << "cut at " << cut;
    ASSERT_EQ(stage.pool_used(), 0u) << "cut at " << cut;
  }
}

TEST(Connection, AFrameThatTricklesByteByByteIsAnswered) {
  Stage stage;
  const auto wire = stage.connect();
  wire->read_max = 1;
  send(*wire, heartbeat(1, 0, 5000));
  stage.turns(5100);
  EXPECT_THAT(answers(*wire), ElementsAre(1));
  EXPECT_EQ(stage.pool_used(), 0u);
}

TEST(Connection, AllFramesOfAReadAreAnsweredWithOneSend) {
  Stage stage;
  const auto wire = stage.connect();
  for (int i = 0; i < 50; ++i) send(*wire, heartbeat(i));
  stage.turn();
  EXPECT_EQ(answers(*wire).size(), 50u);
  EXPECT_EQ(wire->reads, 1);
  EXPECT_EQ(wire->writes, 1);
}

TEST(Connection, AnswersKeepTheOrderOfTheRequests) {
  Stage stage;
  const auto wire = stage.connect();
  send(*wire, list_groups(1));
  send(*wire, heartbeat(2));
  send(*wire, list_groups(3));
  stage.turns(2);
  EXPECT_THAT(answers(*wire), IsEmpty());
  EXPECT_EQ(stage.echo_->answered_, 0) << "nothing may overtake a request that is not answered";
  stage.slow_gate_.release();
  stage.turn();
  EXPECT_THAT(answers(*wire), ElementsAre(1, 2));
  EXPECT_EQ(stage.slow_->started_, 2);
  stage.slow_gate_.release();
  stage.turn();
  EXPECT_THAT(answers(*wire), ElementsAre(3));
}

TEST(Connection, OnlyProduceOverlapsProduce) {
  Stage stage;
  const auto wire = stage.connect();
  send(*wire, produce(1));
  send(*wire, produce(2));
  send(*wire, heartbeat(3));
  send(*wire, produce(4));
  stage.turn();
  EXPECT_EQ(stage.produce_->started_, 2);
  stage.produce_gate_.release(1);  // the second is done first
  stage.turn();
  EXPECT_THAT(answers(*wire), IsEmpty());
  stage.produce_gate_.release();
  stage.turn();
  EXPECT_THAT(answers(*wire), ElementsAre(1, 2, 3));
  EXPECT_EQ(stage.produce_->started_, 3);
  stage.produce_gate_.release();
  stage.turn();
  EXPECT_THAT(answers(*wire), ElementsAre(4));
}

TEST(Connection, NothingOvertakesAProduceThatKeepsItsPlace) {
  Stage stage;
  const auto wire = stage.connect();
  send(*wire, produce(1));
  send(*wire, produce(2, 1, 0, 12));
  send(*wire, produce(3));
  stage.turn();
  EXPECT_EQ(stage.produce_->started_, 2);
  stage.produce_gate_.release();
  stage.turn();
  EXPECT_EQ(stage.produce_->started_, 2);
  stage.produce_gate_.release();
  stage.turn();
  EXPECT_EQ(stage.produce_->started_, 3);
  stage.produce_gate_.release();
  stage.turn();
  EXPECT_THAT(answers(*wire), ElementsAre(1, 2, 3));
  send(*wire, produce(4));
  send(*wire, produce(5));
  stage.turn();
  EXPECT_EQ(stage.produce_->started_, 5) << "later ones overlap again";
}

TEST(Connection, WithoutAcksThereIsNoAnswerAndTheNextRequestGoesOn) {
  Stage stage;
  const auto wire = stage.connect();
  send(*wire, produce(1, 0));
  send(*wire, heartbeat(2));
  stage.turn();
  EXPECT_THAT(answers(*wire), ElementsAre(2));
}

TEST(Connection, ClosingInsteadOfAnsweringWaitsForTheAnswersBefore) {
  Stage stage;
  const auto wire = stage.connect();
  send(*wire, produce(1));
  send(*wire, produce(2, 0, 0, 13));
  send(*wire, heartbeat(3));
  stage.turns(2);
  EXPECT_FALSE(wire->closed_by_server);
  stage.produce_gate_.release();
  stage.turns(2);
  EXPECT_THAT(answers(*wire), ElementsAre(1));
  EXPECT_TRUE(wire->closed_by_server);
  EXPECT_TRUE(stage.log_.has("unlucky"));
}

TEST(Connection, ReadingStopsWhenSixtyFourRequestsWait) {
  Stage stage;
  const auto wire = stage.connect();
  send(*wire, list_groups(0));
  for (int i = 1; i <= 10'000; ++i) send(*wire, heartbeat(i));
  stage.turns(20);
  EXPECT_FALSE(wire->wants_readable);
  EXPECT_FALSE(wire->to_server.empty()) << "most is still with the kernel";
  EXPECT_LE(stage.pool_used(), 160u << 10);
  stage.slow_gate_.release();
  stage.turns(400);
  EXPECT_EQ(answers(*wire).size(), 10'001u);
  EXPECT_TRUE(wire->wants_readable);
}

TEST(Connection, ReadingStopsWhenFourMegabytesWait) {
  Stage stage;
  const auto wire = stage.connect();
  send(*wire, list_groups(0));
  for (int i = 1; i <= 20; ++i) send(*wire, produce(i, 1, 1 << 20));
  stage.turns(2000);
  EXPECT_FALSE(wire->wants_readable);
  EXPECT_LE(stage.pool_used(), 7u << 20);
  stage.slow_gate_.release();
  for (int i = 0; i < 400; ++i) {
    stage.turns(5);
    while (!stage.produce_gate_.held.empty()) stage.produce_gate_.release();
  }
  EXPECT_EQ(answers(*wire).size(), 21u);
  EXPECT_EQ(stage.pool_used(), 0u);
}

// --- big frames ------------------------------------------------------------------------------------------------------

TEST(Connection, ABigFrameArrivesInItsOwnBuffer) {
  Stage stage;
  const auto wire = stage.connect();
  send(*wire, produce(1, 1, 5 << 20));
  stage.turns(200);
  ASSERT_EQ(stage.produce_gate_.held.size(), 1u);
  stage.produce_gate_.release();
  stage.turn();
  EXPECT_THAT(answers(*wire), ElementsAre(1));
  EXPECT_EQ(stage.pool_used(), 0u);
}

TEST(Connection, WhoWaitsForOthersHoldsNoPlaceInThePool) {
  Stage stage({.request_pool_bytes = 1 << 20});
  stage.slow_->lets_go_of_frame_ = true;
  std::vector<std::shared_ptr<Wire>> waiting;
  for (int i = 0; i < 20; ++i) {
    waiting.push_back(stage.connect());
    send(*waiting.back(), list_groups(i, 200 << 10));
    stage.turns(20);
  }
  EXPECT_EQ(stage.slow_gate_.held.size(), 20u);
  EXPECT_LE(stage.pool_used(), 64u << 10);
  const auto other = stage.connect();
  send(*other, produce(1, 1, 300 << 10));
  stage.turns(20);
  EXPECT_EQ(stage.produce_gate_.held.size(), 1u);
  stage.produce_gate_.release();
  while (!stage.slow_gate_.held.empty()) stage.slow_gate_.release();
  stage.turns(2);
  for (int i = 0; i < 20; ++i) EXPECT_THAT(answers(*waiting[static_cast<std::size_t>(i)]), ElementsAre(i));
  EXPECT_FALSE(stage.slow_->client_id_.empty());
  EXPECT_EQ(stage.pool_used(), 0u);
}

TEST(Connection, AnnouncingMuchTakesNoMemory) {
  Stage stage;
  const auto wire = stage.connect();
  ByteVector head;
  append_big<std::int32_t>(head, 50 << 20);
  head.resize(100);
  send(*wire, head);
  stage.turns(3);
  EXPECT_LE(stage.pool_used(), 64u << 10);
  EXPECT_FALSE(wire->closed_by_server);
}

TEST(Connection, AFrameLargerThanThePoolIsLetInAlone) {
  Stage stage({.request_pool_bytes = 1 << 20});
  const auto big = stage.connect("10.0.0.1");
  const auto other = stage.connect("10.0.0.2");
  big->read_max = 100 << 10;
  send(*big, produce(1, 1, 3 << 20));
  stage.turns(20);
  send(*other, produce(1, 1, 3 << 20));
  stage.turns(200);
  ASSERT_EQ(stage.produce_gate_.held.size(), 1u) << "the other large one waits";
  EXPECT_LE(stage.pool_used(), (3u << 20) + (400u << 10));
  stage.produce_gate_.release();
  stage.turns(200);
  EXPECT_THAT(answers(*big), ElementsAre(1));
  ASSERT_EQ(stage.produce_gate_.held.size(), 1u);
  stage.produce_gate_.release();
  stage.turns(2);
  EXPECT_THAT(answers(*other), ElementsAre(1));
  EXPECT_EQ(stage.pool_used(), 0u);
}

TEST(Connection, ALargeFrameThatComesTooSlowlyMakesRoomForOthers) {
  Stage stage({.request_pool_bytes = 1 << 20});
  const auto slow = stage.connect("10.0.0.1");
  ByteVector part = produce(1, 1, 3 << 20);
  part.resize(200 << 10);
  send(*slow, part);
  stage.turns(10);
  const auto good = stage.connect("10.0.0.2");
  send(*good, produce(2, 1, 3 << 20));
  stage.turns(10);
  for (int i = 0; i < 10; ++i) stage.advance(1s);
  EXPECT_TRUE(slow->closed_by_server);
  stage.turns(200);
  ASSERT_EQ(stage.produce_gate_.held.size(), 1u);
  stage.produce_gate_.release();
  stage.turn();
  EXPECT_THAT(answers(*good), ElementsAre(2));
}

TEST(Connection, IncompleteFramesHoldHalfOfThePoolAndTheSlowestGoes) {
  Stage stage({.request_pool_bytes = 4 << 20});
  const auto good = stage.connect("10.0.0.9");
  std::vector<std::shared_ptr<Wire>> bad;
  ByteVector part = produce(1, 1, 200 << 10);
  part.resize(100 << 10);
  for (int i = 0; i < 200; ++i) {
    bad.push_back(stage.connect("10.0.1." + std::to_string(i % 250)));
    send(*bad.back(), part);
    stage.turns(2);
    stage.clock_.now_ += 100ms;
    EXPECT_LE(stage.pool_used(), 3u << 20);
  }
  EXPECT_TRUE(bad.front()->closed_by_server);
  EXPECT_FALSE(bad.back()->closed_by_server);
  EXPECT_TRUE(stage.log_.has("too slowly"));
  send(*good, heartbeat(5));
  stage.turns(2);
  EXPECT_THAT(answers(*good), ElementsAre(5)) << "others do not notice";
}

TEST(Connection, WhenThePoolIsFullSocketsAreNotReadUntilThereIsRoom) {
  Stage stage({.request_pool_bytes = 512 << 10});
  std::vector<std::shared_ptr<Wire>> holders;
  for (int i = 0; i < 8; ++i) {
    holders.push_back(stage.connect());
    send(*holders.back(), produce(1, 1, 60 << 10));
    stage.turns(2);
  }
  const std::size_t held = stage.produce_gate_.held.size();
  EXPECT_GE(held, 5u);
  EXPECT_LE(stage.pool_used(), 512u << 10);
  const auto wire = stage.connect();
  send(*wire, heartbeat(9));
  stage.turns(3);
  while (!stage.produce_gate_.held.empty()) {
    stage.produce_gate_.release();
    stage.turns(3);
  }
  EXPECT_THAT(answers(*wire), ElementsAre(9));
  EXPECT_EQ(stage.pool_used(), 0u);
}

// --- answers that are not taken --------------------------------------------------------------------------------------

TEST(Connection, ASlowReaderIsServedNoFurtherThanItTakes) {
  Stage stage;
  const auto wire = stage.connect();
  wire->write_room = 0;
  for (int i = 0; i < 5000; ++i) send(*wire, heartbeat(i));
  stage.turns(20);
  EXPECT_LE(stage.echo_->answered_, 400);
  EXPECT_FALSE(wire->wants_readable);
  std::vector<std::int32_t> ids;
  for (int i = 0; i < 20'000 && ids.size() < 5000; ++i) {
    wire->write_room = 11;  // an answer takes more
    stage.turn();
    for (const auto id : answers(*wire)) ids.push_back(id);
  }
  ASSERT_EQ(ids.size(), 5000u);
  EXPECT_TRUE(std::ranges::is_sorted(ids));
  EXPECT_EQ(stage.pool_used(), 0u);
}

TEST(Connection, ManyThatAskMuchAndTakeNothingKeepNobodyOut) {
  Stage stage({.request_pool_bytes = 1 << 20});
  stage.echo_->answer_bytes_ = 30'000;
  std::vector<std::shared_ptr<Wire>> takers;
  for (int i = 0; i < 100; ++i) {
    takers.push_back(stage.connect("10.0.1." + std::to_string(i)));
    takers.back()->write_room = 0;
    for (int n = 0; n < 60; ++n) send(*takers.back(), heartbeat(n, 0, 200));
  }
  std::uint64_t most = 0;
  for (int i = 0; i < 50; ++i) {
    stage.advance(20ms);
    most = std::max(most, stage.pool_used());
  }
  EXPECT_LE(most, (1u << 20) + (512u << 10)) << "beyond the pool by the answers of a turn at most";
  const auto good = stage.connect("10.0.0.9");
  for (int n = 0; n < 20; ++n) {
    send(*good, heartbeat(n));
    stage.advance(20ms);
    stage.turns(5);
    ASSERT_THAT(answers(*good), ElementsAre(n)) << "others must not notice";
  }
}

TEST(Connection, ARangeOfAFileFollowsItsHeadInOneGo) {
  Stage stage;
  const auto file = std::make_shared<FakeFile>(std::string(10'000, 'f'));
  stage.echo_->pads_with_file_ = runtime::FileSlice{file, 1000, 5000};
  const auto wire = stage.connect();
  send(*wire, heartbeat(1));
  stage.turn();
  EXPECT_EQ(wire->writes, 1);
  EXPECT_TRUE(wire->last_write_more);
  EXPECT_EQ(wire->sends_of_files, 1);
  EXPECT_NE(wire->from_server.find(std::string(5000, 'f')), std::string::npos);
  EXPECT_THAT(answers(*wire), ElementsAre(1));
}

TEST(Connection, ASmallRangeInTheMiddleOfAnAnswerIsSentWithIt) {
  Stage stage;
  const auto file = std::make_shared<FakeFile>(std::string(100'000, 'f'));
  stage.echo_->tail_behind_file_ = true;
  stage.echo_->pads_with_file_ = runtime::FileSlice{file, 1000, 65'536};
  const auto wire = stage.connect();
  send(*wire, heartbeat(1));
  stage.turn();
  EXPECT_EQ(file->reads_, 1);
  EXPECT_EQ(wire->writes, 1);
  EXPECT_FALSE(wire->last_write_more);
  EXPECT_EQ(wire->sends_of_files, 0);
  EXPECT_NE(wire->from_server.find(std::string(65'536, 'f')), std::string::npos);
  EXPECT_THAT(answers(*wire), ElementsAre(1));
  EXPECT_EQ(stage.pool_used(), 0u);
}

TEST(Connection, ALargeRangeInTheMiddleOfAnAnswerLeavesFromTheFile) {
  Stage stage;
  const auto file = std::make_shared<FakeFile>(std::string(5'000'000, 'f'));
  stage.echo_->tail_behind_file_ = true;
  stage.echo_->pads_with_file_ = runtime::FileSlice{file, 0, 4'500'000};
  const auto wire = stage.connect();
  wire->write_room = 1'000'000;
  send(*wire, heartbeat(1));
  for (int i = 0; i < 10; ++i) {
    stage.turn();
    wire->write_room += 700'001;
  }
  EXPECT_EQ(file->reads_, 0);
  EXPECT_FALSE(wire->last_write_more) << "the last write is the tail, and nothing follows it";
  EXPECT_NE(wire->from_server.find(std::string(4'500'000, 'f')), std::string::npos);
  EXPECT_THAT(answers(*wire), ElementsAre(1));
}

TEST(Connection, AColdRangeIsLoadedAsideWhileOthersAreServed) {
  Stage stage;
  const auto file = std::make_shared<FakeFile>(std::string(10'000, 'f'));
  file->resident_ = false;
  stage.echo_->pads_with_file_ = runtime::FileSlice{file, 0, 10'000};
  const auto wire = stage.connect();
  send(*wire, heartbeat(1));
  stage.turn();
  EXPECT_FALSE(wire->last_write_more) << "nothing is held back for bytes that are not there yet";
  stage.echo_->pads_with_file_.reset();
  const auto other = stage.connect();
  send(*other, heartbeat(2));
  stage.turn();
  EXPECT_THAT(answers(*other), ElementsAre(2));
  EXPECT_THAT(answers(*wire), IsEmpty());
  stage.reactor_.finish_offloaded();
  stage.turn();
  EXPECT_EQ(file->loads_, 1);
  EXPECT_THAT(answers(*wire), ElementsAre(1));
}

TEST(Connection, AFileThatShrankEndsTheConnection) {
  Stage stage;
  const auto file = std::make_shared<FakeFile>(std::string(100, 'f'));
  stage.echo_->pads_with_file_ = runtime::FileSlice{file, 0, 10'000};
  const auto wire = stage.connect();
  send(*wire, heartbeat(1));
  stage.turns(3);
  EXPECT_TRUE(wire->closed_by_server);
}

TEST(Connection, TheConnectionMayEndWhileItsRangeIsLoaded) {
  Stage stage;
  const auto file = std::make_shared<FakeFile>(std::string(10'000, 'f'));
  file->resident_ = false;
  stage.echo_->pads_with_file_ = runtime::FileSlice{file, 0, 10'000};
  const auto wire = stage.connect();
  send(*wire, heartbeat(1));
  stage.turn();
  wire->reset = true;
  stage.turns(3);
  EXPECT_TRUE(wire->closed_by_server);
  stage.reactor_.finish_offloaded();
  stage.turn();
  EXPECT_EQ(stage.pool_used(), 0u);
}

// --- bad requests ----------------------------------------------------------------------------------------------------

struct BadBytes {
  const char* name;
  ByteVector bytes;
  const char* line;
};

ByteVector raw(std::int32_t length, std::initializer_list<int> body = {}) {
  ByteVector bytes;
  append_big(bytes, length);
  for (const int b : body) bytes.push_back(static_cast<std::byte>(b));
  return bytes;
}

TEST(Connection, BytesThatMakeNoSenseEndTheConnectionWithOneLine) {
  ByteVector wrong_version = heartbeat(1);
  store_big<std::int16_t>(wrong_version.data() + 6, 99);
  ByteVector truncated = heartbeat(1);
  truncated.resize(truncated.size() - 3);
  store_big<std::int32_t>(truncated.data(), static_cast<std::int32_t>(truncated.size() - 4));
  const BadBytes cases[] = {
      {"too large", raw(104857601), "Invalid receive (size = 104857601 larger than 104857600)"},
      {"largest", raw(INT32_MAX), "larger than"},
      {"negative", raw(-1), "Invalid receive (size = -1)"},
      {"most negative", raw(INT32_MIN), "Invalid receive (size = -2147483648)"},
      {"empty frame", raw(0), "Error parsing request header"},
      {"one byte", raw(1, {1}), "Error parsing request header"},
      {"key and version only", raw(4, {0, 12, 0, 0}),
       "Error parsing request header. Our best guess of the apiKeyId is: 12"},
      {"no client id", raw(8, {0, 12, 0, 0, 0, 0, 0, 1}), "Error parsing request header"},
      {"client id beyond the frame", raw(11, {0, 12, 0, 0, 0, 0, 0, 1, 0x7f, 0xff, 'c'}),
       "Error parsing request header"},
      {"HTTP", to_vector(as_bytes("GET / HTTP/1.1\r\n\r\n")), "Invalid receive (size = 1195725856 larger than"},
      {"unknown key", raw(10, {0x70, 0, 0, 0, 0, 0, 0, 1, 0, 0}), "Our best guess of the apiKeyId is: 28672"},
      {"key that is not served", raw(10, {0, 52, 0, 0, 0, 0, 0, 1, 0, 0}),
       "Received request for disabled api with key 52 (VOTE)"},
      {"unsupported version", wrong_version,
       "Received request for api with key 12 (HEARTBEAT) and unsupported version 99"},
      {"truncated body", truncated, "Error getting request for apiKey: HEARTBEAT, apiVersion: 4"},
  };
  for (const BadBytes& bad : cases) {
    Stage stage;
    const auto good = stage.connect();
    const auto wire = stage.connect();
    send(*wire, heartbeat(5));
    send(*wire, bad.bytes);
    send(*wire, heartbeat(6));
    send(*good, heartbeat(7));
    stage.turns(3);
    EXPECT_TRUE(wire->closed_by_server) << bad.name;
    EXPECT_THAT(answers(*wire), ElementsAre(5)) << bad.name << ": what came before is answered, nothing after";
    EXPECT_TRUE(stage.log_.has(bad.line))
        << bad.name << ": " << (stage.log_.lines_.empty() ? "" : stage.log_.lines_[0]);
    EXPECT_EQ(stage.log_.lines_.size(), 1u) << bad.name;
    EXPECT_THAT(answers(*good), ElementsAre(7)) << bad.name;
    EXPECT_EQ(stage.pool_used(), 0u) << bad.name;
  }
}

TEST(Connection, EveryByteOfARequestMayLie) {
  const ByteVector frame_bytes = produce(1, 0, 64);
  for (std::size_t at = 4; at < frame_bytes.size(); ++at) {
    for (const int value : {0x00, 0x7f, 0x80, 0xff}) {
      Stage stage;
      const auto wire = stage.connect();
      ByteVector lying = frame_bytes;
      lying[at] = static_cast<std::byte>(value);
      send(*wire, lying);
      stage.turns(3);
      while (!stage.produce_gate_.held.empty()) stage.produce_gate_.release();
      while (!stage.slow_gate_.held.empty()) stage.slow_gate_.release();
      stage.turns(3);
      ASSERT_EQ(stage.pool_used(), 0u) << at;
    }
  }
}

TEST(Connection, BadConnectionsFillNoLog) {
  Stage stage;
  for (int i = 0; i < 100; ++i) {
    const auto wire = stage.connect();
    send(*wire, raw(-1));
    stage.turns(2);
  }
  EXPECT_EQ(stage.log_.lines_.size(), 1u);
  stage.clock_.now_ += 1s;
  const auto wire = stage.connect();
  send(*wire, raw(-1));
  stage.turns(2);
  ASSERT_EQ(stage.log_.lines_.size(), 2u);
  EXPECT_TRUE(stage.log_.has("99 more of this kind"));
}

TEST(Connection, AHandlerThatBreaksEndsItsConnectionOnly) {
  Stage stage;
  const auto wire = stage.connect();
  stage.echo_->fails_ = true;
  send(*wire, heartbeat(1));
  stage.turns(2);
  EXPECT_TRUE(wire->closed_by_server);
  EXPECT_TRUE(stage.log_.has("handler broke"));
  stage.echo_->fails_ = false;
  const auto other = stage.connect();
  send(*other, heartbeat(2));
  stage.turn();
  EXPECT_THAT(answers(*other), ElementsAre(2));
}

// --- ends ------------------------------------------------------------------------------------------------------------

TEST(Connection, APeerThatSendsNoMoreIsStillAnswered) {
  Stage stage;
  const auto wire = stage.connect();
  send(*wire, list_groups(1));
  send(*wire, heartbeat(2));
  wire->peer_closed = true;
  stage.turns(3);
  EXPECT_FALSE(wire->closed_by_server);
  stage.slow_gate_.release();
  stage.turns(3);
  EXPECT_THAT(answers(*wire), ElementsAre(1, 2));
  EXPECT_TRUE(wire->closed_by_server);
}

TEST(Connection, APeerThatIsGoneIsForgottenWhenItsRequestsEnd) {
  Stage stage;
  const auto wire = stage.connect();
  send(*wire, list_groups(1));
  stage.turn();
  wire->reset = true;
  stage.turns(3);
  EXPECT_TRUE(wire->closed_by_server);
  EXPECT_EQ(stage.server_->connection_count(), 0u);
  stage.slow_gate_.release();
  stage.turns(3);
  EXPECT_EQ(stage.pool_used(), 0u);
}

TEST(Connection, IdleOnesAreReapedAndBusyOnesStay) {
  Stage stage({.idle_max = 10s});
  const auto idle = stage.connect();
  const auto busy = stage.connect();
  for (int i = 0; i < 24; ++i) {
    send(*busy, heartbeat(i));
    stage.advance(500ms);
  }
  EXPECT_TRUE(idle->closed_by_server);
  EXPECT_FALSE(busy->closed_by_server);
  stage.advance(30s);
  EXPECT_TRUE(busy->closed_by_server);
  EXPECT_FALSE(stage.reactor_.timers_armed()) << "without connections nobody wakes up";
}

TEST(Connection, IdleHoldsNoBuffer) {
  Stage stage;
  const auto wire = stage.connect();
  send(*wire, heartbeat(1, 0, 10'000));
  stage.turns(2);
  EXPECT_EQ(stage.pool_used(), 0u);
}

// --- throttling ------------------------------------------------------------------------------------------------------

class SlowDown final : public Quotas {
 public:
  std::chrono::milliseconds charge(const RequestContext&, protocol::ApiKey, std::size_t) override { return wait_; }
  std::chrono::milliseconds wait_{0};
};

TEST(Connection, WhoIsThrottledIsAnsweredAtOnceAndReadLater) {
  SlowDown quotas;
  Stage stage({}, &quotas);
  const auto wire = stage.connect();
  quotas.wait_ = 500ms;
  send(*wire, heartbeat(1));
  send(*wire, heartbeat(2));
  stage.turns(2);
  EXPECT_THAT(answers(*wire), ElementsAre(1));
  EXPECT_FALSE(wire->wants_readable);
  quotas.wait_ = 0ms;
  stage.advance(499ms);
  EXPECT_THAT(answers(*wire), IsEmpty());
  stage.advance(1ms);
  EXPECT_THAT(answers(*wire), ElementsAre(2));
  EXPECT_TRUE(wire->wants_readable);
}

}  // namespace
}  // namespace klamm::server::testing
