import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;

/**
 * Groups of both protocols whose members live on while the broker's directory changes hands. "next" on a line of its own asks the caller to
 * stop the broker and to start the next owner; a line on standard input says that it was done.
 */
public class GroupsHandover {
    private static final String TOPIC = "handed";
    private static final int PARTITIONS = 6;
    private static final BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
    private static String bootstrap;
    private static int passed, failed, produced;

    static void check(String what, boolean ok, Object detail) {
        System.out.println((ok ? "ok   " : "FAIL ") + "groups: " + what + (ok ? "" : " " + detail));
        System.out.flush();
        if (ok) passed++; else failed++;
    }

    static class Member {
        final KafkaConsumer<String, String> consumer;
        final Set<String> read = new HashSet<>();
        final String group;

        Member(String group, String protocol, String instance) {
            this.group = group;
            Properties properties = new Properties();
            properties.put("bootstrap.servers", bootstrap);
            properties.put("group.id", group);
            properties.put("group.protocol", protocol);
            properties.put("key.deserializer", StringDeserializer.class.getName());
            properties.put("value.deserializer", StringDeserializer.class.getName());
            properties.put("auto.offset.reset", "earliest");
            properties.put("enable.auto.commit", "false");
            if (instance != null) properties.put("group.instance.id", instance);
            if (protocol.equals("classic")) properties.put("session.timeout.ms", "45000");
            consumer = new KafkaConsumer<>(properties);
            consumer.subscribe(List.of(TOPIC));
        }
    }

    static boolean poll(List<Member> members, BooleanSupplier until) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (System.nanoTime() < deadline) {
            for (Member member : members) {
                for (ConsumerRecord<String, String> record : member.consumer.poll(Duration.ofMillis(30))) member.read.add(record.value());
            }
            if (until.getAsBoolean()) return true;
        }
        return false;
    }

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

    static void produce(int count) {
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(Map.of("bootstrap.servers", bootstrap, "delivery.timeout.ms", 120000),
                new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < count; i++, produced++) producer.send(new ProducerRecord<>(TOPIC, produced % PARTITIONS, null, "v" + produced));
            producer.flush();
        }
    }

    static boolean readAll(List<Member> members) {
        Set<String> all = new HashSet<>();
        for (Member member : members) all.addAll(member.read);
        return all.size() == produced;
    }

    static void commit(List<Member> members) {
        for (Member member : members) member.consumer.commitSync();
    }

    /** Type, epochs, members by instance with what they have, offsets. */
    static String look(Admin admin, String group) throws Exception {
        ConsumerGroupDescription description = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        StringBuilder out = new StringBuilder(group + " " + description.type() + " " + description.groupState() + " epoch " + description.groupEpoch()
            + " target " + description.targetAssignmentEpoch());
        TreeMap<String, String> members = new TreeMap<>();
        for (MemberDescription member : description.members()) {
            TreeSet<String> has = new TreeSet<>();
            for (TopicPartition partition : member.assignment().topicPartitions()) has.add(partition.toString());
            members.put(member.groupInstanceId().orElse("") + " " + member.consumerId(), has + " epoch " + member.memberEpoch());
        }
        TreeMap<String, Long> offsets = new TreeMap<>();
        admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().forEach((partition, offset) -> offsets.put(partition.toString(), offset.offset()));
        return out + " " + members + " " + offsets;
    }

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        String[] owners = arguments[1].split(",");
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin.createTopics(List.of(new NewTopic(TOPIC, PARTITIONS, (short) 1))).all().get();
        }
        produce(300);
        List<Member> fresh = List.of(new Member("fresh", "consumer", "i1"), new Member("fresh", "consumer", "i2"));
        List<Member> dynamic = List.of(new Member("dynamic", "consumer", null), new Member("dynamic", "consumer", null));
        List<Member> classic = List.of(new Member("classic", "classic", "c1"), new Member("classic", "classic", "c2"));
        List<Member> mixed = List.of(new Member("mixed", "classic", null), new Member("mixed", "consumer", null));
        List<List<Member>> groups = List.of(fresh, dynamic, classic, mixed);
        Map<String, String> before = new HashMap<>();
        for (int turn = 0; turn < owners.length; turn++) {
            String owner = owners[turn];
            if (turn > 0) {
                System.out.println("next");
                System.out.flush();
                input.readLine();
                produce(120);
            }
            try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
                for (List<Member> group : groups) {
                    String name = group.get(0).group;
                    if (turn > 0) {
                        String now = look(admin, name);
                        check(owner + " has " + name + " as it was", now.equals(before.get(name)), "\n     " + before.get(name) + "\n     " + now);
                    }
                    check(owner + ": members of " + name + " share", poll(group, () -> shared(group)), "");
                    check(owner + ": they read all of " + produced, poll(group, () -> readAll(group)), "");
                    commit(group);
                }
                for (List<Member> group : groups) {
                    poll(group, () -> shared(group));
                    before.put(group.get(0).group, look(admin, group.get(0).group));
                }
                check(owner + ": types", before.get("mixed").contains("mixed Consumer") && before.get("classic").contains("classic Classic"), before);
            }
        }
        for (List<Member> group : groups) for (Member member : group) member.consumer.close(CloseOptions.timeout(Duration.ofSeconds(2)));
        System.out.println(passed + " passed, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }
}
