import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Sets a broker up with groups of every kind and keeps their members alive: "stable-classic" and "stable-consumer" have one member,
 * "with-instance" one that is static; "empty" and "simple" have offsets alone. A line "restore" of standard input makes the
 * last two what they were at the beginning and deletes others without members; each line is answered with "ok".
 */
public class GroupStage {
    private static final String TOPIC = "cg";
    private static Admin admin;
    private static String bootstrap;
    private static final List<Thread> MEMBERS = new ArrayList<>();
    private static volatile boolean ending;

    private static Properties clients() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        return properties;
    }

    private static KafkaConsumer<String, String> consumer(String group, String client, String protocol, String instance) {
        Properties properties = clients();
        properties.put(ConsumerConfig.GROUP_ID_CONFIG, group);
        properties.put(ConsumerConfig.CLIENT_ID_CONFIG, client);
        properties.put(ConsumerConfig.GROUP_PROTOCOL_CONFIG, protocol);
        properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        properties.put(ConsumerConfig.AUTO_COMMIT_INTERVAL_MS_CONFIG, "200");
        properties.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class.getName());
        properties.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class.getName());
        if (instance != null) properties.put(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG, instance);
        return new KafkaConsumer<>(properties);
    }

    private static void member(String group, String client, String protocol, String instance) {
        KafkaConsumer<String, String> consumer = consumer(group, client, protocol, instance);
        consumer.subscribe(List.of(TOPIC));
        Thread thread = new Thread(() -> {
            while (!ending) consumer.poll(Duration.ofMillis(100));
            consumer.close();
        });
        thread.start();
        MEMBERS.add(thread);
    }

    private static void produce() {
        Properties properties = clients();
        properties.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, StringSerializer.class.getName());
        properties.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, StringSerializer.class.getName());
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(properties)) {
            for (int i = 0; i < 5; i++) producer.send(new ProducerRecord<>(TOPIC, 1, null, "v" + i));
        }
        properties.put(ProducerConfig.TRANSACTIONAL_ID_CONFIG, "tx-commit");
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(properties)) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>("tx", 0, "k", "committed"));
            producer.sendOffsetsToTransaction(Map.of(new TopicPartition(TOPIC, 0), new OffsetAndMetadata(0)),
                    new org.apache.kafka.clients.consumer.ConsumerGroupMetadata("of-transaction"));
            producer.commitTransaction();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>("tx", 0, "k", "aborted"));
            producer.abortTransaction();
        }
    }

    private static void deleteQuietly(Set<String> groups) throws Exception {
        for (Map.Entry<String, KafkaFuture<Void>> each : admin.deleteConsumerGroups(groups).deletedGroups().entrySet()) {
            try {
                each.getValue().get();
            } catch (ExecutionException refused) {
                // It has members, or is not there: as it should be.
            }
        }
    }

    private static void restore() throws Exception {
        Set<String> keep = Set.of("stable-classic", "stable-consumer", "with-instance", "of-transaction");
        Set<String> groups = admin.listGroups().all().get().stream().map(g -> g.groupId()).filter(g -> !keep.contains(g))
                .collect(Collectors.toSet());
        deleteQuietly(groups);
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        offsets.put(new TopicPartition(TOPIC, 0), new OffsetAndMetadata(0));
        offsets.put(new TopicPartition(TOPIC, 1), new OffsetAndMetadata(3));
        admin.alterConsumerGroupOffsets("simple", offsets).all().get();
        try (KafkaConsumer<String, String> consumer = consumer("empty", "of-empty", "classic", null)) {
            consumer.subscribe(List.of(TOPIC));
            while (consumer.assignment().isEmpty()) consumer.poll(Duration.ofMillis(100));
            consumer.commitSync(offsets);
            for (TopicPartition partition : offsets.keySet()) consumer.seek(partition, offsets.get(partition).offset());
        }
    }

    private static void awaitStable(String group, int members) throws Exception {
        for (int tries = 0; ; tries++) {
            var described = admin.describeConsumerGroups(Set.of(group)).all().get().get(group);
            boolean all = described.groupState() == GroupState.STABLE && described.members().size() == members;
            boolean committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().size() == 2;
            if (all && committed) return;
            if (tries == 300) throw new IllegalStateException(group + " is " + described);
            Thread.sleep(100);
        }
    }

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        admin = Admin.create(clients());
        admin.createTopics(List.of(new NewTopic(TOPIC, 2, (short) 1), new NewTopic("tx", 1, (short) 1),
                new NewTopic("a-topic-with-a-long-name-indeed", 1, (short) 1))).all().get();
        produce();
        member("stable-classic", "of-classic", "classic", null);
        member("stable-consumer", "of-consumer", "consumer", null);
        member("with-instance", "of-static", "classic", "instance-1");
        awaitStable("stable-classic", 1);
        awaitStable("stable-consumer", 1);
        awaitStable("with-instance", 1);
        restore();
        System.out.println("ok");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            if (line.equals("restore")) restore();
            System.out.println("ok");
        }
        ending = true;
        for (Thread thread : MEMBERS) thread.join();
        admin.close();
    }
}
