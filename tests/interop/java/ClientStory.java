import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.*;

/** The Java clients of one version: producer (idempotent, every codec), consumer by assign, admin. Usage: ClientStory HOST:PORT VERSION */
public final class ClientStory {
    private static final String TOPIC = "java-clients";
    private static int passed;
    private static int failed;
    private static String version;

    private static void check(String what, boolean ok, Object detail) {
        if (ok) passed++; else failed++;
        System.out.println((ok ? "ok   " : "FAIL ") + "java " + version + ": " + what + (ok ? "" : " " + detail));
    }

    public static void main(String[] args) throws Exception {
        String bootstrap = args[0];
        version = args[1];
        try (AdminClient admin = AdminClient.create(Map.of("bootstrap.servers", bootstrap))) {
            adminBefore(admin);
            List<String> codecs = List.of("none", "gzip", "snappy", "lz4", "zstd");
            int sent = 0;
            for (String codec : codecs) sent += produce(bootstrap, codec);
            consume(bootstrap, sent);
            adminAfter(admin);
        } catch (Throwable t) {
            t.printStackTrace();
            check("no exception", false, t);
        }
        System.out.println(passed + " passed, " + failed + " failed, 0 skipped");
        System.exit(failed > 0 || passed == 0 ? 1 : 0);
    }

    private static void adminBefore(AdminClient admin) throws Exception {
        admin.createTopics(List.of(new NewTopic(TOPIC, 3, (short) 1).configs(Map.of("segment.bytes", "1048576")))).all().get();
        check("create and list", admin.listTopics().names().get().contains(TOPIC), "");
        check("describe", describe(admin).partitions().size() == 3, "");
        check("cluster id", admin.describeCluster().clusterId().get().length() == 22, admin.describeCluster().clusterId().get());
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, TOPIC);
        Config config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        check("describe configs", "1048576".equals(config.get("segment.bytes").value()), config);
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, admin.describeCluster().nodes().get().iterator().next().idString());
        check("describe broker configs", admin.describeConfigs(List.of(broker)).all().get().get(broker).get("log.segment.bytes") != null, "");
        admin.createPartitions(Map.of(TOPIC, NewPartitions.increaseTo(4))).all().get();
        check("create partitions", describe(admin).partitions().size() == 4, "");
        try {
            admin.createTopics(List.of(new NewTopic(TOPIC, 1, (short) 1))).all().get();
            check("a topic that exists is refused", false, "");
        } catch (java.util.concurrent.ExecutionException e) {
            check("a topic that exists is refused", e.getCause() instanceof org.apache.kafka.common.errors.TopicExistsException, e);
        }
    }

    private static TopicDescription describe(AdminClient admin) throws Exception {
        return (TopicDescription) answers(admin.describeTopics(List.of(TOPIC)), "topicNameValues").get(TOPIC).get();
    }

    /** The map of futures in a result: its method was values() in old versions and has the given name in new ones. */
    @SuppressWarnings("unchecked")
    private static Map<Object, KafkaFuture<?>> answers(Object result, String newName) throws Exception {
        for (String name : List.of(newName, "values")) {
            try {
                return (Map<Object, KafkaFuture<?>>) result.getClass().getMethod(name).invoke(result);
            } catch (NoSuchMethodException e) {
                continue;
            }
        }
        throw new IllegalStateException("no " + newName + "() in " + result.getClass());
    }

    private static int produce(String bootstrap, String codec) throws Exception {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", bootstrap);
        config.put("acks", "all");
        config.put("enable.idempotence", true);
        config.put("compression.type", codec);
        config.put("linger.ms", 5);
        int count = 5000;
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            List<Future<RecordMetadata>> answers = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                ProducerRecord<String, String> record = new ProducerRecord<>(TOPIC, i % 2, 1_700_000_000_000L + i, "key" + i, codec + " " + i);
                record.headers().add("codec", codec.getBytes(StandardCharsets.UTF_8));
                answers.add(producer.send(record));
            }
            producer.flush();
            long last = -1;
            boolean ordered = true;
            for (int i = 0; i < count; i += 2) {
                long offset = answers.get(i).get().offset();
                ordered &= offset > last;
                last = offset;
            }
            check("idempotent produce, " + codec, ordered, "offsets go back");
        }
        return count;
    }

    private static void consume(String bootstrap, int expected) {
        for (String isolation : List.of("read_uncommitted", "read_committed")) {
            Map<String, Object> config = new HashMap<>();
            config.put("bootstrap.servers", bootstrap);
            config.put("auto.offset.reset", "earliest");
            config.put("enable.auto.commit", false);
            config.put("isolation.level", isolation);
            try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
                List<TopicPartition> partitions = List.of(new TopicPartition(TOPIC, 0), new TopicPartition(TOPIC, 1));
                consumer.assign(partitions);
                consumer.seekToBeginning(partitions);
                long[] next = new long[2];
                int count = 0;
                boolean whole = true;
                long deadline = System.currentTimeMillis() + 30_000;
                while (count < expected && System.currentTimeMillis() < deadline) {
                    for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(500))) {
                        whole &= record.offset() == next[record.partition()]++ && record.headers().lastHeader("codec") != null;
                        count++;
                    }
                }
                check("consume by assign, " + isolation, count == expected && whole, count + " of " + expected);
                check("end offsets", consumer.endOffsets(partitions).values().stream().mapToLong(Long::longValue).sum() == expected, "");
                Map<TopicPartition, OffsetAndTimestamp> found = consumer.offsetsForTimes(Map.of(partitions.get(0), 1_700_000_000_100L));
                check("offset for a time", found.get(partitions.get(0)).offset() == 50, found);
            }
        }
    }

    private static void adminAfter(AdminClient admin) throws Exception {
        TopicPartition partition = new TopicPartition(TOPIC, 0);
        long low = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(10))).lowWatermarks().get(partition).get().lowWatermark();
        check("delete records", low == 10, low);
        Collection<Integer> nodes = List.of(admin.describeCluster().nodes().get().iterator().next().id());
        Map<?, ?> directories = (Map<?, ?>) answers(admin.describeLogDirs(nodes), "descriptions").values().iterator().next().get();
        check("log dirs", directories.size() >= 1, directories);
        admin.deleteTopics(List.of(TOPIC)).all().get();
        check("delete the topic", !admin.listTopics().names().get().contains(TOPIC), "");
    }
}
