import java.util.*;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** What the directories hold: topics of every kind, written with every codec. */
final class Content {
    static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    static final List<String> ODD_NAMES = List.of("_", "-", "..a", "0-0", "a-delete", "b-stray", "c-future", "d.e_f-1", "x".repeat(249), "__like_internal");
    private static final long OLD = 1_000_000_000_000L;  // September 2001

    private static NewTopic topic(String name, int partitions, String... configs) {
        Map<String, String> set = new HashMap<>(Map.of("segment.bytes", "1048576"));
        for (int n = 0; n < configs.length; n += 2) set.put(configs[n], configs[n + 1]);
        return new NewTopic(name, partitions, (short) 1).configs(set);
    }

    static String create(Admin admin) throws Exception {
        List<NewTopic> topics = new ArrayList<>();
        for (String codec : CODECS) topics.add(topic("codec-" + codec, codec.equals("none") ? 1 : 2, "compression.type", codec.equals("gzip") ? "gzip" : "producer"));
        topics.add(topic("old-times", 1, "retention.ms", "-1", "segment.index.bytes", "65536", "index.interval.bytes", "1000"));
        topics.add(topic("append-time", 1, "message.timestamp.type", "LogAppendTime"));
        topics.add(topic("compacted", 1, "cleanup.policy", "compact", "min.cleanable.dirty.ratio", "0.01", "delete.retention.ms", "600000"));
        topics.add(topic("trimmed", 1));
        topics.add(topic("sequences", 1));
        topics.add(topic("held", 2));
        topics.add(topic("empty", 3, "retention.bytes", "12345678", "max.message.bytes", "2000000", "min.insync.replicas", "1"));
        topics.add(topic("doomed", 2));
        topics.add(topic("reborn", 1));
        topics.add(topic("transactional", 1));
        for (String name : ODD_NAMES) topics.add(topic(name, 1));
        admin.createTopics(topics).all().get();
        await_leaders(admin, topics.stream().map(NewTopic::name).toList());
        return "" + topics.size();
    }

    /** Kafka tells of a topic before its partitions take records; a first batch that is refused while the second is taken would be out of order for good. */
    private static void await_leaders(Admin admin, List<String> names) throws Exception {
        for (int tries = 0; ; tries++) {
            try {
                Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
                for (TopicDescription topic : admin.describeTopics(names).allTopicNames().get().values())
                    for (var partition : topic.partitions()) asked.put(new TopicPartition(topic.name(), partition.partition()), OffsetSpec.latest());
                admin.listOffsets(asked).all().get();
                return;
            } catch (java.util.concurrent.ExecutionException e) {
                if (tries > 100) throw e;
                Thread.sleep(50);
            }
        }
    }

    private static KafkaProducer<byte[], byte[]> producer(String bootstrap, String codec, String... more) {
        Map<String, Object> settings = Takeover.to(bootstrap);
        settings.put("compression.type", codec);
        settings.put("acks", "all");
        settings.put("enable.idempotence", "true");
        settings.put("linger.ms", 5);
        settings.put("delivery.timeout.ms", 120000);
        for (int n = 0; n < more.length; n += 2) settings.put(more[n], more[n + 1]);
        return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private static byte[] text(Random random, int size) {
        byte[] bytes = new byte[size];
        random.nextBytes(bytes);
        for (int n = 0; n < size; n++) bytes[n] = (byte) ('a' + (bytes[n] & 15));  // half of it is redundant
        return bytes;
    }

    /** The n-th record: with and without key, value and headers in turn. */
    private static ProducerRecord<byte[], byte[]> record(Random random, String topic, int partition, int n, Long timestamp, boolean needs_key) {
        byte[] key = !needs_key && n % 5 == 0 ? null : n % 7 == 1 ? new byte[0] : ("key-" + n % 1000).getBytes();
        byte[] value = n % 11 == 3 ? null : n % 13 == 4 ? new byte[0] : text(random, 200 + n % 300);
        List<Header> headers = new ArrayList<>();
        for (int h = 0; h < n % 4; h++) headers.add(new RecordHeader("h" + h, h == 2 ? null : text(random, h * 5)));
        return new ProducerRecord<>(topic, partition, timestamp, key, value, headers);
    }

    private static int send(Producer<byte[], byte[]> producer, Random random, String topic, int partitions, int count, Long first_timestamp) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (int n = 0; n < count; n++) {
            Long timestamp = first_timestamp == null ? null : Long.valueOf(first_timestamp + n * 1000L - (n % 10 == 9 ? 5000 : 0));
            sent.add(producer.send(record(random, topic, n % partitions, n, timestamp, topic.equals("compacted"))));
        }
        producer.flush();
        for (Future<RecordMetadata> one : sent) one.get();
        return count;
    }

    static int fill(String bootstrap, double scale) throws Exception {
        Random random = new Random(scale > 0.5 ? 1 : 2);
        int count = 0;
        for (String codec : CODECS) {
            try (KafkaProducer<byte[], byte[]> producer = producer(bootstrap, codec)) {
                count += send(producer, random, "codec-" + codec, codec.equals("none") ? 1 : 2, (int) ((codec.equals("none") ? 40000 : 15000) * scale), null);
                if (codec.equals("snappy")) count += send(producer, random, "old-times", 1, (int) (5000 * scale), OLD);
                if (codec.equals("zstd")) count += send(producer, random, "append-time", 1, (int) (5000 * scale), OLD);
                if (codec.equals("lz4")) count += send(producer, random, "trimmed", 1, (int) (12000 * scale), null);
                if (codec.equals("none")) {
                    count += send(producer, random, "compacted", 1, 6000, null);
                    count += send(producer, random, "doomed", 2, 500, null) + send(producer, random, "reborn", 1, 500, null);
                    for (String name : ODD_NAMES) count += send(producer, random, name, 1, 50, null);
                }
            }
        }
        return count;
    }

