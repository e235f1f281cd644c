#include "config/documentation.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "config/keys.h"

namespace klamm::config {
namespace {

// Text inside a cell of a table.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string default_cell(const Key& key) {
  switch (key.fallback.kind()) {
    case Default::Kind::required:
      return "*required*";
    case Default::Kind::null:
      return "*none*";
    case Default::Kind::text:
      break;
  }
  return key.fallback.text().empty() ? "*empty*" : fmt::format("`{}`", key.fallback.text());
}

std::string valid_cell(const Key& key) {
  const std::string text = key.validator.describe();
  return text.empty() ? "" : fmt::format("`{}`", text);
}

std::vector<const Key*> by_name(const ConfigDef& definition) {
  std::vector<const Key*> keys(definition.keys().begin(), definition.keys().end());
  std::ranges::sort(keys, {}, &Key::name);
  return keys;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::size_t count(const ConfigDef& definition, Effect effect) {
  return static_cast<std::size_t>(std::ranges::count(definition.keys(), effect, &Key::effect));
}

void broker_section(std::string& page) {
  const ConfigDef& keys = broker_keys();
  page += fmt::format(
      "## Broker\n\n"
      "{} keys: {} are obeyed, {} are refused unless left at their default, {} are accepted and checked but have no "
      "effect "
      "yet.\n\n"
      "*At run time*: `cluster-wide` keys are changed for all brokers or for one with `kafka-configs`, `per-broker` "
      "keys for "
      "one.\n\n"
      "| Key | Type | Default | Valid | Importance | At run time | Effect today | "
      "|\n|---|---|---|---|---|---|---|---|\n",
      keys.keys().size(), count(keys, Effect::active), count(keys, Effect::refused), count(keys, Effect::none));
  for (const Key* key : by_name(keys)) {
    page += fmt::format("| `{}` | {} | {} | {} | {} | {} | {} | {}{} |\n", key->name, lower(type_name(key->type)),
                        cell(default_cell(*key)), cell(valid_cell(*key)), lower(importance_name(key->importance)),
                        update_name(key->update), effect_name(key->effect), cell(key->documentation),
                        key->internal ? " *(internal)*" : "");
  }
  page += "\n### Only at run time\n\n| Key | Type | Default | Valid | Effect today | |\n|---|---|---|---|---|---|\n";
  for (const Key& key : dynamic_only_keys()) {
    page +=
        fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", key.name, lower(type_name(key.type)),
                    cell(default_cell(key)), cell(valid_cell(key)), effect_name(key.effect), cell(key.documentation));
  }
  page += "\n";
}

std::string synonyms_cell(const Key& key) {
  std::string text;
  for (const TopicSynonym& synonym : topic_synonyms(key.name))
    text += fmt::format("{}`{}`", text.empty() ? "" : ", ", synonym.broker_key);
  if (const auto group = group_synonym(key.name)) text = fmt::format("`{}`", *group);
  return text;
}

void section(std::string& page, std::string_view title, std::string_view about, const ConfigDef& keys,
             bool with_synonyms) {
  page += fmt::format("## {}\n\n{}\n\n", title, about);
  page +=
      with_synonyms
          ? "| Key | Type | Default | Valid | Default comes from | Effect today | |\n|---|---|---|---|---|---|---|\n"
          : "| Key | Type | Default | Valid | Importance | Effect today | |\n|---|---|---|---|---|---|---|\n";
  for (const Key* key : by_name(keys)) {
    const std::string fifth = with_synonyms ? synonyms_cell(*key) : lower(importance_name(key->importance));
    page += fmt::format("| `{}` | {} | {} | {} | {} | {} | {}{} |\n", key->name, lower(type_name(key->type)),
                        cell(default_cell(*key)), cell(valid_cell(*key)), fifth, effect_name(key->effect),
                        cell(key->documentation), key->internal ? " *(internal)*" : "");
  }
  page += "\n";
}

}  // namespace

std::string configuration_page() {
  std::string page =
      "# Configuration\n\n"
      "Every key of Apache Kafka 4.3 is read and checked as Apache Kafka does it: a wrong value stops the start with "
      "the same "
      "message, a key nobody knows is accepted with a warning. This page says which keys have an effect today. It is "
      "made of the "
      "tables in `src/config/keys_*.cpp` by `klamm config-reference > docs/configuration.md`; a test fails when the "
      "two differ.\n\n"
      "Configuration files are Java properties: `key=value`, `#` begins a comment, a `\\` at the end of a line "
      "continues it. "
      "`listener.name.<listener>.<key>` sets a key for one listener. What is set at run time counts more than the "
      "file: for one "
      "broker, then for all brokers, then the file, then the default; a topic's own keys count more than all of "
      "these.\n\n"
      "Without `process.roles` and `zookeeper.connect` the broker runs *embedded*: it keeps the cluster's metadata "
      "itself, formats "
      "its directories itself, and is node `node.id`, else `broker.id`, else 1; the replication factors and min ISR of "
      "the "
      "internal topics then default to 1.\n\n";
  broker_section(page);
  section(page, "Topic", "Set when a topic is created, or with `kafka-configs --alter --topic`.", topic_keys(), true);
  section(page, "Group", "Set with `kafka-configs --alter --group`.", group_override_keys(), true);
  section(page, "Client metrics", "Set with `kafka-client-metrics`.", client_metrics_keys(), false);
  section(page, "Quotas of users and clients", "Set with `kafka-configs --alter --user` and `--client`.",
          client_quota_keys(), false);
  section(page, "Quotas of addresses", "Set with `kafka-configs --alter --ip`.", ip_quota_keys(), false);
  section(page, "Producer", "Keys of producers, Klamm's own and that of its tools.", producer_keys(), false);
  section(page, "Consumer", "Keys of consumers, Klamm's own and that of its tools.", consumer_keys(), false);
  section(page, "Admin client", "Keys of admin clients, Klamm's own and that of its tools.", admin_keys(), false);
  page.pop_back();
  return page;
}

}  // namespace klamm::config
