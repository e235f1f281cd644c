import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The classic group protocol with the Java consumer: every assignor, static members, commits. */
public class GroupStory {
    private static final String TOPIC = "group-story";
    private static final int PARTITIONS = 6;
    private static int passed;
    private static int failed;
    private static String bootstrap;

    static void check(String what, boolean ok) {
        System.out.println((ok ? "ok   " : "FAIL ") + "java groups: " + what);
        if (ok) passed++; else failed++;
    }

    /** One member, polled by the story. */
    static class Member implements AutoCloseable {
        final KafkaConsumer<String, String> consumer;
        final List<String> read = new ArrayList<>();
        int revocations;

        Member(String group, Class<?> assignor, String instance) {
            Properties properties = new Properties();
            properties.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
            properties.put(ConsumerConfig.GROUP_ID_CONFIG, group);
            properties.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class.getName());
            properties.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class.getName());
            properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
            properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
            properties.put(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG, "10000");
            properties.put(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG, "500");
            properties.put(ConsumerConfig.PARTITION_ASSIGNMENT_STRATEGY_CONFIG, assignor.getName());
            if (instance != null) properties.put(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG, instance);
            consumer = new KafkaConsumer<>(properties);
            consumer.subscribe(List.of(TOPIC), new ConsumerRebalanceListener() {
                public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                    if (!partitions.isEmpty()) revocations++;
                }
                public void onPartitionsAssigned(Collection<TopicPartition> partitions) {}
            });
        }

        void poll() {
            for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) read.add(record.value());
        }

        public void close() {
            consumer.close(Duration.ofSeconds(5));
        }
    }

    static boolean poll(List<Member> members, BooleanSupplier until) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(40);
        while (System.nanoTime() < deadline) {
            for (Member member : members) member.poll();
            if (until.getAsBoolean()) return true;
        }
        return false;
    }

    /** Everybody has something, nobody has what another one has, and together they have all. */
    static boolean shared(List<Member> members) {
        Set<TopicPartition> all = new HashSet<>();
        int sum = 0;
        for (Member member : members) {
            if (member.consumer.assignment().isEmpty()) return false;
            all.addAll(member.consumer.assignment());
            sum += member.consumer.assignment().size();
        }
        return sum == PARTITIONS && all.size() == PARTITIONS;
    }

    static void produce(int from, int to) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("key.serializer", StringSerializer.class.getName());
        properties.put("value.serializer", StringSerializer.class.getName());
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(properties)) {
            for (int i = from; i < to; i++) producer.send(new ProducerRecord<>(TOPIC, i % PARTITIONS, null, "v" + i));
            producer.flush();
        }
    }

    static void assignor(Class<?> assignor) {
        String name = assignor.getSimpleName();
        String group = "group-" + name;
        try (Member first = new Member(group, assignor, null)) {
            List<Member> one = List.of(first);
            check(name + ": a member alone has all", poll(one, () -> shared(one)));
            try (Member second = new Member(group, assignor, null)) {
                List<Member> two = List.of(first, second);
                check(name + ": two share", poll(two, () -> shared(two)));
            }
            check(name + ": one leaves, the other has all again", poll(one, () -> shared(one)));
            check(name + ": all records came", poll(one, () -> new HashSet<>(first.read).size() >= 600));
        }
    }

    static void statics() {
        String group = "group-static";
        Member first = new Member(group, RangeAssignor.class, "i1");
        Member second = new Member(group, RangeAssignor.class, "i2");
        check("static members share", poll(List.of(first, second), () -> shared(List.of(first, second))));
        Set<TopicPartition> had = second.consumer.assignment();
        int before = first.revocations;
        second.close();
        Member again = new Member(group, RangeAssignor.class, "i2");
        check("a static member that comes back has what it had", poll(List.of(first, again), () -> had.equals(again.consumer.assignment())));
        check("and nobody else noticed", first.revocations == before);
        first.close();
        again.close();
    }

    static void commits() {
        String group = "group-commits";
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (int p = 0; p < PARTITIONS; p++) offsets.put(new TopicPartition(TOPIC, p), new OffsetAndMetadata(90 + p, "at " + p));
        try (Member member = new Member(group, RangeAssignor.class, null)) {
            check("joined", poll(List.of(member), () -> shared(List.of(member))));
            // Not before it reads: committed() takes over the answer to a fetch of offsets that poll() left on its way, however
            // much was committed since (ConsumerCoordinator.fetchCommittedOffsets, against any broker).
            check("read all", poll(List.of(member), () -> member.read.size() == 600));
            member.consumer.commitSync(offsets);
            Map<TopicPartition, OffsetAndMetadata> back = member.consumer.committed(offsets.keySet());
            if (!back.equals(offsets)) System.out.println("     committed " + offsets + "\n     came back " + back);
            check("commits come back with their metadata", back.equals(offsets));
        }
        try (Member member = new Member(group, RangeAssignor.class, null)) {
            check("who comes later goes on there", poll(List.of(member), () -> member.read.size() >= 600 - (90 * 6 + 15)));
            check("and reads nothing else", member.read.size() == 600 - (90 * 6 + 15));
        }
    }

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        try (org.apache.kafka.clients.admin.Admin admin =
                 org.apache.kafka.clients.admin.Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin.createTopics(List.of(new org.apache.kafka.clients.admin.NewTopic(TOPIC, PARTITIONS, (short) 1))).all().get();
        }
        produce(0, 600);
        assignor(RangeAssignor.class);
        assignor(RoundRobinAssignor.class);
        assignor(StickyAssignor.class);
        assignor(CooperativeStickyAssignor.class);
        statics();
        commits();
        System.out.println(passed + " passed, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }
}
