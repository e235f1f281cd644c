import java.io.PrintWriter;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.*;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** What a broker says of itself and of its records, as lines that can be compared. */
final class Look {
    private static final List<OffsetSpec> OFFSETS = List.of(OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.maxTimestamp(),
        OffsetSpec.forTimestamp(1_000_000_000_000L), OffsetSpec.forTimestamp(1_700_000_500_000L));

    private static Set<String> names(Admin admin) throws Exception {
        return new TreeSet<>(admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get());
    }

    private static List<TopicPartition> partitions(Admin admin) throws Exception {
        List<TopicPartition> all = new ArrayList<>();
        for (TopicDescription topic : new TreeMap<>(admin.describeTopics(names(admin)).allTopicNames().get()).values())
            for (TopicPartitionInfo partition : topic.partitions()) all.add(new TopicPartition(topic.name(), partition.partition()));
        return all;
    }

    /** A line a fact: kind, name, value. */
    static String state(Admin admin, PrintWriter out) throws Exception {
        int topics = 0;
        for (TopicDescription topic : new TreeMap<>(admin.describeTopics(names(admin)).allTopicNames().get()).values()) {
            topics++;
            out.println("topic\t" + topic.name() + "\t" + topic.topicId() + "\t" + topic.partitions().size());
        }
        List<ConfigResource> resources = new ArrayList<>(names(admin).stream().map(n -> new ConfigResource(ConfigResource.Type.TOPIC, n)).toList());
        resources.add(new ConfigResource(ConfigResource.Type.BROKER, "1"));
        resources.add(new ConfigResource(ConfigResource.Type.BROKER, ""));
        Map<ConfigResource, Config> configs = admin.describeConfigs(resources).all().get();
        for (ConfigResource resource : resources) {
            Map<String, String> set = new TreeMap<>();
            for (ConfigEntry entry : configs.get(resource).entries())
                if (entry.source().name().startsWith("DYNAMIC_") && entry.source() != ConfigEntry.ConfigSource.DYNAMIC_BROKER_LOGGER_CONFIG
                    && (resource.type() == ConfigResource.Type.BROKER || entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG))
                    set.put(entry.name(), entry.value());
            out.println("config\t" + resource.type() + " " + resource.name() + "\t" + set);
        }
        List<TopicPartition> partitions = partitions(admin);
        for (int n = 0; n < OFFSETS.size(); n++) {
            OffsetSpec spec = OFFSETS.get(n);
            var found = admin.listOffsets(partitions.stream().collect(Collectors.toMap(p -> p, p -> spec))).all().get();
            for (TopicPartition partition : partitions) {
                var info = found.get(partition);
                out.println("offset\t" + partition + " " + n + "\t" + info.offset() + "\t" + info.timestamp());
            }
        }
        for (var directory : admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1).entrySet())
            for (TopicPartition partition : directory.getValue().replicaInfos().keySet())
                out.println("directory\t" + partition + "\t" + directory.getKey());
        out.println("cluster\tid\t" + admin.describeCluster().clusterId().get());
        var features = new TreeMap<>(admin.describeFeatures().featureMetadata().get().finalizedFeatures());
        out.println("features\tfinalized\t" + features);
        return topics + " " + partitions.size();
    }

    private static String hash(MessageDigest digest, byte[] bytes) {
        if (bytes == null) return "null";
        return HexFormat.of().formatHex(digest.digest(bytes), 0, 8) + ":" + bytes.length;
    }

    /** A line a record: isolation, partition, offset, timestamp and its type, leader epoch, key, value, headers. */
    static long read(Admin admin, String bootstrap, PrintWriter out) throws Exception {
        List<TopicPartition> partitions = partitions(admin);
        long count = 0;
        for (String isolation : List.of("read_uncommitted", "read_committed")) {
            // What is committed differs from what is there in these topics only.
            List<TopicPartition> wanted = partitions.stream().filter(p -> isolation.equals("read_uncommitted") || p.topic().startsWith("transactional")).toList();
            try (KafkaConsumer<byte[], byte[]> consumer = consumer(bootstrap, isolation)) {
                Map<TopicPartition, Long> starts = consumer.beginningOffsets(wanted), ends = consumer.endOffsets(wanted);
                for (TopicPartition partition : wanted)
                    count += read(consumer, isolation, partition, starts.get(partition), ends.get(partition), out);
            }
        }
        return count;
    }

    private static KafkaConsumer<byte[], byte[]> consumer(String bootstrap, String isolation) {
        Map<String, Object> settings = Takeover.to(bootstrap);
        settings.put("isolation.level", isolation);
        settings.put("auto.offset.reset", "none");
        settings.put("fetch.max.wait.ms", 5);
        return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static long read(KafkaConsumer<byte[], byte[]> consumer, String isolation, TopicPartition partition, long start, long end, PrintWriter out)
        throws Exception {
        MessageDigest digest = MessageDigest.getInstance("MD5");
        String kind = isolation.equals("read_committed") ? "committed" : "record";
        long count = 0, deadline = System.nanoTime() + 60_000_000_000L;
        consumer.assign(List.of(partition));
        consumer.seek(partition, start);
        while (start < end && consumer.position(partition) < end) {
            if (System.nanoTime() > deadline) throw new IllegalStateException(partition + " ends at " + consumer.position(partition) + ", not " + end);
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                StringBuilder headers = new StringBuilder();
                for (Header header : record.headers()) headers.append(header.key()).append('=').append(hash(digest, header.value())).append(',');
                out.println(kind + '\t' + partition + '\t' + record.offset() + '\t' + record.timestamp() + '\t' + record.timestampType() + '\t'
                    + record.leaderEpoch().orElse(-1) + '\t' + hash(digest, record.key()) + '\t' + hash(digest, record.value()) + '\t' + headers);
                count++;
            }
        }
        return count;
    }
}
