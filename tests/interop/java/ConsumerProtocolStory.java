import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidRegularExpression;
import org.apache.kafka.common.errors.UnreleasedInstanceIdException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * The consumer protocol (KIP-848) with the Java consumer: both assignors, static members, regular expressions, commits, a broker that is
 * killed, groups that change between the protocols and back while they read. "restart" on a line of its own asks the caller to kill the
 * broker and to start it again; a line on standard input says that it was done.
 */
public class ConsumerProtocolStory {
    private static final String TOPIC = "protocol-story";
    private static final int PARTITIONS = 6;
    private static int passed;
    private static int failed;
    private static String bootstrap;
    private static Admin admin;
    private static final BufferedReader input = new BufferedReader(new InputStreamReader(System.in));

    static void check(String what, boolean ok) {
        System.out.println((ok ? "ok   " : "FAIL ") + "consumer protocol: " + what);
        System.out.flush();
        if (ok) passed++; else failed++;
    }

    /** One member, polled by the story. */
    static class Member implements AutoCloseable {
        final KafkaConsumer<String, String> consumer;
        final List<String> read = new ArrayList<>();
        int revocations;

        Member(String group, String protocol, Map<String, String> more) {
            Properties properties = new Properties();
            properties.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
            properties.put(ConsumerConfig.GROUP_ID_CONFIG, group);
            properties.put(ConsumerConfig.GROUP_PROTOCOL_CONFIG, protocol);
            properties.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class.getName());
            properties.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class.getName());
            properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
            properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
            if (protocol.equals("classic")) {
                properties.put(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG, "10000");
                properties.put(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG, "200");
            }
            properties.putAll(more);
            consumer = new KafkaConsumer<>(properties);
        }

        static Member consuming(String group, Map<String, String> more) {
            return new Member(group, "consumer", more).subscribe();
        }
        static Member classic(String group) {
            return new Member(group, "classic", Map.of()).subscribe();
        }

        Member subscribe() {
            consumer.subscribe(List.of(TOPIC), new ConsumerRebalanceListener() {
                public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                    if (!partitions.isEmpty()) {
                        revocations++;
                        consumer.commitSync();
                    }
                }
                public void onPartitionsAssigned(Collection<TopicPartition> partitions) {}
            });
            return this;
        }

        void poll() {
            for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(50))) read.add(record.value());
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
        for (Member member : members) System.out.println("     has " + member.consumer.assignment() + ", read " + member.read.size());
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

    static void produce(String topic, int from, int to) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("key.serializer", StringSerializer.class.getName());
        properties.put("value.serializer", StringSerializer.class.getName());
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(properties)) {
            for (int i = from; i < to; i++) producer.send(new ProducerRecord<>(topic, i % PARTITIONS, null, "v" + i));
            producer.flush();
        }
    }

    static void restart() throws Exception {
        System.out.println("restart");
        System.out.flush();
        input.readLine();
    }

    static ConsumerGroupDescription described(String group) throws Exception {
        return admin.describeConsumerGroups(List.of(group)).describedGroups().get(group).get();
    }

    static void assignor(String name) throws Exception {
        String group = "group-" + name;
        Map<String, String> settings = Map.of(ConsumerConfig.GROUP_REMOTE_ASSIGNOR_CONFIG, name);
        Set<String> read = new HashSet<>();
        try (Member first = Member.consuming(group, settings)) {
            List<Member> one = List.of(first);
            check(name + ": a member alone has all", poll(one, () -> shared(one)));
            try (Member second = Member.consuming(group, settings)) {
                List<Member> two = List.of(first, second);
                check(name + ": two share", poll(two, () -> shared(two)));
                ConsumerGroupDescription description = described(group);
                check(name + ": the group is described", description.type() == GroupType.CONSUMER
                    && description.partitionAssignor().equals(name) && description.members().size() == 2);
                if (name.equals("uniform")) {
                    restart();
                    check("after kill -9 of the broker they share", poll(two, () -> shared(two)));
                }
                read.addAll(second.read);
            }
            check(name + ": one leaves, the other has all again", poll(one, () -> shared(one)));
            check(name + ": all records came", poll(one, () -> {
                read.addAll(first.read);
                return has(read, 0, 600);
            }));
        }
    }

    static void statics() throws Exception {
        String group = "group-static";
        Member first = Member.consuming(group, Map.of(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG, "i1"));
        Member second = Member.consuming(group, Map.of(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG, "i2"));
        check("static members share", poll(List.of(first, second), () -> shared(List.of(first, second))));
        Set<TopicPartition> had = second.consumer.assignment();
        int before = first.revocations;
        try (Member intruder = Member.consuming(group, Map.of(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG, "i2"))) {
            boolean refused = false;
            try {
                for (int i = 0; i < 100 && !refused; i++) intruder.poll();
            } catch (UnreleasedInstanceIdException expected) {
                refused = true;
            }
            check("an instance id that is in use is not given twice", refused);
        }
        second.close();
        Member again = Member.consuming(group, Map.of(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG, "i2"));
        check("a static member that comes back has what it had", poll(List.of(first, again), () -> had.equals(again.consumer.assignment())));
        check("and nobody else noticed", first.revocations == before);
        first.close();
        again.close();
    }

    static Member patternMember() throws Exception {
        Member member = new Member("group-pattern", "consumer", Map.of());
        member.consumer.subscribe(new SubscriptionPattern("pattern-[ab]"));
        check("a regular expression stands for the topics that match it as a whole",
            poll(List.of(member), () -> topics(member).equals(Set.of("pattern-a"))));
        admin.createTopics(List.of(new NewTopic("pattern-b", 1, (short) 1))).all().get();
        try (Member wrong = new Member("group-wrong-pattern", "consumer", Map.of())) {
            wrong.consumer.subscribe(new SubscriptionPattern("("));
            boolean refused = false;
            try {
                for (int i = 0; i < 100 && !refused; i++) wrong.poll();
            } catch (InvalidRegularExpression expected) {
                refused = true;
            }
            check("one that is none is refused", refused);
        }
        return member;
    }

    static Set<String> topics(Member member) {
        return member.consumer.assignment().stream().map(TopicPartition::topic).collect(Collectors.toSet());
    }

    static void commits() {
        String group = "group-commits";
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (int p = 0; p < PARTITIONS; p++) offsets.put(new TopicPartition(TOPIC, p), new OffsetAndMetadata(90 + p, "at " + p));
        try (Member member = Member.consuming(group, Map.of())) {
            check("joined", poll(List.of(member), () -> shared(List.of(member))));
            check("read all", poll(List.of(member), () -> member.read.size() >= 600));
            member.consumer.commitSync(offsets);
            check("commits come back with their metadata", member.consumer.committed(offsets.keySet()).equals(offsets));
        }
    }

    /** A group of the classic protocol that becomes one of the consumer protocol member by member, and back. */
    static void migration(int from) throws Exception {
        String group = "group-migrates";
        Set<String> read = new HashSet<>();
        Member old = Member.classic(group);
        check("migration: a classic member has all", poll(List.of(old), () -> shared(List.of(old))));
        check("migration: the group is classic", described(group).type() == GroupType.CLASSIC);
        Member fresh = Member.consuming(group, Map.of());
        List<Member> both = List.of(old, fresh);
        check("migration: a member of the new protocol comes and they share", poll(both, () -> shared(both)));
        ConsumerGroupDescription description = described(group);
        check("migration: the group is a consumer group with members of both kinds", description.type() == GroupType.CONSUMER
            && description.members().stream().map(MemberDescription::upgraded).collect(Collectors.toSet()).size() == 2);
        produce(TOPIC, from, from + 60);
        check("migration: nothing is lost meanwhile", poll(both, () -> {
            read.addAll(old.read);
            read.addAll(fresh.read);
            return has(read, from, from + 60);
        }));
        old.close();
        check("migration: the old member leaves, the new one has all", poll(List.of(fresh), () -> shared(List.of(fresh))));
        Member back = Member.classic(group);
        List<Member> again = List.of(back, fresh);
        check("migration: a classic member joins the consumer group", poll(again, () -> shared(again)));
        fresh.close();
        check("migration: the last of the new protocol leaves, the classic one has all",
            poll(List.of(back), () -> shared(List.of(back))));
        check("migration: the group is classic again", described(group).type() == GroupType.CLASSIC);
        produce(TOPIC, from + 60, from + 120);
        check("migration: and reads on", poll(List.of(back), () -> has(new HashSet<>(back.read), from + 60, from + 120)));
        back.close();
    }

    static boolean has(Set<String> read, int from, int to) {
        for (int i = from; i < to; i++) {
            if (!read.contains("v" + i)) return false;
        }
        return true;
    }

    static void admins() throws Exception {
        Set<String> consumers = admin.listGroups(new ListGroupsOptions().withTypes(Set.of(GroupType.CONSUMER))).all().get().stream()
            .map(each -> each.groupId()).collect(Collectors.toSet());
        check("groups are listed by their type", consumers.containsAll(Set.of("group-uniform", "group-range", "group-static")));
        check("an empty group is described", described("group-uniform").groupState() == GroupState.EMPTY);

        ConfigResource resource = new ConfigResource(ConfigResource.Type.GROUP, "group-uniform");
        AlterConfigOp set = new AlterConfigOp(new ConfigEntry("consumer.heartbeat.interval.ms", "300"), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(set))).all().get();
        check("a group has a configuration of its own", admin.describeConfigs(List.of(resource)).all().get().get(resource)
            .get("consumer.heartbeat.interval.ms").value().equals("300"));
        check("and is listed among those that have one",
            admin.listConfigResources(Set.of(ConfigResource.Type.GROUP), new org.apache.kafka.clients.admin.ListConfigResourcesOptions())
                .all().get().contains(resource));
        AlterConfigOp wrong = new AlterConfigOp(new ConfigEntry("consumer.heartbeat.interval.ms", "99999"), AlterConfigOp.OpType.SET);
        boolean refused = false;
        try {
            admin.incrementalAlterConfigs(Map.of(resource, List.of(wrong))).all().get();
        } catch (ExecutionException expected) {
            refused = true;
        }
        check("a value out of bounds is refused", refused);
        admin.deleteConsumerGroups(List.of("group-uniform")).all().get();
        check("a deleted group is gone", admin.listGroups().all().get().stream().noneMatch(each -> each.groupId().equals("group-uniform")));
    }

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
        admin.createTopics(List.of(new NewTopic(TOPIC, PARTITIONS, (short) 1), new NewTopic("pattern-a", 1, (short) 1),
            new NewTopic("pattern-abc", 1, (short) 1))).all().get();
        produce(TOPIC, 0, 600);
        Member pattern = patternMember();
        assignor("uniform");
        assignor("range");
        statics();
        commits();
        migration(600);
        admins();
        check("a new topic that matches is read too", poll(List.of(pattern), () -> topics(pattern).equals(Set.of("pattern-a", "pattern-b"))));
        pattern.close();
        admin.close();
        System.out.println(passed + " passed, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }
}
