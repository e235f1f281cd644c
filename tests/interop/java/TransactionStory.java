import java.lang.reflect.Method;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.TimeUnit;

import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Transactions with the Java client, old and new: commits, aborts, offsets, fencing, timeouts, and what readers see of them. */
public class TransactionStory {
    private static final String TOPIC = "transaction-story";
    private static final TopicPartition P0 = new TopicPartition(TOPIC, 0);
    private static final TopicPartition P1 = new TopicPartition(TOPIC, 1);
    private static int passed;
    private static int failed;
    private static String bootstrap;
    private static String version;

    static void check(String what, boolean ok) {
        System.out.println((ok ? "ok   " : "FAIL ") + "java " + version + " transactions: " + what);
        if (ok) passed++; else failed++;
    }

    static KafkaProducer<String, String> producer(String id, int timeout) {
        Properties properties = new Properties();
        properties.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        properties.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, StringSerializer.class.getName());
        properties.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, StringSerializer.class.getName());
        if (id != null) properties.put(ProducerConfig.TRANSACTIONAL_ID_CONFIG, id);
        if (id != null) properties.put(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG, Integer.toString(timeout));
        return new KafkaProducer<>(properties);
    }

    static KafkaConsumer<String, String> consumer(String isolation, String group) {
        Properties properties = new Properties();
        properties.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        properties.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class.getName());
        properties.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class.getName());
        properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, isolation);
        properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
        properties.put(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG, "10000");
        properties.put(ConsumerConfig.GROUP_ID_CONFIG, group);
        KafkaConsumer<String, String> consumer = new KafkaConsumer<>(properties);
        consumer.assign(List.of(P0, P1));
        consumer.seekToBeginning(List.of(P0, P1));
        return consumer;
    }

    static List<String> poll(KafkaConsumer<String, String> consumer, int wanted, long millis) {
        List<String> values = new ArrayList<>();
        long deadline = System.currentTimeMillis() + millis;
        while (values.size() < wanted && System.currentTimeMillis() < deadline) {
            for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) values.add(record.value());
        }
        values.sort(null);
        return values;
    }

    static List<String> all(String isolation, int wanted) {
        try (KafkaConsumer<String, String> consumer = consumer(isolation, "reader")) {
            List<String> values = poll(consumer, wanted, 20000);
            values.addAll(poll(consumer, 1, 300));  // nothing more
            return values;
        }
    }

    static void send(KafkaProducer<String, String> producer, int partition, String value) {
        producer.send(new ProducerRecord<>(TOPIC, partition, null, value));
    }

    static void commitsAndAborts() {
        KafkaProducer<String, String> producer = producer("story", 60000);
        producer.initTransactions();
        producer.beginTransaction();
        for (int i = 0; i < 4; i++) send(producer, i % 2, "committed-" + i);
        producer.commitTransaction();
        producer.beginTransaction();
        for (int i = 0; i < 4; i++) send(producer, i % 2, "aborted-" + i);
        producer.flush();
        producer.abortTransaction();
        producer.beginTransaction();
        producer.abortTransaction();
        producer.beginTransaction();
        for (int i = 4; i < 6; i++) send(producer, i % 2, "committed-" + i);
        producer.commitTransaction();
        producer.close();
        List<String> committed = List.of("committed-0", "committed-1", "committed-2", "committed-3", "committed-4", "committed-5");
        check("read_committed sees what was committed", all("read_committed", 6).equals(committed));
        check("read_uncommitted sees what was aborted too", all("read_uncommitted", 10).size() == 10);
    }

    static void openTransactionsHoldBack() throws Exception {
        try (KafkaProducer<String, String> producer = producer("open", 60000); KafkaProducer<String, String> plain = producer(null, 0);
             KafkaConsumer<String, String> reader = consumer("read_committed", "lso")) {
            int before = poll(reader, 6, 20000).size();
            producer.initTransactions();
            producer.beginTransaction();
            send(producer, 0, "held");
            producer.flush();
            plain.send(new ProducerRecord<>(TOPIC, 0, null, "behind")).get(20, TimeUnit.SECONDS);
            check("an open transaction holds back what is behind it", before == 6 && poll(reader, 1, 500).isEmpty());
            long last;
            try (KafkaConsumer<String, String> other = consumer("read_uncommitted", "lso")) {
                last = other.endOffsets(List.of(P0)).get(P0);
            }
            check("the end for read_committed is the last stable offset", reader.endOffsets(List.of(P0)).get(P0) == last - 2);
            producer.commitTransaction();
            long begun = System.nanoTime();
            List<String> woken = poll(reader, 2, 20000);
            long took = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begun);
            check("a commit wakes who waits for it (" + took + " ms)", woken.equals(List.of("behind", "held")) && took < 5000);
        }
    }

    // The group of a name until Kafka 4.0, its metadata since 2.5.
    static void sendOffsets(KafkaProducer<String, String> producer, KafkaConsumer<String, String> consumer,
                            Map<TopicPartition, OffsetAndMetadata> offsets, String group) throws Exception {
        for (Method method : KafkaProducer.class.getMethods()) {
            if (!method.getName().equals("sendOffsetsToTransaction")) continue;
            boolean byName = method.getParameterTypes()[1] == String.class;
            Object who = byName ? group : KafkaConsumer.class.getMethod("groupMetadata").invoke(consumer);
            method.invoke(producer, offsets, who);
            return;
        }
    }

    // Of one partition until Kafka 4.0, of several since 2.4.
    static OffsetAndMetadata committed(KafkaConsumer<String, String> consumer) throws Exception {
        for (Method method : KafkaConsumer.class.getMethods()) {
            if (!method.getName().equals("committed") || method.getParameterCount() != 1) continue;
            boolean one = method.getParameterTypes()[0] == TopicPartition.class;
            Object answer = method.invoke(consumer, one ? P0 : Set.of(P0));
            return one ? (OffsetAndMetadata) answer : (OffsetAndMetadata) ((Map<?, ?>) answer).get(P0);
        }
        return null;
    }

    static void offsetsInTransactions() throws Exception {
        try (KafkaProducer<String, String> producer = producer("offsets", 60000);
             KafkaConsumer<String, String> consumer = consumer("read_committed", "offsets-group")) {
            producer.initTransactions();
            Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
            offsets.put(P0, new OffsetAndMetadata(2, "two"));
            producer.beginTransaction();
            sendOffsets(producer, consumer, offsets, "offsets-group");
            producer.commitTransaction();
            OffsetAndMetadata committed = committed(consumer);
            check("offsets of a committed transaction count", committed != null && committed.offset() == 2 && committed.metadata().equals("two"));
            offsets.put(P0, new OffsetAndMetadata(5));
            producer.beginTransaction();
            sendOffsets(producer, consumer, offsets, "offsets-group");
            send(producer, 1, "with offsets");
            producer.flush();
            producer.abortTransaction();
            check("offsets of an aborted transaction do not", committed(consumer).offset() == 2);
        }
    }

    static void zombies() {
        try (KafkaProducer<String, String> first = producer("same", 60000); KafkaProducer<String, String> second = producer("same", 60000)) {
            first.initTransactions();
            first.beginTransaction();
            send(first, 0, "of the zombie");
            first.flush();
            second.initTransactions();
            String what = "nothing";
            try {
                send(first, 0, "of the zombie");
                first.commitTransaction();
            } catch (KafkaException fenced) {
                what = fenced.getClass().getSimpleName();
            }
            check("who has the id first is fenced: " + what, what.contains("Fenced") || what.contains("ProducerEpoch"));
            second.beginTransaction();
            send(second, 0, "of the successor");
            second.commitTransaction();
            List<String> seen = all("read_committed", 9);
            check("the successor's is seen, the zombie's is not", seen.contains("of the successor") && !seen.contains("of the zombie"));
        }
    }

    static void timeouts() throws Exception {
        try (KafkaProducer<String, String> late = producer("late", 1000)) {
            late.initTransactions();
            late.beginTransaction();
            send(late, 1, "too late");
            late.flush();
            long deadline = System.currentTimeMillis() + 20000;
            boolean free = false;
            try (KafkaConsumer<String, String> committed = consumer("read_committed", "t"); KafkaConsumer<String, String> every = consumer("read_uncommitted", "t")) {
                while (!free && System.currentTimeMillis() < deadline) {
                    Thread.sleep(50);
                    free = committed.endOffsets(List.of(P1)).get(P1).equals(every.endOffsets(List.of(P1)).get(P1));
                }
            }
            check("a transaction that stays open too long is aborted", free);
            boolean refused = false;
            try {
                send(late, 1, "too late");
                late.commitTransaction();
            } catch (KafkaException expected) {
                refused = true;
            }
            check("and its producer cannot commit it any more", refused && !all("read_committed", 9).contains("too late"));
        }
    }

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        version = arguments[1];
        commitsAndAborts();
        openTransactionsHoldBack();
        offsetsInTransactions();
        zombies();
        timeouts();
        System.out.println(passed + " passed, " + failed + " failed, 0 skipped");
        System.exit(failed == 0 ? 0 : 1);
    }
}
