// The tables against what the jars of Apache Kafka 4.3.1 define (testdata/, made by the program beside it): a key that
// is missing, has another default, range or scope, or that Kafka does not know, fails.
#include "config/keys.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "config/documentation.h"

namespace klamm::config {
namespace {

std::filesystem::path here() {
  return std::filesystem::path(__FILE__).parent_path();
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Fact {
  std::string table, name, type, fallback, valid, importance, internal, update, synonyms;

  auto operator<=>(const Fact&) const = default;
  friend void PrintTo(const Fact& f, std::ostream* out) {
    *out << f.table << ' ' << f.name << ' ' << f.type << " default=" << f.fallback << " valid=" << f.valid << ' '
         << f.importance << ' ' << f.internal << ' ' << f.update << ' ' << f.synonyms;
  }
};

std::vector<Fact> kafka_facts(std::string_view table) {
  std::vector<Fact> facts;
  std::istringstream lines(read_file(here() / "testdata" / "kafka-4.3.1-keys.tsv"));
  std::string line;
  while (std::getline(lines, line)) {
    std::vector<std::string> cells(1);
    for (const char c : line) {
      if (c == '\t') {
        cells.emplace_back();
      } else {
        cells.back() += c;
      }
    }
    cells.resize(9);
    if (cells[0] == table) {
      facts.push_back({cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[6], cells[7], cells[8]});
    }
  }
  EXPECT_FALSE(facts.empty()) << table;
  return facts;
}

std::string sorted(std::span<const std::string_view> strings) {
  const std::set<std::string_view> ordered(strings.begin(), strings.end());
  return fmt::format("[{}]", fmt::join(ordered, ", "));
}

std::string valid_text(const Validator& validator) {
  if (validator.kind == Validator::Kind::list_in) {
    return fmt::format("list{}{}{}", sorted(validator.strings), validator.empty_allowed ? " empty" : "",
                       validator.null_allowed ? " null" : "");
  }
  if (validator.kind == Validator::Kind::string_in_any_case) return "(case insensitive) " + sorted(validator.strings);
  return validator.describe();
}

std::string synonyms_text(std::string_view table, std::string_view name) {
  std::string text;
  if (table == "topic") {
    for (const TopicSynonym& s : topic_synonyms(name))
      text += fmt::format("{}{}*{}", text.empty() ? "" : ",", s.broker_key, s.factor);
  } else if (table == "broker") {
    const auto names = broker_synonyms(name, false);
    if (names.size() > 1) text = fmt::format("{}", fmt::join(names, ","));
  }
  return text;
}

Fact our_fact(std::string_view table, const Key& key) {
  std::string fallback(key.fallback.text());
  if (key.fallback.kind() == Default::Kind::null) fallback = "<null>";
  if (key.fallback.kind() == Default::Kind::required) fallback = "<required>";
  return {std::string(table),
          std::string(key.name),
          std::string(type_name(key.type)),
          fallback,
          valid_text(key.validator),
          std::string(importance_name(key.importance)),
          key.internal ? "internal" : "",
          std::string(update_name(key.update)),
          synonyms_text(table, key.name)};
}

std::vector<Fact> our_facts(std::string_view table, std::span<const Key* const> keys) {
  std::vector<Fact> facts;
  for (const Key* key : keys) {
    if (!key->name.starts_with("klamm.")) facts.push_back(our_fact(table, *key));
  }
  return facts;
}

// A map in the order of Java's hashing; ours says the same in the order of the protocols.
void settle_order_of_protocol_map(std::vector<Fact>& facts) {
  for (Fact& fact : facts) {
    if (fact.name == "listener.security.protocol.map") {
      EXPECT_EQ(fact.fallback.size(),
                std::string_view("PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL").size());
      fact.fallback = "all";
    }
  }
}

TEST(Keys, OfTheBrokerAreKafkasInKafkasOrder) {
  auto kafka = kafka_facts("broker");
  auto ours = our_facts("broker", broker_keys().keys());
  settle_order_of_protocol_map(kafka);
  settle_order_of_protocol_map(ours);
  ASSERT_EQ(ours.size(), kafka.size());
  for (std::size_t i = 0; i < kafka.size(); ++i) EXPECT_EQ(ours[i], kafka[i]);
}

TEST(Keys, OfTopicsAreKafkasInKafkasOrder) {
  EXPECT_EQ(our_facts("topic", topic_keys().keys()), kafka_facts("topic"));
}

void expect_same_set(std::string_view table, const ConfigDef& ours) {
  auto kafka = kafka_facts(table);
  auto own = our_facts(table, ours.keys());
  std::ranges::sort(kafka);
  std::ranges::sort(own);
  EXPECT_EQ(own, kafka) << table;
}

TEST(Keys, OfEverythingElseAreKafkas) {
  expect_same_set("group", group_override_keys());
  expect_same_set("client-metrics", client_metrics_keys());
  expect_same_set("user-quota", client_quota_keys());
  expect_same_set("ip-quota", ip_quota_keys());
  expect_same_set("producer", producer_keys());
  expect_same_set("consumer", consumer_keys());
  expect_same_set("admin", admin_keys());
  std::vector<const Key*> dynamic;
  for (const Key& key : dynamic_only_keys()) dynamic.push_back(&key);
  EXPECT_EQ(our_facts("dynamic", dynamic), kafka_facts("dynamic"));
}

TEST(Keys, HaveDefaultsThatAreValidAndATextOfTheirOwn) {
  for (const ConfigDef* definition :
       {&broker_keys(), &dynamic_broker_keys(), &topic_keys(), &group_override_keys(), &client_metrics_keys(),
        &client_quota_keys(), &ip_quota_keys(), &producer_keys(), &consumer_keys(), &admin_keys()}) {
    for (const Key* key : definition->keys()) {
      EXPECT_FALSE(key->documentation.empty()) << key->name;
      if (key->fallback.kind() != Default::Kind::text) continue;
      const auto value = definition->parse_value(*key, key->fallback.text());
      EXPECT_TRUE(value.has_value()) << key->name;
      EXPECT_EQ(value_text(*value), key->fallback.text()) << key->name;
    }
  }
}

TEST(Keys, KnowTheirRelativesBehindAListenersPrefix) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(broker_synonyms("log.retention.hours", true),
            (Names{"log.retention.ms", "log.retention.minutes", "log.retention.hours"}));
  EXPECT_EQ(broker_synonyms("log.flush.scheduler.interval.ms", true), (Names{"log.flush.scheduler.interval.ms"}));
  EXPECT_EQ(broker_synonyms("listener.name.internal.ssl.keystore.location", true),
            (Names{"listener.name.internal.ssl.keystore.location", "ssl.keystore.location"}));
  EXPECT_EQ(broker_synonyms("listener.name.internal.plain.sasl.jaas.config", true),
            (Names{"listener.name.internal.plain.sasl.jaas.config", "sasl.jaas.config"}));
  EXPECT_EQ(broker_synonyms("listener.name.internal.max.connections", false),
            (Names{"listener.name.internal.max.connections"}));
  EXPECT_EQ(listener_base_key("listener.name.x"), std::nullopt);
  EXPECT_EQ(listener_base_key("listener.name.x.a.b"), "a.b");
}

TEST(Keys, AreDescribedByThePageInDocs) {
  const std::string page = read_file(here() / ".." / ".." / "docs" / "configuration.md");
  EXPECT_TRUE(page == configuration_page())
      << "docs/configuration.md is not up to date: klamm config-reference > docs/configuration.md";
}

}  // namespace
}  // namespace klamm::config
