import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringSerializer;

/** What administrators see of transactions and do about them, with the Java admin client. */
public class TransactionAdminStory {
    private static final TopicPartition P0 = new TopicPartition("transaction-admin", 0);
    private static int passed;
    private static int failed;

    static void check(String what, boolean ok) {
        System.out.println((ok ? "ok   " : "FAIL ") + "java admin, transactions: " + what);
        if (ok) passed++; else failed++;
    }

    static KafkaProducer<String, String> producer(String bootstrap, String id) {
        Properties properties = new Properties();
        properties.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        properties.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, StringSerializer.class.getName());
        properties.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, StringSerializer.class.getName());
        properties.put(ProducerConfig.TRANSACTIONAL_ID_CONFIG, id);
        return new KafkaProducer<>(properties);
    }

    static Set<String> ids(Admin admin, ListTransactionsOptions options) throws Exception {
        return admin.listTransactions(options).all().get(20, TimeUnit.SECONDS).stream()
            .map(TransactionListing::transactionalId).collect(Collectors.toSet());
    }

    static ProducerState open(Admin admin) throws Exception {
        for (ProducerState state : admin.describeProducers(List.of(P0)).partitionResult(P0).get(20, TimeUnit.SECONDS).activeProducers()) {
            if (state.currentTransactionStartOffset().isPresent()) return state;
        }
        return null;
    }

    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0];
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
             KafkaProducer<String, String> done = producer(bootstrap, "done"); KafkaProducer<String, String> open = producer(bootstrap, "open")) {
            done.initTransactions();
            done.beginTransaction();
            done.send(new ProducerRecord<>(P0.topic(), 0, null, "1"));
            done.commitTransaction();
            open.initTransactions();
            open.beginTransaction();
            open.send(new ProducerRecord<>(P0.topic(), 0, null, "2")).get(20, TimeUnit.SECONDS);

            check("all are listed", ids(admin, new ListTransactionsOptions()).equals(Set.of("done", "open")));
            check("by state", ids(admin, new ListTransactionsOptions().filterStates(Set.of(TransactionState.ONGOING))).equals(Set.of("open")));
            check("by pattern", ids(admin, new ListTransactionsOptions().filterOnTransactionalIdPattern("d.*")).equals(Set.of("done")));
            check("by duration", ids(admin, new ListTransactionsOptions().filterOnDuration(3600000)).isEmpty()
                || ids(admin, new ListTransactionsOptions().filterOnDuration(3600000)).equals(Set.of("done")));
            TransactionDescription described = admin.describeTransactions(List.of("open")).description("open").get(20, TimeUnit.SECONDS);
            check("described: " + described, described.state() == TransactionState.ONGOING && described.topicPartitions().equals(Set.of(P0))
                && described.transactionStartTimeMs().isPresent() && described.transactionTimeoutMs() == 60000);
            ProducerState state = open(admin);
            check("the producer of the open transaction: " + state, state != null && state.producerId() == described.producerId());

            admin.abortTransaction(new AbortTransactionSpec(P0, state.producerId(), (short) state.producerEpoch(),
                state.coordinatorEpoch().orElse(0))).all().get(20, TimeUnit.SECONDS);
            check("an administrator aborts it in a partition", open(admin) == null);
            admin.fenceProducers(List.of("open")).all().get(20, TimeUnit.SECONDS);
            boolean fenced = false;
            try {
                open.commitTransaction();
            } catch (KafkaException expected) {
                fenced = true;
            }
            check("a fenced producer cannot commit", fenced);
        }
        System.out.println(passed + " passed, " + failed + " failed, 0 skipped");
        System.exit(failed == 0 ? 0 : 1);
    }
}
