#include "config/broker_config.h"

#include <gtest/gtest.h>

#include "config/refusals.h"
#include "config/topic_config.h"

namespace klamm::config {
namespace {

// A file as `klamm storage format --standalone` wants it: broker and controller in one process.
Properties combined() {
  return {{"process.roles", "broker,controller"},
          {"node.id", "1"},
          {"listeners", "PLAINTEXT://localhost:29192,CONTROLLER://localhost:29193"},
          {"advertised.listeners", "PLAINTEXT://localhost:29192"},
          {"controller.listener.names", "CONTROLLER"},
          {"controller.quorum.bootstrap.servers", "localhost:29193"},
          {"log.dirs", "/tmp/kraft-combined-logs"}};
}

Properties with(Properties properties, std::initializer_list<std::pair<std::string, std::string>> changes) {
  for (const auto& [key, value] : changes) {
    if (value == "<absent>") {
      properties.erase(key);
    } else {
      properties.insert_or_assign(key, value);
    }
  }
  return properties;
}

BrokerConfigRef config_of(const Properties& properties) {
  auto config = BrokerConfig::parse(properties);
  EXPECT_TRUE(config.has_value()) << config.error().to_string();
  return config.value_or(nullptr);
}

std::string error_of(const Properties& properties) {
  const auto config = BrokerConfig::parse(properties);
  return config ? "" : config.error().to_string();
}

TEST(BrokerConfig, NeedsNoFileAtAll) {
  const auto config = config_of({});
  EXPECT_EQ(config->mode(), Mode::embedded);
  EXPECT_TRUE(config->is_broker());
  EXPECT_FALSE(config->is_controller());
  EXPECT_EQ(config->node_id(), BrokerId(1));
  EXPECT_EQ(config->broker_listeners(), (std::vector<Listener>{{"PLAINTEXT", SecurityProtocol::plaintext, "", 9092}}));
  EXPECT_EQ(config->advertised_listeners(), config->broker_listeners());
  EXPECT_EQ(config->inter_broker_listener(), "PLAINTEXT");
  EXPECT_EQ(config->log_dirs(), (List{"/tmp/kafka-logs"}));
  EXPECT_EQ(config->metadata_log_dir(), "/tmp/kafka-logs");
  EXPECT_EQ(config->values().get_int("offsets.topic.replication.factor"), 1);
  EXPECT_EQ(config->values().get_int("transaction.state.log.min.isr"), 1);
  EXPECT_EQ(config->request_pool_bytes(), 64 << 20);
  EXPECT_EQ(config->io_uring(), IoUring::automatic);
  EXPECT_FALSE(config->validate_records_strictly());
  EXPECT_TRUE(config->warnings().empty());
  EXPECT_EQ(refusal(*config), std::nullopt);
}

TEST(BrokerConfig, TakesTheNodeIdFromEitherKey) {
  EXPECT_EQ(config_of({{"broker.id", "7"}})->node_id(), BrokerId(7));
  EXPECT_EQ(config_of({{"node.id", "8"}})->node_id(), BrokerId(8));
  EXPECT_EQ(config_of({{"node.id", "8"}})->values().get_int("broker.id"), 8);
}

TEST(BrokerConfig, CombinedRolesHaveKafkasDefaults) {
  const auto config = config_of(combined());
  EXPECT_EQ(config->mode(), Mode::kraft);
  EXPECT_TRUE(config->is_combined());
  EXPECT_EQ(config->broker_listeners(),
            (std::vector<Listener>{{"PLAINTEXT", SecurityProtocol::plaintext, "localhost", 29192}}));
  EXPECT_EQ(config->controller_listeners(),
            (std::vector<Listener>{{"CONTROLLER", SecurityProtocol::plaintext, "localhost", 29193}}));
  EXPECT_EQ(config->advertised_controller_listeners(), config->controller_listeners());
  EXPECT_EQ(config->values().get_int("offsets.topic.replication.factor"), 3);
  EXPECT_EQ(config->bootstrap_controllers(), (std::vector<ServerAddress>{{"localhost", 29193}}));
  EXPECT_EQ(refusal(*config), std::nullopt);
}

// One change each to a file that is right, and the exception with which Kafka 4.3.1 then refuses to start.
TEST(BrokerConfig, RefusesWrongValuesInKafkasWords) {
  const std::string config_exception = "org.apache.kafka.common.config.ConfigException: ";
  const std::string illegal_argument = "java.lang.IllegalArgumentException: ";
  const std::pair<std::pair<std::string, std::string>, std::string> cases[] = {
      {{"num.partitions", "abc"},
       config_exception + "Invalid value abc for configuration num.partitions: Not a number of type INT"},
      {{"num.partitions", "0"},
       config_exception + "Invalid value 0 for configuration num.partitions: Value must be at least 1"},
      {{"compression.type", "foo"},
       config_exception + "Invalid value foo for configuration compression.type: String must be one of: "
                          "uncompressed, zstd, lz4, snappy, gzip, producer"},
      {{"process.roles", "broker,zk"},
       config_exception +
           "Invalid value zk for configuration process.roles: String must be one of: broker, controller"},
      {{"node.id", "<absent>"},
       config_exception + "Missing required configuration \"node.id\" which has no default value."},
      {{"node.id", "-3"}, config_exception + "Invalid value -3 for configuration node.id: Value must be at least 0"},
      {{"listeners", "PLAINTEXT://localhost:xx"},
       illegal_argument + "Error creating broker listeners from '[PLAINTEXT://localhost:xx]': Unable to parse "
                          "PLAINTEXT://localhost:xx "
                          "to a broker endpoint\nCaused by: org.apache.kafka.common.KafkaException: Unable to parse "
                          "PLAINTEXT://localhost:xx to a broker endpoint"},
      {{"listeners", "FOO://localhost:29192,CONTROLLER://localhost:29193"},
       illegal_argument +
           "Error creating broker listeners from '[FOO://localhost:29192, CONTROLLER://localhost:29193]': No security "
           "protocol defined for listener FOO\nCaused by: java.lang.IllegalArgumentException: No security protocol "
           "defined for listener FOO"},
      {{"listeners", "PLAINTEXT://:29192,PLAINTEXT://:29193"},
       illegal_argument +
           "Error creating broker listeners from '[PLAINTEXT://:29192, PLAINTEXT://:29193]': Each listener must have a "
           "different name, listeners: [PLAINTEXT://:29192, PLAINTEXT://:29193]\nCaused by: "
           "java.lang.IllegalArgumentException: Each listener must have a different name, listeners: "
           "[PLAINTEXT://:29192, PLAINTEXT://:29193]"},
      {{"listeners", "PLAINTEXT://:99999,CONTROLLER://localhost:29193"}, illegal_argument + "port out of range:99999"},
      {{"controller.listener.names", "<absent>"},
       config_exception + "Missing required configuration \"controller.listener.names\" which has no default value."},
      {{"controller.listener.names", "PLAINTEXT"},
       illegal_argument +
           "Error creating broker listeners from '[PLAINTEXT://localhost:29192, CONTROLLER://localhost:29193]': No "
           "security protocol defined for listener CONTROLLER\nCaused by: java.lang.IllegalArgumentException: No "
           "security protocol defined for listener CONTROLLER"},
      {{"controller.listener.names", "CONTROLLER,OTHER"},
       illegal_argument +
           "requirement failed: controller.listener.names must only contain values appearing in the 'listeners' "
           "configuration when running the KRaft controller role"},
      {{"listeners", "PLAINTEXT"},
       "org.apache.kafka.common.KafkaException: Unable to parse a listener name from PLAINTEXT"},
      {{"inter.broker.listener.name", ""}, config_exception + "The provided listener name is null or empty string"},
      {{"group.consumer.assignors", "x"}, "org.apache.kafka.common.KafkaException: Class x cannot be found"},
      {{"offsets.topic.compression.codec", "7"}, illegal_argument + "Unknown compression type id: 7"},
      {{"controller.quorum.bootstrap.servers", "<absent>"},
       config_exception +
           "If using process.roles, either controller.quorum.bootstrap.servers must contain the set of bootstrap "
           "controllers or controller.quorum.voters must contain a parseable set of controllers."},
      {{"controller.quorum.voters", "2@localhost:29193"},
       illegal_argument + "requirement failed: If process.roles contains the 'controller' role, the node id 1 must be "
                          "included in the set "
                          "of voters controller.quorum.voters=Set(2)"},
      {{"controller.quorum.voters", "1@localhost"},
       config_exception + "Failed to parse host name from entry 1@localhost for the configuration "
                          "controller.quorum.voters. Each entry "
                          "should be in the form `{id}@{host}:{port}`."},
      {{"controller.quorum.voters", "x@localhost:1"},
       config_exception + "Failed to parse voter ID as an integer from x"},
      {{"log.dirs", ""},
       config_exception + "Configuration 'log.dirs' must not be empty. Valid values include: any non-empty value"},
      {{"log.retention.hours", "0"},
       illegal_argument + "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1"},
      {{"log.roll.ms", "0"}, illegal_argument + "requirement failed: log.roll.ms must be greater than or equal to 1"},
      {{"log.segment.bytes", "10"},
       config_exception + "Invalid value 10 for configuration log.segment.bytes: Value must be at least 1048576"},
      {{"log.cleanup.policy", "foo"},
       config_exception +
           "Invalid value foo for configuration log.cleanup.policy: String must be one of: compact, delete"},
      {{"auto.create.topics.enable", "maybe"},
       config_exception + "Invalid value maybe for configuration auto.create.topics.enable: Expected value to be "
                          "either true or false"},
      {{"advertised.listeners", "PLAINTEXT://0.0.0.0:29192"},
       illegal_argument + "requirement failed: advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. "
                          "Use a routable IP address."},
      {{"message.max.bytes", "-1"},
       config_exception + "Invalid value -1 for configuration message.max.bytes: Value must be at least 0"},
      {{"inter.broker.listener.name", "NOPE"},
       config_exception + "Listener with name NOPE defined in inter.broker.listener.name not found in "
                          "listener.security.protocol.map."},
      {{"group.coordinator.rebalance.protocols", "classic,foo"},
       config_exception + "Invalid value foo for configuration group.coordinator.rebalance.protocols: String must be "
                          "one of: consumer, "
                          "classic, share, streams"},
      {{"broker.id", "2"}, config_exception + "You must set `node.id` to the same value as `broker.id`."},
      {{"log.flush.interval.ms", "-5"},
       config_exception + "Invalid value -5 for configuration flush.ms: Value must be at least 0"},
      {{"min.insync.replicas", "0"},
       config_exception + "Invalid value 0 for configuration min.insync.replicas: Value must be at least 1"},
      {{"group.consumer.session.timeout.ms", "1000"},
       illegal_argument +
           "group.consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms"},
      {{"queued.max.request.bytes", "1000"},
       illegal_argument +
           "requirement failed: queued.max.request.bytes must be larger or equal to socket.request.max.bytes"},
      {{"max.connections.per.ip", "0"},
       illegal_argument + "requirement failed: max.connections.per.ip can be set to zero only if "
                          "max.connections.per.ip.overrides property is set."},
      {{"max.connections.per.ip.overrides", "a b:1"},
       illegal_argument + "max.connections.per.ip.overrides contains invalid addresses : a b"},
      {{"connections.max.idle.ms", "50"},
       illegal_argument +
           "requirement failed: connection.failed.authentication.delay.ms=100 should always be less than "
           "connections.max.idle.ms=50 to prevent failed authentication responses from timing out"},
      {{"listener.security.protocol.map", "PLAINTEXT:FOO"},
       config_exception + "Invalid security protocol `FOO` defined in listener.security.protocol.map"},
      {{"security.inter.broker.protocol", "FOO"},
       config_exception +
           "Invalid value FOO for configuration security.inter.broker.protocol: String must be one of: PLAINTEXT, SSL, "
           "SASL_PLAINTEXT, SASL_SSL"},
      {{"cordoned.log.dirs", "/nope"},
       illegal_argument + "requirement failed: All entries in cordoned.log.dirs must be present in log.dirs or "
                          "log.dir. Missing entries : /nope"},
      {{"klamm.io.uring", "maybe"},
       config_exception + "Invalid value maybe for configuration klamm.io.uring: String must be one of: auto, on, off"},
  };
  for (const auto& [change, expected] : cases) {
    EXPECT_EQ(error_of(with(combined(), {change})), expected) << change.first << "=" << change.second;
  }
}

TEST(BrokerConfig, AcceptsWhatKafkaOnlyIgnores) {
  for (const std::string_view key :
       {"zookeeper.connect", "inter.broker.protocol.version", "log.message.format.version"}) {
    const auto config = config_of(with(combined(), {{std::string(key), "3.0"}}));
    EXPECT_EQ(config->unknown_keys(), (std::vector<std::string>{std::string(key)}));
    EXPECT_EQ(refusal(*config), std::nullopt);
  }
}

TEST(BrokerConfig, WarnsOnceOfAllUnknownKeys) {
  const auto config = config_of({{"no.such.key", "1"},
                                 {"another", "2"},
                                 {"listener.name.internal.max.connections", "5"},
                                 {"listener.name.internal.plain.sasl.jaas.config", "x"},
                                 {"rsm.config.bucket", "b"}});
  EXPECT_EQ(config->warnings(),
            (std::vector<std::string>{"Unknown configuration keys, without effect: another, no.such.key"}));
  EXPECT_EQ(config->listener_max_connections().at("INTERNAL"), 5);
}

TEST(BrokerConfig, ReadsListenersOfEveryForm) {
  const auto config =
      config_of({{"listeners", "CLIENT://[::1]:9092,internal://127.0.0.1:9092,ANY://:9094,ZONE://fe80::1%eth0:0"},
                 {"listener.security.protocol.map", "CLIENT:PLAINTEXT,INTERNAL:plaintext,ANY:PLAINTEXT,ZONE:PLAINTEXT"},
                 {"advertised.listeners", "CLIENT://example.org:443,INTERNAL://example.org:443"},
                 {"inter.broker.listener.name", "internal"}});
  const auto plaintext = SecurityProtocol::plaintext;
  EXPECT_EQ(config->listeners(), (std::vector<Listener>{{"CLIENT", plaintext, "::1", 9092},
                                                        {"INTERNAL", plaintext, "127.0.0.1", 9092},
                                                        {"ANY", plaintext, "", 9094},
                                                        {"ZONE", plaintext, "fe80::1%eth0", 0}}));
  EXPECT_EQ(config->listeners()[0].to_string(), "CLIENT://[::1]:9092");
  EXPECT_EQ(config->advertised_listeners()[1].to_string(), "INTERNAL://example.org:443");
  EXPECT_EQ(config->inter_broker_listener(), "INTERNAL");
}

TEST(BrokerConfig, RefusesPortsThatTwoListenersShare) {
  const auto error = [](std::string listeners) {
    return error_of({{"listeners", std::move(listeners)},
                     {"listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,A:PLAINTEXT,B:PLAINTEXT"}});
  };
  EXPECT_NE(error("PLAINTEXT://a:1,A://b:1").find("Each listener must have a different port, listeners: "),
            std::string::npos);
  EXPECT_NE(error("PLAINTEXT://1.2.3.4:1,A://5.6.7.8:1").find("one needs to be IPv4 and the other IPv6"),
            std::string::npos);
  EXPECT_NE(error("PLAINTEXT://1.2.3.4:1,A://[::1]:1,B://[::2]:1").find("unless exactly one listener has an IPv4"),
            std::string::npos);
  EXPECT_EQ(error("PLAINTEXT://1.2.3.4:1,A://[::1]:1"), "");
  EXPECT_EQ(error("PLAINTEXT://:0,A://:0"), "");
}

TEST(BrokerConfig, AdvertisesAControllerAsTheVotersSay) {
  const auto config = config_of(with(combined(), {{"listeners", "PLAINTEXT://:29192,CONTROLLER://0.0.0.0:29193"},
                                                  {"controller.quorum.voters", "1@node-one:29193"}}));
  EXPECT_EQ(config->advertised_controller_listeners()[0].to_string(), "CONTROLLER://node-one:29193");
}

TEST(BrokerConfig, ConvertsUnitsOfRelatedKeys) {
  const auto config = config_of({{"log.retention.hours", "1"},
                                 {"log.roll.hours", "2"},
                                 {"log.roll.jitter.hours", "3"},
                                 {"log.flush.scheduler.interval.ms", "4"}});
  EXPECT_EQ(config->log_retention(), std::chrono::hours(1));
  EXPECT_EQ(config->log_roll(), std::chrono::hours(2));
  EXPECT_EQ(config->log_roll_jitter(), std::chrono::hours(3));
  EXPECT_EQ(config->log_flush_interval(), Milliseconds(4));
  EXPECT_EQ(config_of({{"log.retention.hours", "1"}, {"log.retention.minutes", "5"}})->log_retention(),
            std::chrono::minutes(5));
  EXPECT_EQ(config_of({{"log.retention.minutes", "5"}, {"log.retention.ms", "-7"}})->log_retention(), Milliseconds(-1));
}

TEST(BrokerConfig, ReadsKlammsOwnKeys) {
  const auto config = config_of({{"klamm.validate.records", "strict"},
                                 {"klamm.io.uring", "off"},
                                 {"klamm.reactors", "2"},
                                 {"klamm.request.pool.bytes", "1048576"},
                                 {"klamm.io.threads", "3"}});
  EXPECT_TRUE(config->validate_records_strictly());
  EXPECT_EQ(config->io_uring(), IoUring::off);
  EXPECT_EQ(config->reactors(), 2);
  EXPECT_EQ(config->request_pool_bytes(), 1 << 20);
  EXPECT_EQ(config->io_threads(), 3);
}

// What would be dangerous to leave out in silence, or is not there yet, is refused with the key's name.
TEST(Refusals, NameWhatIsInTheWay) {
  struct Case {
    Properties properties;
    std::string_view part;
  };
  const Case cases[] = {
      {{{"zookeeper.connect", "localhost:2181"}}, "zookeeper.connect is set"},
      {with(combined(), {{"process.roles", "broker"}, {"listeners", "PLAINTEXT://localhost:29192"}}),
       "process.roles=broker"},
      {with(combined(), {{"process.roles", "controller"},
                         {"listeners", "CONTROLLER://localhost:29193"},
                         {"advertised.listeners", "<absent>"}}),
       "process.roles=controller"},
      {with(combined(), {{"controller.quorum.voters", "1@a:1,2@b:1"}}), "controller.quorum.voters names node 2"},
      {with(combined(), {{"controller.quorum.bootstrap.servers", "a:1,b:1"}}),
       "controller.quorum.bootstrap.servers names several"},
      {{{"authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"}},
       "authorizer.class.name="},
      {{{"listeners", "PLAINTEXT://:9092,SSL://:9093"}}, "Listener SSL uses SSL"},
      {{{"listeners", "PLAINTEXT://:9092,SASL_PLAINTEXT://:9093"}}, "Listener SASL_PLAINTEXT uses SASL_PLAINTEXT"},
      {{{"remote.log.storage.system.enable", "true"}}, "remote.log.storage.system.enable=true: tiered storage"},
      {{{"create.topic.policy.class.name", "x.Policy"}}, "create.topic.policy.class.name=x.Policy: policies"},
      {{{"alter.config.policy.class.name", "x.Policy"}}, "alter.config.policy.class.name=x.Policy: policies"},
      {{{"metric.reporters", "x.Reporter"}}, "metric.reporters=x.Reporter: Java classes"},
      {{{"principal.builder.class", "x.Builder"}}, "principal.builder.class=x.Builder: Java classes"},
      {{{"listener.name.internal.principal.builder.class", "x.Builder"}},
       "listener.name.internal.principal.builder.class=x.Builder"},
      {{{"client.quota.callback.class", "x.Callback"}}, "client.quota.callback.class="},
      {{{"replica.selector.class", "x.Selector"}}, "replica.selector.class="},
      {{{"config.providers", "file"}}, "config.providers=file"},
  };
  for (const Case& each : cases) {
    const auto config = config_of(each.properties);
    const auto reason = refusal(*config);
    ASSERT_TRUE(reason.has_value()) << each.part;
    EXPECT_TRUE(reason->starts_with(each.part)) << *reason;
  }
}

TEST(Refusals, LetDefaultsPass) {
  const auto config = config_of(
      {{"authorizer.class.name", ""},
       {"metric.reporters", "org.apache.kafka.common.metrics.JmxReporter"},
       {"metrics.recording.level", "DEBUG"},
       {"group.consumer.assignors", "range"},
       {"principal.builder.class", "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder"}});
  EXPECT_EQ(refusal(*config), std::nullopt);
}

}  // namespace
}  // namespace klamm::config
