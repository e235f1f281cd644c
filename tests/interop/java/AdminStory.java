import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;

/** What only today's Java admin client asks: topic ids, DescribeTopicPartitions, incremental configs, offsets of every kind, features. Usage: AdminStory HOST:PORT */
public final class AdminStory {
    private static final String TOPIC = "admin.story";
    private static int passed;
    private static int failed;

    private static void check(String what, boolean ok, Object detail) {
        if (ok) passed++; else failed++;
        System.out.println((ok ? "ok   " : "FAIL ") + "java admin: " + what + (ok ? "" : " " + detail));
    }

    public static void main(String[] args) {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[0]))) {
            story(admin);
        } catch (Throwable t) {
            t.printStackTrace();
            check("no exception", false, t);
        }
        System.out.println(passed + " passed, " + failed + " failed, 0 skipped");
        System.exit(failed > 0 || passed == 0 ? 1 : 0);
    }

    private static void story(Admin admin) throws Exception {
        CreateTopicsResult created = admin.createTopics(List.of(new NewTopic(TOPIC, Optional.of(2), Optional.empty())));
        Uuid id = created.topicId(TOPIC).get();
        check("create answers id, partitions, configs", created.numPartitions(TOPIC).get() == 2 && created.config(TOPIC).get().get("retention.ms") != null, id);
        check("describe by id", admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds().get().get(id).name().equals(TOPIC), "");
        check("validate only", admin.createTopics(List.of(new NewTopic("never-made", 1, (short) 1)), new CreateTopicsOptions().validateOnly(true)).all().get() == null
            && !admin.listTopics().names().get().contains("never-made"), "");

        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, TOPIC);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(
            new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.APPEND),
            new AlterConfigOp(new ConfigEntry("retention.bytes", "123456"), AlterConfigOp.OpType.SET)))).all().get();
        Config config = admin.describeConfigs(List.of(resource), new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true)).all().get().get(resource);
        check("append to a list", config.get("cleanup.policy").value().equals("delete,compact"), config.get("cleanup.policy"));
        check("set", config.get("retention.bytes").value().equals("123456") && config.get("retention.bytes").source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, "");
        check("synonyms and documentation", config.get("retention.bytes").synonyms().size() == 2 && !config.get("retention.bytes").documentation().isEmpty(), config.get("retention.bytes"));
        admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry("retention.bytes", ""), AlterConfigOp.OpType.DELETE)))).all().get();
        check("delete", admin.describeConfigs(List.of(resource)).all().get().get(resource).get("retention.bytes").value().equals("-1"), "");

        TopicPartition partition = new TopicPartition(TOPIC, 0);
        for (OffsetSpec spec : List.of(OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.maxTimestamp(), OffsetSpec.forTimestamp(1), OffsetSpec.earliestLocal(), OffsetSpec.latestTiered())) {
            long offset = admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get().offset();
            check("list offsets " + spec.getClass().getSimpleName(), offset == 0 || offset == -1, offset);
        }
        FeatureMetadata features = admin.describeFeatures().featureMetadata().get();
        check("features", features.finalizedFeatures().get("metadata.version") != null, features);
        check("no reassignments", admin.listPartitionReassignments().reassignments().get().isEmpty(), "");
        admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get();
        check("delete by id", !admin.listTopics().names().get().contains(TOPIC), "");
    }
}
