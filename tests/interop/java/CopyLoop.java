import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;

import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Copies a topic into another, exactly once: each record and its offset in one transaction. Says "open" while a transaction
 * holds records that are not committed, "done" when all records are copied. Goes on from where it is when it is started again.
 */
public class CopyLoop {
    private final String bootstrap;
    private final String group;
    private final Set<TopicPartition> partitions = new HashSet<>();
    private final String output;
    private KafkaProducer<String, String> producer;
    private final KafkaConsumer<String, String> consumer;

    CopyLoop(String bootstrap, String input, String output, int count, String group) {
        this.bootstrap = bootstrap;
        this.group = group;
        this.output = output;
        for (int i = 0; i < count; i++) partitions.add(new TopicPartition(input, i));
        Properties properties = new Properties();
        properties.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        properties.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class.getName());
        properties.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class.getName());
        properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
        properties.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, "200");
        properties.put(ConsumerConfig.GROUP_ID_CONFIG, group);
        properties.put("reconnect.backoff.max.ms", "100");
        consumer = new KafkaConsumer<>(properties);
        consumer.assign(partitions);
    }

    void begin() {
        while (true) {
            if (producer != null) producer.close(Duration.ZERO);
            Properties properties = new Properties();
            properties.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
            properties.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, StringSerializer.class.getName());
            properties.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, StringSerializer.class.getName());
            properties.put(ProducerConfig.TRANSACTIONAL_ID_CONFIG, group);
            properties.put("reconnect.backoff.max.ms", "100");
            producer = new KafkaProducer<>(properties);
            try {
                producer.initTransactions();
                rewind();
                return;
            } catch (KafkaException again) {
                System.out.println("again " + again.getClass().getSimpleName());
            }
        }
    }

    void rewind() {
        Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(partitions);
        for (TopicPartition partition : partitions) {
            OffsetAndMetadata at = committed.get(partition);
            if (at == null) consumer.seekToBeginning(List.of(partition)); else consumer.seek(partition, at.offset());
        }
    }

    long left() {
        long left = 0;
        Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
        Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(partitions);
        for (TopicPartition partition : partitions) {
            OffsetAndMetadata at = committed.get(partition);
            left += ends.get(partition) - (at == null ? 0 : at.offset());
        }
        return left;
    }

    void copy(ConsumerRecords<String, String> records) throws InterruptedException {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        producer.beginTransaction();
        for (ConsumerRecord<String, String> record : records) {
            producer.send(new ProducerRecord<>(output, record.partition(), record.key(), record.value()));
            offsets.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
        }
        producer.flush();
        System.out.println("open");
        producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
        producer.commitTransaction();
    }

    void run() throws InterruptedException {
        begin();
        while (true) {
            try {
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(100));
                if (!records.isEmpty()) copy(records);
                else if (left() == 0) break;
            } catch (KafkaException problem) {
                System.out.println("problem " + problem.getClass().getSimpleName() + " " + problem.getMessage());
                try {
                    producer.abortTransaction();
                    rewind();
                } catch (KafkaException fatal) {
                    begin();
                }
            }
        }
        System.out.println("done");
    }

    public static void main(String[] arguments) throws Exception {
        new CopyLoop(arguments[0], arguments[1], arguments[2], Integer.parseInt(arguments[3]), arguments[4]).run();
        System.exit(0);
    }
}
