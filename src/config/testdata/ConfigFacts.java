// Prints what the published jars of Apache Kafka define: every configuration key with type, default, valid values, importance
// and the rest, one a line, tab-separated. Its output is kafka-4.3.1-keys.tsv beside it, which the tests of this room compare
// with our tables. Run with kafka_2.13 4.3.1 and what it depends on in the class path:
//   java -cp 'libs/*' ConfigFacts.java > kafka-4.3.1-keys.tsv
import java.lang.reflect.Field;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.server.config.AbstractKafkaConfig;
import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.server.config.QuotaConfig;
import org.apache.kafka.server.config.ServerTopicConfigSynonyms;

public class ConfigFacts {
    static Object field(Object owner, Class<?> type, String name) throws Exception {
        Field field = type.getDeclaredField(name);
        field.setAccessible(true);
        return field.get(owner);
    }

    static ConfigDef definition(String className, String fieldName) throws Exception {
        return (ConfigDef) field(null, Class.forName(className), fieldName);
    }

    static String sorted(Collection<?> values) {
        return values.stream().map(Object::toString).sorted().collect(Collectors.joining(", ", "[", "]"));
    }

    static String valid(ConfigDef.Validator validator) throws Exception {
        if (validator == null) return "";
        Class<?> type = validator.getClass();
        if (type.getSimpleName().equals("ValidList")) {
            Object strings = field(validator, type, "validString");
            return "list" + sorted((List<?>) field(strings, strings.getClass(), "validStrings"))
                + ((boolean) field(validator, type, "isEmptyAllowed") ? " empty" : "")
                + ((boolean) field(validator, type, "isNullAllowed") ? " null" : "");
        }
        if (type.getSimpleName().equals("CaseInsensitiveValidString"))
            return "(case insensitive) " + sorted((Collection<?>) field(validator, type, "validStrings"));
        return validator.toString();
    }

    static String fallback(ConfigDef.ConfigKey key) {
        if (!key.hasDefault()) return "<required>";
        if (key.defaultValue == null) return "<null>";
        if (key.defaultValue instanceof List<?> list)
            return list.stream().map(v -> v instanceof Class<?> c ? c.getName() : v.toString()).collect(Collectors.joining(","));
        return ConfigDef.convertToString(key.defaultValue, key.type);
    }

    static void print(String table, ConfigDef definition, Map<String, String> update) throws Exception {
        for (ConfigDef.ConfigKey key : definition.configKeys().values()) {
            List<?> synonyms = List.of();
            if (table.equals("topic"))
                synonyms = ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS.getOrDefault(key.name, List.of()).stream()
                    .map(s -> s.name() + "*" + s.converter().apply("1")).toList();
            if (table.equals("broker") && DynamicBrokerConfig.brokerConfigSynonyms(key.name, false).size() > 1)
                synonyms = DynamicBrokerConfig.brokerConfigSynonyms(key.name, false);
            System.out.println(String.join("\t", table, key.name, key.type.toString(), fallback(key), valid(key.validator),
                key.importance.toString(), key.internalConfig ? "internal" : "", update.getOrDefault(key.name, "read-only"),
                synonyms.stream().map(Object::toString).collect(Collectors.joining(","))));
        }
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> update = new TreeMap<>(DynamicBrokerConfig.dynamicConfigUpdateModes());
        print("broker", AbstractKafkaConfig.CONFIG_DEF, update);
        print("dynamic", QuotaConfig.brokerQuotaConfigs(), update);
        print("topic", definition("org.apache.kafka.storage.internals.log.LogConfig", "CONFIG"), Map.of());
        print("group", definition("org.apache.kafka.coordinator.group.GroupConfig", "CONFIG_DEF"), Map.of());
        print("client-metrics", definition("org.apache.kafka.server.metrics.ClientMetricsConfigs", "CONFIG"), Map.of());
        print("client-quota", QuotaConfig.userAndClientQuotaConfigs(), Map.of());
        print("user-quota", QuotaConfig.scramMechanismsPlusUserAndClientQuotaConfigs(), Map.of());
        print("ip-quota", QuotaConfig.ipConfigs(), Map.of());
        print("producer", ProducerConfig.configDef(), Map.of());
        print("consumer", ConsumerConfig.configDef(), Map.of());
        print("admin", AdminClientConfig.configDef(), Map.of());
    }
}