    /** Records behind those that are there, by a producer of its own for each codec. */
    static int more(String bootstrap, String seed, int count) throws Exception {
        Random random = new Random(seed.hashCode());
        int sent = 0;
        for (String codec : CODECS) {
            try (KafkaProducer<byte[], byte[]> producer = producer(bootstrap, codec)) {
                sent += send(producer, random, "codec-" + codec, codec.equals("none") ? 1 : 2, count, null);
                if (codec.equals("gzip")) sent += send(producer, random, "old-times", 1, count / 4, OLD + 100_000_000_000L * seed.length());
                if (codec.equals("lz4")) sent += send(producer, random, "append-time", 1, count / 4, OLD) + send(producer, random, "trimmed", 1, count / 4, null);
                if (codec.equals("none")) {
                    sent += send(producer, random, "compacted", 1, 20, null) + send(producer, random, "reborn", 1, 50, null);
                    for (String name : ODD_NAMES) sent += send(producer, random, name, 1, 5, null);
                }
            }
        }
        return sent;
    }

    /** Deleted records and topics, a topic made again, more partitions, configs set, changed and unset. */
    static String change(Admin admin, String bootstrap) throws Exception {
        TopicPartition trimmed = new TopicPartition("trimmed", 0);
        long end = admin.listOffsets(Map.of(trimmed, OffsetSpec.latest())).all().get().get(trimmed).offset();
        admin.deleteRecords(Map.of(trimmed, RecordsToDelete.beforeOffset(end / 2 + 1))).all().get();
        admin.deleteTopics(List.of("doomed", "reborn")).all().get();
        admin.createPartitions(Map.of("empty", NewPartitions.increaseTo(5))).all().get();
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, "codec-lz4");
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, "1");
        ConfigResource everywhere = new ConfigResource(ConfigResource.Type.BROKER, "");
        admin.incrementalAlterConfigs(Map.of(
            topic, List.of(set("retention.ms", "1234567890"), set("compression.type", "producer"), set("flush.ms", "100000")),
            broker, List.of(set("log.retention.bytes", "99999999999")),
            everywhere, List.of(set("message.max.bytes", "1500000"), set("log.cleaner.backoff.ms", "500")))).all().get();
        admin.incrementalAlterConfigs(Map.of(topic, List.of(new AlterConfigOp(new ConfigEntry("flush.ms", ""), AlterConfigOp.OpType.DELETE)))).all().get();
        for (int tries = 0; ; tries++) {
            try {
                admin.createTopics(List.of(topic("reborn", 1, "retention.ms", "7777777777"))).all().get();
                break;
            } catch (Exception e) {
                if (tries > 50) throw e;
                Thread.sleep(100);
            }
        }
        await_leaders(admin, List.of("reborn"));
        try (KafkaProducer<byte[], byte[]> producer = producer(bootstrap, "none")) {
            return "" + send(producer, new Random(9), "reborn", 1, 100, null);
        }
    }

    private static AlterConfigOp set(String key, String value) {
        return new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET);
    }

    /** Many metadata records: topics made and half of them deleted. */
    static String churn(Admin admin, String prefix, int count) throws Exception {
        List<NewTopic> topics = new ArrayList<>();
        List<String> gone = new ArrayList<>();
        for (int n = 0; n < count; n++) {
            topics.add(topic("churn-" + prefix + "-" + n, 2));
            if (n % 2 == 0) gone.add("churn-" + prefix + "-" + n);
        }
        admin.createTopics(topics).all().get();
        admin.deleteTopics(gone).all().get();
        return "" + count;
    }

    /** What only Kafka writes: group offsets, quotas, SCRAM credentials. */
    static String internal(Admin admin, String bootstrap) throws Exception {
        admin.alterConsumerGroupOffsets("readers", Map.of(new TopicPartition("codec-none", 0), new OffsetAndMetadata(42, Optional.of(0), "here"))).all().get();
        admin.alterClientQuotas(List.of(new ClientQuotaAlteration(new ClientQuotaEntity(Map.of("client-id", "slow")),
            List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1e9))))).all().get();
        admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion("alice", new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), "secret"))).all().get();
        return "";
    }

    static int transactions(String bootstrap, String id) throws Exception {
        Random random = new Random(id.hashCode());
        int sent = 0;
        try (KafkaProducer<byte[], byte[]> producer = producer(bootstrap, "none", "transactional.id", id)) {
            producer.initTransactions();
            for (int n = 0; n < 6; n++) {
                producer.beginTransaction();
                sent += send(producer, random, "transactional", 1, 100, null);
                if (n % 2 == 0) producer.commitTransaction();
                else producer.abortTransaction();
            }
        }
        return sent;
    }

    static String groups(Admin admin) throws Exception {
        return admin.listConsumerGroupOffsets("readers").partitionsToOffsetAndMetadata().get() + " "
            + admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get() + " " + admin.describeUserScramCredentials().all().get();
    }

    /** A producer that outlives brokers: its id, epoch and sequences must go on. */
    static final class Held {
        private final KafkaProducer<byte[], byte[]> producer;

        Held(String bootstrap) {
            producer = producer(bootstrap, "lz4", "retries", "2147483647", "max.block.ms", "120000");
        }

        String send(String seed, int count) throws Exception {
            return "" + Content.send(producer, new Random(seed.hashCode()), "held", 2, count, null);
        }

        void close() {
            producer.close();
        }
    }
}
