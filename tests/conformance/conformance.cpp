// klamm_conformance PLAN IN OUT: decodes what Kafka wrote (Conformance.java), writes it again and compares bytes, sizes
// and JSON; then writes each instance at every other version, or says why it cannot be, into OUT for Kafka to judge.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "protocol/catalog.h"

namespace klamm::protocol {
namespace {

enum class Kind : std::uint8_t { defaults, all_set, other };

struct Instance {
  std::string name;
  std::int16_t version = 0;
  Kind kind = Kind::other;
  Bytes bytes;
  std::string_view json;
  std::string_view json_with_sizes;
};

struct Planned {
  std::string java_class;
  std::vector<std::int16_t> versions;
  std::map<std::int16_t, int> instances;
};

std::string slurp(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(fmt::format("cannot read {}", path));
  return {std::istreambuf_iterator<char>(file), {}};
}

std::map<std::string, Planned> read_plan(const char* path) {
  std::map<std::string, Planned> plan;
  std::istringstream lines(slurp(path));
  for (std::string name, java_class, json, versions; lines >> name >> java_class >> json >> versions;) {
    Planned& planned = plan[name];
    planned.java_class = java_class;
    std::istringstream numbers(versions);
    for (std::string number; std::getline(numbers, number, ',');) {
      planned.versions.push_back(static_cast<std::int16_t>(std::stoi(number)));
    }
  }
  return plan;
}

Bytes sized(Reader& file) {
  return file.read_raw(file.read_uint32());
}

Instance read_instance(Reader& file) {
  Instance instance;
  instance.name = as_text(file.read_raw(file.read_uint16()));
  instance.version = file.read_int16();
  instance.kind = static_cast<Kind>(file.read_int8());
  instance.bytes = sized(file);
  instance.json = as_text(sized(file));
  instance.json_with_sizes = as_text(sized(file));
  return instance;
}

class Comparison {
 public:
  explicit Comparison(std::map<std::string, Planned> plan) : plan_(std::move(plan)) {}

  void compare(const Instance& instance) {
    const MessageType* type = find_message_type(instance.name);
    const auto planned = plan_.find(instance.name);
    if (type == nullptr || planned == plan_.end()) return differ(instance, "there is no such message");
    ++planned->second.instances[instance.version];
    ++instances_;
    compare_codec(*type, instance);
    if (const MessageType* view = find_message_type(instance.name + "View")) compare_codec(*view, instance);
    write_at_other_versions(*type, instance, planned->second);
  }

  // Every planned version of every message had at least so many instances.
  void check_counts(int instances_min) {
    for (const auto& [name, planned] : plan_) {
      for (const std::int16_t version : planned.versions) {
        ++versions_;
        const auto count = planned.instances.find(version);
        if (count == planned.instances.end() || count->second < instances_min) {
          differ({.name = name, .version = version}, "too few instances");
        }
      }
    }
  }

  bool report() const {
    fmt::print(
        "compared: {} messages, {} versions, {} instances; {} as views, {} cut short, {} written at other versions, "
        "{} refused there; {} differences\n",
        plan_.size(), versions_, instances_, views_, cuts_, rewritten_, refused_, differences_);
    return differences_ == 0;
  }
  const ByteVector& for_java() const { return for_java_; }

 private:
  void compare_codec(const MessageType& type, const Instance& instance) {
    const auto message = type.make();
    Reader reader(instance.bytes);
    message->decode(reader, instance.version);
    if (!reader.ok()) return differ(instance, "not readable: " + reader.error());
    if (reader.remaining() != 0) return differ(instance, fmt::format("{} bytes are left", reader.remaining()));
    if (write(*message, instance.version) != to_vector(instance.bytes)) differ(instance, "written otherwise");
    if (message->encoded_size(instance.version) != instance.bytes.size()) differ(instance, "another size");
    const bool is_view = type.name != instance.name;
    views_ += is_view;
    if (!is_view) compare_json(*message, instance);
    if (!is_view && instance.kind == Kind::defaults &&
        write(*type.make(), instance.version) != to_vector(instance.bytes)) {
      differ(instance, "other defaults");
    }
    if (instance.kind == Kind::all_set) cut_short(type, instance);
  }

  void compare_json(const AnyMessage& message, const Instance& instance) {
    const std::string json = message.to_json(instance.version, JsonRecords::bytes);
    if (json != instance.json) differ(instance, fmt::format("other JSON:\n  {}\n  {}", instance.json, json));
    const std::string with_sizes = message.to_json(instance.version, JsonRecords::size);
    if (with_sizes != instance.json_with_sizes) differ(instance, "other JSON with sizes of records");
  }

  // An instance that ends too early is refused, wherever it ends.
  void cut_short(const MessageType& type, const Instance& instance) {
    for (std::size_t size = 0; size < instance.bytes.size(); ++size, ++cuts_) {
      Reader reader(instance.bytes.first(size));
      const auto message = type.make();
      message->decode(reader, instance.version);
      if (reader.ok()) return differ(instance, fmt::format("readable although cut at {}", size));
    }
  }

  ByteVector write(const AnyMessage& message, std::int16_t version) {
    ByteVector bytes;
    Writer writer(bytes);
    message.encode(writer, version);
    return writer.ok() ? bytes : ByteVector();
  }

  void write_at_other_versions(const MessageType& type, const Instance& instance, const Planned& planned) {
    const auto message = type.make();
    Reader reader(instance.bytes);
    message->decode(reader, instance.version);
    if (!reader.ok()) return;
    for (const std::int16_t version : planned.versions) {
      ByteVector bytes;
      Writer writer(bytes);
      message->encode(writer, version);
      ++(writer.ok() ? rewritten_ : refused_);
      Writer out(for_java_);
      out.write_int16(static_cast<std::int16_t>(planned.java_class.size()));
      out.write_raw(as_bytes(planned.java_class));
      out.write_int16(instance.version);
      out.write_bytes(instance.bytes, "original", false);
      out.write_int16(version);
      out.write_bool(writer.ok());
      out.write_bytes(writer.ok() ? Bytes(bytes) : as_bytes(writer.error()), "result", false);
    }
  }

  void differ(const Instance& instance, const std::string& what) {
    if (differences_++ < 20) fmt::print("DIFFERENT {} {}: {}\n", instance.name, instance.version, what);
  }

  std::map<std::string, Planned> plan_;
  ByteVector for_java_;
  std::size_t versions_ = 0;
  std::size_t instances_ = 0;
  std::size_t views_ = 0;
  std::size_t cuts_ = 0;
  std::size_t rewritten_ = 0;
  std::size_t refused_ = 0;
  std::size_t differences_ = 0;
};

int run(const char* plan, const char* in, const char* out) {
  constexpr int instances_min = 21;  // the default and 20 random ones
  Comparison comparison(read_plan(plan));
  const std::string file = slurp(in);
  Reader reader(as_bytes(file));
  while (reader.ok() && reader.remaining() > 0) comparison.compare(read_instance(reader));
  if (!reader.ok()) throw std::runtime_error(fmt::format("{} is damaged: {}", in, reader.error()));
  comparison.check_counts(instances_min);
  std::ofstream to(out, std::ios::binary);
  to << as_text(comparison.for_java());
  if (!to.flush()) throw std::runtime_error(fmt::format("cannot write {}", out));
  return comparison.report() ? 0 : 1;
}

}  // namespace
}  // namespace klamm::protocol

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  try {
    return klamm::protocol::run(argv[1], argv[2], argv[3]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "klamm_conformance: {}\n", error.what());
    return 1;
  }
}
